"""What is wrong with a bundle is recorded with its reason, the rest is kept, and the receipt lists only what is."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from casebook.records import Quarantined
from contract import encode, topic_of
from contract.bundle.documents import BundleEntry, Manifest, Receipt, decode_document, message_sha256
from contract.bundle.writer import write_bundle
from contract.errors import StoreUnavailable
from contract.examples import EVENT
from ingest.receive.bundle.source import BundleSource
from ingest.receive.folder_lock import FolderLock
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.pipeline import ReceivePipeline
from tests.eventually import eventually
from tests.noting import Noting

TOPIC = topic_of("wildpost", EVENT.station, "event")
GOOD = (TOPIC, encode(EVENT))


class Server:
    """A source in a pipeline that stores nothing, and what it quarantined."""

    def __init__(self, folder: Path, settle_s: float = 0) -> None:
        self.folder = folder
        self.intake = Noting()
        self.quarantined: dict[str, Quarantined] = {}
        self.refuses = False
        self.source = BundleSource(folder, "wildpost", self._quarantine, every_s=0.02, settle_s=settle_s)
        self.pipeline = ReceivePipeline(ReceiverOptions(), self.intake, [self.source])

    def _quarantine(self, *records: Quarantined) -> int:
        if self.refuses:
            raise StoreUnavailable("the casebook is locked")
        self.quarantined |= {one.id: one for one in records}
        return len(records)

    def receipt(self, bundle: Path) -> Receipt:
        place = self.folder / f"{bundle.name}.receipt.json"
        eventually(place.exists)
        return decode_document(place.read_bytes(), Receipt)

    @property
    def details(self) -> list[tuple[str, str]]:
        return [(one.reason, one.detail.partition(".tar: ")[2]) for one in self.quarantined.values()]


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Server] = []

    def begin(settle_s: float = 0) -> Server:
        started.append(Server(tmp_path / "imports", settle_s))
        started[-1].pipeline.start()
        eventually(lambda: started[-1].pipeline.connected)
        return started[-1]

    yield begin
    for server in started:
        server.pipeline.stop()


def bundle(folder: Path, messages: Sequence[tuple[str, bytes]], station: str = EVENT.station) -> Path:
    entries = tuple(
        BundleEntry(number=number, topic=topic, size=len(payload), sha256=message_sha256(topic, payload))
        for number, (topic, payload) in enumerate(messages, 1)
    )
    manifest = Manifest(station=station, created_at=datetime.now(UTC), entries=entries)
    return write_bundle(folder, manifest, [payload for _, payload in messages])


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def drop(path: Path, server: Server) -> Path:
    return path.rename(server.folder / path.name)


def test_a_bundle_is_replaced_by_its_receipt(start: Start, stick: Path) -> None:
    server = start()
    path = drop(bundle(stick, [GOOD] * 3), server)
    receipt = server.receipt(path)
    assert [one.number for one in receipt.entries] == [1, 2, 3]
    assert (receipt.station, receipt.refused, receipt.problems) == (EVENT.station, 0, ())
    eventually(lambda: not path.exists())
    assert len(server.intake.came) == 3


def test_a_damaged_message_is_quarantined_and_the_rest_is_kept(start: Start, stick: Path) -> None:
    server = start()
    path = bundle(stick, [GOOD, (TOPIC, b"a payload that will be changed"), GOOD])
    path.write_bytes(path.read_bytes().replace(b"will be changed", b"has been hurt!!"))
    receipt = server.receipt(drop(path, server))
    assert [one.number for one in receipt.entries] == [1, 3]
    assert receipt.refused == 1
    ((reason, detail),) = server.details
    assert reason == "hash"
    assert detail.startswith("message 2: ")
    assert receipt.problems == (detail,)
    (record,) = server.quarantined.values()
    assert (record.payload, record.topic, record.station) == (b"a payload that has been hurt!!", TOPIC, EVENT.station)


def test_a_truncated_bundle_gives_what_is_there_and_one_record_for_the_rest(start: Start, stick: Path) -> None:
    server = start()
    path = bundle(stick, [GOOD] * 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    receipt = server.receipt(drop(path, server))
    kept = len(receipt.entries)
    assert 0 < kept < 20
    assert receipt.refused == 20 - kept
    assert server.details == [
        ("size", f"the file ends early: {20 - kept} messages are missing, the first is number {kept + 1}")
    ]
    assert len(server.intake.came) == kept


def test_a_file_that_is_no_bundle_is_set_aside_with_its_reason(start: Start, stick: Path) -> None:
    server = start()
    path = bundle(stick, [GOOD])
    path.write_bytes(b"holiday pictures " * 100)
    path = drop(path, server)
    receipt = server.receipt(path)
    assert (receipt.station, receipt.entries) == (EVENT.station, ())
    assert "not a tar archive" in receipt.problems[0]
    eventually(lambda: path.with_name(f"{path.name}.refused").exists())
    assert not path.exists()
    assert [reason for reason, _ in server.details] == ["syntax"]


def test_messages_of_another_station_or_site_are_refused(start: Start, stick: Path) -> None:
    server = start()
    foreign = [("wildpost/v1/other-01/event", b"{}"), ("elsewhere/v1/lake-07/event", b"{}"), ("no topic", b"{}")]
    receipt = server.receipt(drop(bundle(stick, [*foreign, GOOD]), server))
    assert [one.number for one in receipt.entries] == [4]
    assert [reason for reason, _ in server.details] == ["station", "topic", "topic"]
    assert len(server.intake.came) == 1


def test_thousands_of_damaged_messages_do_not_fill_the_quarantine(start: Start, stick: Path) -> None:
    server = start()
    receipt = server.receipt(drop(bundle(stick, [("other/v1/a/event", b"x" * 20_000)] * 1000), server))
    assert (receipt.refused, len(receipt.problems)) == (1000, 20)
    assert len(server.quarantined) == 101
    assert receipt.problems[0] == "900 more messages are damaged"


def test_links_and_folders_are_not_followed_and_hold_up_nothing(start: Start, stick: Path, tmp_path: Path) -> None:
    server = start()
    secret = bundle(stick, [GOOD])
    (server.folder / "0-link.wildpost.tar").symlink_to(secret)
    (server.folder / "1-folder.wildpost.tar").mkdir()
    path = drop(bundle(stick, [GOOD, GOOD]), server)
    assert len(server.receipt(path).entries) == 2
    eventually((server.folder / "0-link.wildpost.tar.refused").is_symlink)
    eventually((server.folder / "1-folder.wildpost.tar.refused").is_dir)
    assert server.pipeline.problem == ""
    assert secret.exists()
    assert len(server.intake.came) == 2


def test_a_file_that_is_still_being_copied_is_left_alone(start: Start, stick: Path) -> None:
    server = start(settle_s=30)
    path = bundle(stick, [GOOD] * 10)
    whole = path.read_bytes()
    growing = server.folder / path.name
    for size in (100, 1000, 4000, len(whole) - 3000):
        growing.write_bytes(whole[:size])
        threading.Event().wait(0.1)
    assert [one.name for one in server.folder.iterdir()] == [path.name]
    assert server.intake.came == []
    growing.write_bytes(whole)
    assert len(server.receipt(path).entries) == 10


def test_no_receipt_is_written_before_the_quarantine_has_what_is_damaged(start: Start, stick: Path) -> None:
    server = start()
    server.refuses = True
    path = drop(bundle(stick, [GOOD, ("other/v1/a/event", b"x")]), server)
    eventually(lambda: "the casebook is locked" in server.pipeline.problem)
    assert list(server.folder.iterdir()) == [path]
    server.refuses = False
    assert len(server.receipt(path).entries) == 1
    eventually(lambda: server.pipeline.problem == "")


def test_a_folder_that_another_process_takes_in_is_left_to_it_until_it_ends(tmp_path: Path, stick: Path) -> None:
    other = FolderLock(tmp_path / "imports")
    assert other.acquire()
    server = Server(tmp_path / "imports")
    server.pipeline.start()
    path = drop(bundle(stick, [GOOD]), server)
    threading.Event().wait(0.2)
    assert path.exists()
    assert not server.pipeline.connected
    other.release()
    assert len(server.receipt(path).entries) == 1
    server.pipeline.stop()


def test_a_new_connection_to_the_broker_drops_no_message_of_a_bundle(start: Start, stick: Path) -> None:
    server = start()
    with server.pipeline.paused(10):
        path = drop(bundle(stick, [GOOD] * 1400), server)
        eventually(lambda: server.source._delivery.unacknowledged == 1400)
        server.pipeline._buffer.drop_redelivered()  # as the receiver does when the broker sends everything again
    assert len(server.receipt(path).entries) == 1400
    assert len(server.intake.came) == 1400


def test_an_attempt_that_failed_half_way_confirms_nothing_of_the_next(start: Start, stick: Path) -> None:
    server = start()
    server.refuses = True
    with server.pipeline.paused(10):
        path = drop(bundle(stick, [GOOD] * 500 + [("other/v1/a/event", b"x"), GOOD]), server)
        eventually(lambda: "the casebook is locked" in server.pipeline.problem)
        server.refuses = False
        threading.Event().wait(0.2)
        assert server.source._delivery.unacknowledged == 500, "the second attempt waits for the messages of the first"
    assert len(server.receipt(path).entries) == 501
    assert len(server.intake.came) == 1001
