"""Held back messages survive a restart, in their order, and leave nothing behind."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.receive.batch import ReceivedMessage
from ingest.receive.spool import spool as spool_module
from ingest.receive.spool.spool import Spool

NOW = datetime(2026, 4, 12, 1, 0, 0, 123_456, tzinfo=UTC)


def messages(count: int, station: str = "lake-07", start: int = 0) -> list[ReceivedMessage]:
    return [
        ReceivedMessage(f"wildpost/v1/{station}/event", f"{number} ü".encode(), NOW + timedelta(seconds=number))
        for number in range(start, start + count)
    ]


def taken(spool: Spool, station: str = "lake-07", at_once: int = 7) -> list[ReceivedMessage]:
    """Take all messages of a station, as a reader does: files are deleted once they are processed."""
    found: list[ReceivedMessage] = []
    while station in spool:
        if some := spool.take(station, at_once, 10**9):
            found += some
        else:
            spool.forget(station)
    return found


def test_messages_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "server")
    spool.append([("lake-07", messages(20)), ("lake-08", messages(3, "lake-08"))])
    spool.append([("lake-07", messages(5, start=20))])
    assert sorted(spool.stations()) == ["lake-07", "lake-08"]
    assert taken(spool) == messages(25)
    assert taken(spool, "lake-08") == messages(3, "lake-08")
    assert list((tmp_path / "server").iterdir()) == []
    assert spool.size == 0


def test_messages_survive_a_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path / "server")
    first.append([("lake-07", messages(20))])
    first.take("lake-07", 5, 10**9)  # not known to be processed, so they come again
    first.close()
    again = Spool(tmp_path / "server")
    again.append([("lake-07", messages(5, start=20))])
    assert taken(again) == messages(25)


def test_a_message_that_was_not_written_completely_is_left_out_and_later_ones_are_read(tmp_path: Path) -> None:
    first = Spool(tmp_path / "server")
    first.append([("lake-07", messages(20))])
    first.close()
    (file,) = (tmp_path / "server").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    again = Spool(tmp_path / "server")
    again.append([("lake-07", messages(5, start=20))])
    assert taken(again) == messages(19) + messages(5, start=20)
    assert list((tmp_path / "server").iterdir()) == []


def test_a_damaged_message_ends_its_file_and_not_the_others(tmp_path: Path) -> None:
    first = Spool(tmp_path / "server")
    first.append([("lake-07", messages(20))])
    first.close()
    (file,) = (tmp_path / "server").iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    again = Spool(tmp_path / "server")
    again.append([("lake-07", messages(1, start=20))])
    assert taken(again) == messages(19) + messages(1, start=20)


def test_files_are_deleted_while_later_ones_are_still_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_SEGMENT_BYTES", 100)
    spool = Spool(tmp_path / "server")
    for number in range(10):
        spool.append([("lake-07", messages(5, start=5 * number))])
    assert len(list((tmp_path / "server").iterdir())) == 10
    assert spool.take("lake-07", 100, 10**9) == messages(5)
    assert spool.take("lake-07", 100, 10**9) == []
    spool.forget("lake-07")
    assert len(list((tmp_path / "server").iterdir())) == 9
    assert taken(spool) == messages(45, start=5)


def test_a_file_with_messages_to_be_read_is_not_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "server")
    spool.append([("lake-07", messages(2))])
    assert spool.take("lake-07", 10, 10**9) == messages(2)
    spool.append([("lake-07", messages(1, start=2))])
    spool.forget("lake-07")
    assert taken(spool) == messages(1, start=2)


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder)
    spool.append([("lake-07", messages(1))])
    spool.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


def test_a_spool_at_its_limit_has_no_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "server")
    assert spool.has_room(1)
    spool.append([("lake-07", messages(1))])
    assert not spool.has_room(spool.size)
    assert spool.has_room(spool.size + 1)
    spool.close()


def test_the_messages_of_a_client_id_that_is_no_longer_used_are_taken_over(tmp_path: Path) -> None:
    former = Spool(tmp_path / "former")
    former.append([("lake-07", messages(20))])
    former.close()
    now = Spool(tmp_path / "server")
    now.append([("lake-07", messages(5, start=20))])
    assert taken(now) == messages(25)
    assert list((tmp_path / "former").iterdir()) == []
    now.close()


def test_the_messages_of_another_process_are_left_to_it(tmp_path: Path) -> None:
    other = Spool(tmp_path / "worker-2")
    other.append([("lake-07", messages(20))])
    now = Spool(tmp_path / "worker-1")
    assert now.stations() == []
    assert taken(other) == messages(20)
    now.close()
    other.close()
