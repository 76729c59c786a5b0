"""A station without a network, a stick, a server: every event arrives once, and the outbox is empty in the end."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebook.casebook import Casebook
from contract import Event, decode, encode, new_event_id, topic_of
from contract.bundle.reader import BundleReader
from contract.examples import EVENT
from edge.capture.folder import FolderSource
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.sensor import Sensor
from edge.station import Station
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery
from tests.eventually import eventually
from tests.servers.test_station_delivery import OPTIONS, Brightness, draw

WILDPOST = [sys.executable, "-m", "wildpost"]


class Walk:
    """The folders of a station, a stick and a server, and the commands that people run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stick = folder / "stick"
        self.stick.mkdir()
        self.outbox = folder / "station" / "stations" / OPTIONS.name / "outbox.sqlite"
        self.server = folder / "server"
        self.station_settings = folder / "station.toml"
        self.station_settings.write_text(
            f'[station]\nname = "{OPTIONS.name}"\ndeployment = "{OPTIONS.deployment}"\n'
            '[broker]\nusername = "station"\n'
            '[[sensors]]\nname = "camera"\nsource = "folder"\nfolder = "in"\ndetectors = ["vision"]\n'
        )
        self.server_settings = folder / "server.toml"

    def capture(self, pictures: int) -> list[Event]:
        """Let the station work off new pictures; returns the events in its outbox."""
        draw(self.folder / "in", pictures)
        with closing(Outbox(self.outbox)) as outbox:
            source = FolderSource(self.folder / "in", outbox.mark_of, UTC, None, 60)
            Station(OPTIONS, "wildpost", [Sensor("camera", source, [Brightness()], 60)], outbox).run(
                threading.Event(), once=True, folder=self.folder
            )
            records = [decode(message.topic, message.payload) for message in outbox.waiting(100_000)]
        return [record for record in records if isinstance(record, Event)]

    def waiting(self) -> int:
        with closing(Outbox(self.outbox)) as outbox:
            return len(outbox)

    def export(self, *more: str, code: int = 0) -> dict[str, Any]:
        data = str(self.folder / "station")
        words = ["station", "export", str(self.station_settings), "--to", str(self.stick), "--data", data, "--json"]
        return self._told([*words, *more], code)

    def take_in(self, code: int = 0, *settings: str) -> dict[str, Any]:
        words = ["import", "bundle", str(self.stick), *settings, "--data", str(self.server), "--json"]
        return self._told(words, code)

    def stored(self) -> list[str]:
        with closing(DuckDbStore(self.server / "detections.duckdb")) as store:
            return sorted(event.event_id for event in store.events(EventQuery(limit=100_000)))

    def totals(self) -> tuple[Any, ...]:
        with (
            closing(DuckDbStore(self.server / "detections.duckdb")) as store,
            closing(Casebook(f"sqlite:///{self.server}/casebook.sqlite")) as casebook,
        ):
            media = list(FolderMedia(self.server / "media").names())
            return store.stations(), casebook.totals(), media

    @property
    def bundles(self) -> list[Path]:
        return sorted(self.stick.glob("*.wildpost.tar"))

    @property
    def receipts(self) -> list[Path]:
        return sorted(self.stick.glob("*.receipt.json"))

    @staticmethod
    def _told(words: Sequence[str], code: int) -> dict[str, Any]:
        told = subprocess.run([*WILDPOST, *words], capture_output=True, text=True, check=False, timeout=120)
        assert told.returncode == code, told.stderr
        found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
        return found


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    return Walk(tmp_path)


def ids(events: Sequence[Event]) -> list[str]:
    return sorted(event.event_id for event in events)


def test_a_stick_carries_everything_once_and_its_receipt_empties_the_outbox(walk: Walk) -> None:
    events = walk.capture(40)
    waiting = walk.waiting()
    assert len(events) == 40
    exported = walk.export()
    assert (exported["messages"], exported["waiting"], walk.waiting()) == (waiting, waiting, waiting)

    assert walk.take_in() == {"bundles": 1, "received": waiting, "refused": 0, "problems": []}
    assert walk.stored() == ids(events)
    before = walk.totals()
    assert len(before[2]) == len(
        {media.sha256 for event in events for media in event.media if media.role != "original"}
    )

    assert walk.take_in()["received"] == waiting
    assert walk.totals() == before, "importing twice changes nothing"

    returned = walk.export()
    assert (returned["confirmed"], returned["messages"], returned["waiting"]) == (waiting, 0, 0)
    assert walk.waiting() == 0
    assert list(walk.stick.iterdir()) == []
    assert list((walk.server / "imports").iterdir()) == []


def test_a_torn_bundle_is_used_in_part_and_the_rest_comes_with_the_next(walk: Walk) -> None:
    events = walk.capture(40)
    waiting = walk.waiting()
    walk.export()
    (bundle,) = walk.bundles
    bundle.write_bytes(bundle.read_bytes()[: bundle.stat().st_size // 2])

    report = walk.take_in(code=1)
    assert 0 < report["received"] < waiting
    assert report["received"] + report["refused"] == waiting
    assert report["problems"][0].startswith(f"the file ends early: {report['refused']} messages are missing")
    returned = walk.export(code=1)
    assert returned["confirmed"] == report["received"]
    assert returned["messages"] == report["refused"], "what did not arrive is on the stick again"
    walk.take_in()
    assert walk.export()["waiting"] == 0
    assert walk.stored() == ids(events)


def test_a_file_that_is_no_bundle_any_more_is_refused_and_its_messages_come_again(walk: Walk) -> None:
    events = walk.capture(5)
    walk.export()
    (bundle,) = walk.bundles
    bundle.write_bytes(bundle.read_bytes()[:300])
    report = walk.take_in(code=1)
    assert report["received"] == 0
    assert "not a tar archive" in report["problems"][0]
    walk.export(code=1)
    assert walk.take_in()["problems"] == []
    assert walk.stored() == ids(events)


@contextmanager
def serving(walk: Walk, port: int) -> Iterator[subprocess.Popen[str]]:
    walk.server_settings.write_text(f"[broker]\nport = {port}\n[web]\nport = 0\n")
    command = [*WILDPOST, "serve", str(walk.server_settings), "--data", str(walk.server)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (walk.server / "server.json").exists():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_running_server_takes_in_the_stick_itself(walk: Walk, mosquitto: Any) -> None:
    events = walk.capture(20)
    waiting = walk.waiting()
    walk.export()
    with serving(walk, mosquitto.port):
        assert walk.take_in(0, str(walk.server_settings))["received"] == waiting
        assert len(walk.receipts) == 1
        # A person may also copy a bundle into the folder by hand.
        (walk.server / "imports" / walk.bundles[0].name).write_bytes(walk.bundles[0].read_bytes())
        eventually((walk.server / "imports" / walk.receipts[0].name).exists, "a receipt in the folder")
    assert walk.stored() == ids(events)
    assert walk.export()["waiting"] == 0


def test_a_server_that_is_killed_while_it_imports_goes_on_with_the_bundle(walk: Walk, mosquitto: Any) -> None:
    events = [msgspec.structs.replace(EVENT, station=OPTIONS.name, event_id=new_event_id()) for _ in range(3000)]
    with closing(Outbox(walk.outbox)) as outbox:
        topic = topic_of("wildpost", OPTIONS.name, "event")
        outbox.commit([OutboxMessage(topic, encode(event)) for event in events])
    walk.export()
    (walk.server / "imports").mkdir(parents=True)
    bundle = walk.bundles[0].rename(walk.server / "imports" / walk.bundles[0].name)
    receipt = bundle.with_name(f"{bundle.name}.receipt.json")
    seeded = random.Random(15)
    for _ in range(2):
        with serving(walk, mosquitto.port) as process:
            eventually(
                lambda: receipt.exists() or (walk.server / "detections.duckdb.wal").exists(), "the import begins"
            )
            time.sleep(seeded.random() * 0.5)
            process.kill()
        (walk.server / "server.json").unlink(missing_ok=True)
        assert bundle.exists() or receipt.exists()
    with serving(walk, mosquitto.port):
        eventually(receipt.exists, "a receipt")
        eventually(lambda: not bundle.exists(), "the bundle is deleted")
    assert walk.stored() == ids(events)
    receipt.rename(walk.stick / receipt.name)
    assert walk.export()["confirmed"] == 3000


def test_an_export_that_is_killed_leaves_nothing_half(walk: Walk) -> None:
    with closing(Outbox(walk.outbox)) as outbox:
        outbox.commit([OutboxMessage("wildpost/v1/ridge-07/media", os.urandom(500_000), 3) for _ in range(100)])
    seeded = random.Random(13)
    data = str(walk.folder / "station")
    words = [*WILDPOST, "station", "export", str(walk.station_settings), "--to", str(walk.stick), "--data", data]
    killed = 0
    for _ in range(12):
        process = subprocess.Popen([*words, "--max-mb", "10"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not list(walk.stick.glob(".*.part")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(seeded.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert all(_intact(path) for path in walk.bundles)
        assert walk.waiting() == 100
        for path in walk.bundles[: len(walk.bundles) // 2]:
            path.unlink()  # so that there is something to write again
    assert killed
    walk.export("--max-mb", "10")
    assert not list(walk.stick.glob(".*"))
    assert sum(len(_intact(path)) for path in walk.bundles) == 100


def _intact(path: Path) -> list[int]:
    with BundleReader(path) as bundle:
        assert not bundle.truncated
        found = list(bundle.entries())
    assert not any(one.reason for one in found)
    return [one.entry.number for one in found]
