"""`wildpost demo`: the whole path of a detection on this machine, from files to a page."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from wildpost.settings.data_folder import data_folder

if TYPE_CHECKING:
    from wildpost.demo.demo import Summary


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost demo`."""
    about = "run a broker, the server and two stations over pictures and recordings, and show the page"
    demo = commands.add_parser("demo", help=about, description=about)
    demo.add_argument("--samples", type=Path, metavar="DIR", help="your own pictures and recordings")
    demo.add_argument("--once", action="store_true", help="end when all input is stored")
    demo.add_argument("--json", action="store_true", help="print the summary as one JSON line, last")
    demo.add_argument("--port", type=int, default=8420, help="the page's port; 0 takes a free one (default: 8420)")
    demo.add_argument("--data", type=Path, help="the data folder (default: WILDPOST_DATA); the demo uses demo/ in it")
    demo.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo until all input is stored, or until Ctrl-C."""
    from wildpost.demo.demo import fresh_folder, json_line, lay_out, server_and_broker, stations, summarise, work_off
    from wildpost.demo.samples import find_samples
    from wildpost.demo.stations import write_settings

    for name in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed: the stations must not outlive the demo
        signal.signal(name, _stopped)
    began = time.monotonic()
    data = data_folder(arguments.data)
    # The JSON line is all that goes to standard output with --json, so that another program can read it.
    console = Console(file=sys.stderr if arguments.json else sys.stdout, highlight=False)
    samples = find_samples(arguments.samples, Path.cwd(), data / "samples")
    console.print(f"{len(samples.pictures)} pictures and {len(samples.recordings)} recordings: {samples.origin}")
    with ExitStack() as stack:
        folder = stack.enter_context(fresh_folder(data / "demo"))
        inboxes = lay_out(samples, folder)
        port = 0 if arguments.once else arguments.port
        server, broker_port = stack.enter_context(server_and_broker(folder, port))
        brought = (arguments.samples or Path("samples")).absolute().parent / "weights"
        settings = write_settings(inboxes, folder, data, broker_port, brought, console.print)
        if not arguments.once:
            console.print(f"The page is at [bold]{server.url}[/]")
        with _bar(console, len(samples.pictures) + len(samples.recordings)) as progress:
            reports = work_off(server, settings, progress)
        summary = summarise(server, reports, began)
        _show(summary, console)
        if arguments.json:
            print(json_line(summary), flush=True)
        if not arguments.once:
            with stations(settings):
                console.print(f"\nOpen [bold]{server.url}[/]; Ctrl-C stops it. Put more files into", soft_wrap=True)
                for path in settings:
                    console.print(f"  {inboxes[path.stem.removeprefix('demo-')]}", soft_wrap=True)
                while True:
                    time.sleep(1)
                    server.state()
    return 0


def _stopped(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _bar(console: Console, files: int) -> Iterator[Callable[[int, int], None]]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("captures stored", total=files)

        def progress(events: int, unusable: int) -> None:
            # a long recording is several events: the total is a lower bound until everything is in
            bar.update(task, completed=events + unusable, total=max(files, events + unusable))

        yield progress


def _show(summary: "Summary", console: Console) -> None:
    console.print(
        f"{summary.pictures} pictures and {summary.recordings} recordings became {summary.events_sent} events; "
        f"{summary.events_stored} are stored, {summary.quarantined} files or messages were set aside, "
        f"{summary.flags} flags were raised, in {summary.seconds} s."
    )
    for taxon, detections in sorted(summary.species.items(), key=lambda item: -item[1]):
        console.print(f"  {detections:4}  {taxon}")
