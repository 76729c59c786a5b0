"""The demo: a real broker, server and two stations that process pictures and recordings from a folder."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Self

import msgspec

from captures.folder_listing import printable_name
from contract.errors import WildpostError
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.store.counts import CountQuery
from wildpost.demo.embedded_broker import EmbeddedBroker
from wildpost.demo.samples import Samples
from wildpost.server.single_process import ANNOUNCED, Server, running
from wildpost.settings.examples import EXAMPLES
from wildpost.settings.loader import load_settings
from wildpost.settings.server import ServerSettings, WebOptions

MARK = "demo.txt"  # marks a folder of the demo; only a marked folder is emptied
QUIET_S = 120.0  # timeout for missing events, counted from the last arrival


class DemoFailed(WildpostError):
    """The demo cannot start, or did not finish; the message gives the reason, and the remedy or the log file."""


class Reported(msgspec.Struct, frozen=True):
    """The summary that `wildpost station run --once --json` prints as its last line."""

    station: str
    pictures: int
    recordings: int
    events_sent: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Total counts of a finished demo; the attributes are the keys of the JSON line that the demo prints.

    All but ``simulated`` count what the demo's two stations made of real pictures and recordings.
    """

    pictures: int
    recordings: int
    events_sent: int
    events_stored: int
    quarantined: int
    flags: int
    species: dict[str, int]
    simulated: dict[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Before:
    """What the server has before the demo's stations send anything: simulated data.

    Attributes:
        stations: Simulated stations.
        captures: Their captures.
        quarantined: Records in quarantine.
        flags: Flags.
    """

    stations: int = 0
    captures: int = 0
    quarantined: int = 0
    flags: int = 0

    @classmethod
    def of(cls, server: Server) -> Self:
        """Count what a server has."""
        stations, totals = server.store.stations(), server.casebook.totals()
        return cls(len(stations), sum(one.events for one in stations), totals.quarantined, totals.flags)


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Create or empty the demo's data folder, and lock the folder until the context ends.

    Raises:
        DemoFailed: the folder holds other files, or another demo runs in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # the folder itself is never deleted, so its lock is valid
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            remedy = "stop it, or choose another data folder: --data DIR"
            raise DemoFailed(f"another demo runs in {folder}{_page_of(folder)}: {remedy}") from error
        _empty(folder)
        yield folder
    finally:
        os.close(handle)


def _page_of(folder: Path) -> str:
    try:
        return f", with its pages at {json.loads((folder / 'server' / ANNOUNCED).read_text())['url']}"
    except (OSError, ValueError, KeyError):
        return ""  # its server has not started yet


def _empty(folder: Path) -> None:
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise DemoFailed(f"{folder} holds files of something other than a demo; choose another data folder: --data DIR")
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        elif left.name != MARK:  # the mark stays, so that the folder is still marked after an interruption
            left.unlink()
    (folder / MARK).write_text("Created by `wildpost demo`, which empties this folder each time it starts.\n")


def copy_samples(samples: Samples, folder: Path) -> dict[str, Path]:
    """Copy the sample files into the folders that the demo's two stations watch, under unique names."""
    inboxes = {"camera": folder / "pictures", "microphone": folder / "recordings"}
    for inbox, files in zip(inboxes.values(), (samples.pictures, samples.recordings), strict=True):
        inbox.mkdir()
        for number, file in enumerate(files):
            name = file.name if not (inbox / file.name).exists() else f"{file.stem}-{number}{file.suffix}"
            try:
                shutil.copy2(file, inbox / name)  # not a link, so that changes in the demo do not affect the original
            except OSError as error:
                (inbox / name).unlink(missing_ok=True)
                print(f"wildpost: {printable_name(file)}: {error.strerror or error}; left out", file=sys.stderr)
    return inboxes


def demo_settings() -> ServerSettings:
    """Return the settings of the demo's server, apart from its ports: those of the commented example."""
    return load_settings(EXAMPLES / "server.toml", ServerSettings)


def server_folder(folder: Path) -> Path:
    """Return the data folder of the demo's server, which is made if it is not there."""
    (folder / "server").mkdir(exist_ok=True)
    return folder / "server"


@contextmanager
def server_and_broker(folder: Path, port: int) -> Iterator[tuple[Server, int]]:
    """Run the demo's broker and server until the context ends; yield the server and the broker's port."""
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        settings = msgspec.structs.replace(
            demo_settings(),
            broker=ReceiverOptions(host="127.0.0.1", port=broker.port, protocol="3.1.1"),
            web=WebOptions(port=port),
        )
        server = stack.enter_context(running(settings, server_folder(folder), EXAMPLES))
        yield server, broker.port


@contextmanager
def stations(settings: Sequence[Path], *options: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Run one `wildpost station run` process for each settings file, and stop all of them at the end.

    Each process logs to a file beside its settings file.
    """
    started: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        for path in settings:
            log: IO[str] = stack.enter_context(path.with_suffix(".log").open("a"))
            command = [sys.executable, "-m", "wildpost", "station", "run", str(path), *options]
            command += ["--data", str(path.parent)]  # its outbox is deleted when the demo folder is emptied
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True))
        try:
            yield started
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.communicate(timeout=30)


def process_all(
    server: Server,
    settings: Sequence[Path],
    progress: Callable[[int, int], None],
    before: Before = Before(),
) -> list[Reported]:
    """Run every demo station once on its input folder and wait until the server has stored all events.

    Args:
        server: The server that stores the events.
        settings: One settings file per station.
        progress: Called with the number of stored events and of unusable files.
        before: What the server had before.

    Raises:
        DemoFailed: a station failed, or an event did not arrive.
    """
    with stations(settings, "--once", "--json") as processes:
        while any(process.poll() is None for process in processes):
            progress(*_stored(server, before))
            time.sleep(0.2)
        reports = [_report(process, path) for process, path in zip(processes, settings, strict=True)]
    sent, aside = sum(one.events_sent for one in reports), sum(one.set_aside for one in reports)
    stored, last_change = _stored(server, before), time.monotonic()
    while stored[0] < sent or stored[1] < aside:
        time.sleep(0.1)
        now = _stored(server, before)
        if now != stored:
            stored, last_change = now, time.monotonic()
            progress(*stored)
        elif time.monotonic() - last_change > QUIET_S:
            raise DemoFailed(f"{stored[0]} of {sent} events and {stored[1]} of {aside} reports arrived in {QUIET_S} s")
    progress(*stored)
    return reports


def summarise(server: Server, reports: Sequence[Reported], began: float, before: Before) -> Summary:
    """Compute the demo's total counts from the server's stores and the stations' reports."""
    everything = CountQuery.in_utc(datetime(1971, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=2))
    real = replace(everything, stations=tuple(report.station for report in reports))
    species: dict[str, int] = {}
    for counted in server.store.count(real) if reports else ():  # without a station, the query would count all
        species[counted.taxon] = species.get(counted.taxon, 0) + counted.detections
    now = Before.of(server)
    return Summary(
        pictures=sum(report.pictures for report in reports),
        recordings=sum(report.recordings for report in reports),
        events_sent=sum(report.events_sent for report in reports),
        events_stored=now.captures - before.captures,
        quarantined=now.quarantined - before.quarantined,
        flags=now.flags - before.flags,
        species=dict(sorted(species.items())),
        simulated={"stations": before.stations, "captures": before.captures, "flags": before.flags},
        seconds=round(time.monotonic() - began, 1),
    )


def _stored(server: Server, before: Before) -> tuple[int, int]:
    server.state()
    now = Before.of(server)
    return now.captures - before.captures, now.quarantined - before.quarantined


def _report(process: subprocess.Popen[str], settings: Path) -> Reported:
    output, _ = process.communicate()
    log = settings.with_suffix(".log")
    if process.returncode != 0:
        raise DemoFailed(f"station {settings.stem} ended with {process.returncode}; see {log}\n{_last_lines(log)}")
    try:
        return msgspec.json.decode(output.splitlines()[-1], type=Reported)
    except (IndexError, msgspec.MsgspecError) as error:
        raise DemoFailed(f"station {settings.stem} did not report as expected: {error}; see {log}") from error


def _last_lines(log: Path, lines: int = 5) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def json_line(summary: Summary) -> str:
    """Return the total counts of the demo as one line of JSON."""
    return json.dumps(msgspec.to_builtins(summary), ensure_ascii=False)
