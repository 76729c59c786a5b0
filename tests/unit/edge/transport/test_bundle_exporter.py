"""An export writes each message once to the stick, in order, within its limits, and deletes what receipts confirm."""

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.bundle.documents import Receipt, ReceivedEntry, encode_document
from contract.bundle.reader import BundleReader
from contract.errors import Undelivered
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.bundle.exporter import BundleExporter, BundleOptions

TOPIC = "wildpost/v1/lake-07/event"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


def exporter(stick: Path, outbox: Outbox, max_bytes: int = 10_000_000) -> BundleExporter:
    return BundleExporter(BundleOptions(folder=str(stick), max_bytes=max_bytes), "lake-07", outbox, "1")


def payloads(path: Path) -> list[bytes]:
    with BundleReader(path) as bundle:
        return [one.payload for one in bundle.entries() if one.reason is None]


def confirm(path: Path, but: tuple[int, ...] = (), station: str = "lake-07") -> Path:
    """Write the receipt of a server that has stored a bundle, except for some numbers."""
    with BundleReader(path) as bundle:
        entries = tuple(
            ReceivedEntry(number=entry.number, sha256=entry.sha256)
            for entry in bundle.manifest.entries
            if entry.number not in but
        )
    receipt = Receipt(station=station, bundle=path.name, received_at=datetime.now(UTC), entries=entries)
    place = path.with_name(f"{path.name}.receipt.json")
    place.write_bytes(encode_document(receipt))
    return place


def test_unsent_messages_are_written_in_sending_order_and_stay_in_the_outbox(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"media", 3, media=True), OutboxMessage(TOPIC, b"animal", 1)])
    outbox.commit([OutboxMessage(TOPIC, b"person", 0)])
    report = exporter(stick, outbox).export()
    assert (report.messages, report.left_out, report.confirmed) == (3, 0, 0)
    assert payloads(report.written[0]) == [b"person", b"animal", b"media"]
    assert len(outbox) == 3


def test_a_second_export_writes_only_what_is_new(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"1")])
    exporter(stick, outbox).export()
    assert exporter(stick, outbox).export().written == ()
    outbox.commit([OutboxMessage(TOPIC, b"2")])
    report = exporter(stick, outbox).export()
    assert (report.already_there, [payloads(path) for path in report.written]) == (1, [[b"2"]])


def test_what_a_damaged_bundle_on_the_stick_lost_is_written_again(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, bytes([number]) * 1000) for number in range(4)])
    (first,) = exporter(stick, outbox).export().written
    first.write_bytes(first.read_bytes()[:-3000])  # pulled out too early
    (second,) = exporter(stick, outbox).export().written
    assert payloads(first) + payloads(second) == [bytes([number]) * 1000 for number in range(4)]


def test_a_receipt_deletes_what_it_lists_and_the_bundle(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"1"), OutboxMessage(TOPIC, b"2"), OutboxMessage(TOPIC, b"3")])
    (first,) = exporter(stick, outbox).export().written
    receipt = confirm(first, but=(2,))
    report = exporter(stick, outbox).export()
    assert report.confirmed == 2
    assert [message.payload for message in outbox.waiting(9)] == [b"2"]
    assert not first.exists()
    assert not receipt.exists()
    assert [payloads(path) for path in report.written] == [[b"2"]], "what was not confirmed is written again"


def test_a_receipt_for_other_messages_of_the_same_numbers_deletes_nothing(
    stick: Path, outbox: Outbox, tmp_path: Path
) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"of the old outbox")])
    (first,) = exporter(stick, outbox).export().written
    confirm(first)
    new = Outbox(tmp_path / "new.sqlite")
    new.commit([OutboxMessage(TOPIC, b"of the new outbox")])
    report = exporter(stick, new).export()
    assert (report.confirmed, len(new), report.messages) == (0, 1, 1)
    new.close()


def test_bundles_and_receipts_of_other_stations_are_left_alone(stick: Path, outbox: Outbox, tmp_path: Path) -> None:
    other = Outbox(tmp_path / "other.sqlite")
    other.commit([OutboxMessage(TOPIC, b"theirs")])
    (theirs,) = BundleExporter(BundleOptions(folder=str(stick)), "lake-07-b", other).export().written
    receipt = confirm(theirs, station="lake-07-b")
    outbox.commit([OutboxMessage(TOPIC, b"ours")])
    report = exporter(stick, outbox).export()
    assert (report.messages, report.confirmed) == (1, 0)
    assert theirs.exists()
    assert receipt.exists()
    other.close()


def test_a_broken_receipt_is_named_and_deletes_nothing(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"1")])
    (first,) = exporter(stick, outbox).export().written
    receipt = confirm(first)
    receipt.write_bytes(receipt.read_bytes()[:50])
    report = exporter(stick, outbox).export()
    assert (report.confirmed, len(outbox), report.already_there) == (0, 1, 1)
    assert receipt.name in report.problems[0]


def test_more_than_one_bundle_may_hold_is_split_and_none_is_larger(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, bytes([number]) * 3_000_000) for number in range(8)])
    report = exporter(stick, outbox, 10_000_000).export()
    assert [len(payloads(path)) for path in report.written] == [3, 3, 2]
    assert all(path.stat().st_size <= 10_000_000 for path in report.written)
    assert [payload[0] for path in report.written for payload in payloads(path)] == list(range(8))


def test_many_small_messages_do_not_exceed_the_size_either(stick: Path, outbox: Outbox) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"") for _ in range(20_000)])
    report = exporter(stick, outbox, 10_000_000).export()
    assert sum(len(payloads(path)) for path in report.written) == 20_000
    assert all(path.stat().st_size <= 10_000_000 for path in report.written)


def test_a_full_stick_gets_the_most_urgent_and_the_rest_is_counted(
    stick: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.commit([OutboxMessage(TOPIC, b"m" * 500_000, 3), OutboxMessage(TOPIC, b"person", 0)])
    usage = shutil.disk_usage(stick)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_100_000))
    report = exporter(stick, outbox).export()
    assert [payloads(path) for path in report.written] == [[b"person"]]
    assert report.left_out == 1


def test_a_missing_stick_and_a_second_export_are_named(stick: Path, outbox: Outbox) -> None:
    with pytest.raises(Undelivered, match=r"gone: No such file.*is the stick plugged in"):
        exporter(stick / "gone", outbox).export()
    handle = os.open(stick, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Undelivered, match="another export is writing there"):
        exporter(stick, outbox).export()
    os.close(handle)


def test_what_a_killed_export_left_is_removed(stick: Path, outbox: Outbox) -> None:
    (stick / ".lake-07-20260101T000000Z-000000000000.wildpost.tar.part").write_bytes(b"half")
    (stick / "holiday.jpg").write_bytes(b"somebody's")
    outbox.commit([OutboxMessage(TOPIC, b"1")])
    report = exporter(stick, outbox).export()
    assert sorted(path.name for path in stick.iterdir()) == ["holiday.jpg", report.written[0].name]


def test_a_station_that_stores_meanwhile_loses_nothing(stick: Path, outbox: Outbox) -> None:
    stop = threading.Event()

    def store() -> None:
        while not stop.is_set():
            outbox.commit([OutboxMessage(TOPIC, os.urandom(20))])

    storing = threading.Thread(target=store)
    storing.start()
    one = exporter(stick, outbox)
    for _ in range(20):
        for path in one.export().written:
            confirm(path)
    stop.set()
    storing.join()
    for path in one.export().written:
        confirm(path)
    one.export()
    assert len(outbox) == 0
    assert list(stick.iterdir()) == []
