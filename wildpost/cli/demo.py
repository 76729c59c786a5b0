"""`wildpost demo`: runs a broker, a server and two stations on this machine and shows the review pages."""

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

from contract.errors import InvalidInput
from wildpost.settings.data_folder import data_folder

SIMULATED = 6  # stations; among them a silent one, and one with a covered camera
MOST_SIMULATED = 50
if TYPE_CHECKING:
    from wildpost.demo.demo import Summary


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost demo` to the argument parser."""
    about = "run a broker, a server and two stations on sample pictures and recordings, and serve the review pages"
    demo = commands.add_parser("demo", help=about, description=about)
    demo.add_argument("--samples", type=Path, metavar="DIR", help="your own pictures and recordings")
    demo.add_argument(
        "--simulate",
        type=int,
        default=SIMULATED,
        metavar="N",
        help=f"number of simulated stations of which the pages show a year; 0: none (default: {SIMULATED})",
    )
    demo.add_argument("--once", action="store_true", help="exit when all input is stored")
    demo.add_argument("--json", action="store_true", help="print the summary as one JSON line at the end")
    demo.add_argument("--port", type=int, default=8420, help="port of the pages; 0: any free port (default: 8420)")
    demo.add_argument("--data", type=Path, help="data folder (default: WILDPOST_DATA); the demo uses demo/ in it")
    demo.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C, or, if ``--once`` is given, until the server has stored all results."""
    from wildpost.demo.demo import (
        Before,
        copy_samples,
        demo_settings,
        fresh_folder,
        json_line,
        process_all,
        server_and_broker,
        server_folder,
        stations,
        summarise,
    )
    from wildpost.demo.reserve import simulate_year, simulated_present
    from wildpost.demo.samples import find_samples_for
    from wildpost.demo.stations import SHIPPED, write_settings

    for name in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: a closed terminal; the stations must end with the demo
        signal.signal(name, _interrupt)
    began = time.monotonic()
    simulated: int = arguments.simulate
    if not 0 <= simulated <= MOST_SIMULATED:
        raise InvalidInput(f"--simulate {simulated}: expected 0 to {MOST_SIMULATED}")
    data = data_folder(arguments.data)
    # With --json, only the JSON line goes to standard output, so that another program can parse it.
    console = Console(file=sys.stderr if arguments.json else sys.stdout, highlight=False)
    samples = find_samples_for(simulated, arguments.samples, Path.cwd(), data / "samples")
    console.print(f"{len(samples.pictures)} pictures and {len(samples.recordings)} recordings: {samples.origin}")
    with ExitStack() as stack:
        folder = stack.enter_context(fresh_folder(data / "demo"))
        inboxes = copy_samples(samples, folder)
        port = 0 if arguments.once else arguments.port
        if simulated:
            console.print(f"Simulating a year of {simulated} stations; everything of it is marked as simulated")
            simulate_year(server_folder(folder), demo_settings(), simulated)
        server, broker_port = stack.enter_context(server_and_broker(folder, port))
        before = Before.of(server)
        settings = write_settings(inboxes, folder, data, broker_port)
        if samples.pictures:
            console.print(f"Pictures are processed by {SHIPPED}; its accuracy: models/weights/{SHIPPED}.md")
        if not arguments.once:
            console.print(f"The pages are at [bold]{server.url}[/]")
        with _progress_bar(console, len(samples.pictures) + len(samples.recordings)) as progress:
            reports = process_all(server, settings, progress, before)
        summary = summarise(server, reports, began, before)
        _show(summary, console)
        if arguments.json:
            print(json_line(summary), flush=True)
        if not arguments.once:
            if simulated:
                stack.enter_context(simulated_present(demo_settings(), broker_port, simulated))
            with stations(settings):
                console.print(
                    f"\nOpen [bold]{server.url}[/]; Ctrl-C stops the demo. Put more files into", soft_wrap=True
                )
                for path in settings:
                    console.print(f"  {inboxes[path.stem.removeprefix('demo-')]}", soft_wrap=True)
                while True:
                    time.sleep(1)
                    server.state()
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _progress_bar(console: Console, files: int) -> Iterator[Callable[[int, int], None]]:
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
            # A long recording becomes several events, so the number of files is a lower bound of the total.
            bar.update(task, completed=events + unusable, total=max(files, events + unusable))

        yield progress


def _show(summary: "Summary", console: Console) -> None:
    console.print(
        f"{summary.pictures} pictures and {summary.recordings} recordings became {summary.events_sent} events; "
        f"{summary.events_stored} are stored, {summary.quarantined} files or messages were quarantined, "
        f"{summary.flags} flags were raised, in {summary.seconds} s."
    )
    if simulated := summary.simulated["stations"]:
        console.print(
            f"Apart from these, {simulated} simulated stations have sent {summary.simulated['captures']} captures."
        )
    for taxon, detections in sorted(summary.species.items(), key=lambda item: -item[1]):
        console.print(f"  {detections:4}  {taxon}")
