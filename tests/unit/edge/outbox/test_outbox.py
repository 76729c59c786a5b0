"""The outbox keeps all or nothing, in order, and what it gives up for want of room is never a finding."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.capture.clip import FileMark
from edge.outbox.outbox import Outbox, OutboxError, OutboxFull, OutboxMessage

MARK = FileMark("one.jpg", 1, 2, 1, finished=True)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite", media_quota_bytes=1000)
    yield opened
    opened.close()


def small_disk(outbox: Outbox, more_pages: int) -> None:
    """Let the file grow by so many pages and no further: SQLite then reports a full disk."""
    pages = outbox._connection.execute("PRAGMA page_count").fetchone()[0]
    outbox._connection.execute(f"PRAGMA max_page_count = {pages + more_pages}")


def room_again(outbox: Outbox) -> None:
    outbox._connection.execute("PRAGMA max_page_count = 1000000")


def media(size: int, name: str = "media") -> OutboxMessage:
    return OutboxMessage(name, b"m" * size, priority=3, media=True)


def test_what_is_kept_is_there_after_opening_again(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.commit([OutboxMessage("event", b"1"), media(1)], MARK, events=1)
    first.close()
    again = Outbox(tmp_path / "outbox.sqlite")
    assert [message.topic for message in again.waiting(9)] == ["event", "media"]
    assert again.mark_of("one.jpg", 1, 2) == MARK
    assert again.count("events") == 1
    again.close()


def test_every_commit_is_on_the_disk_before_it_returns(outbox: Outbox) -> None:
    assert outbox._connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert outbox._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_the_urgent_goes_before_an_older_backlog(outbox: Outbox) -> None:
    outbox.commit([media(1), OutboxMessage("event", b"old", priority=1), OutboxMessage("health", b"", priority=2)])
    outbox.commit([OutboxMessage("event", b"person", priority=0)])
    assert [message.payload for message in outbox.waiting(9)] == [b"person", b"old", b"", b"m"]
    assert [message.payload for message in outbox.waiting(2, {outbox.waiting(1)[0].number})] == [b"old", b""]


def test_beyond_the_quota_the_oldest_media_go_and_are_counted(outbox: Outbox) -> None:
    for number in range(5):
        outbox.commit([OutboxMessage("event", b"e" * 500, priority=1), media(400, f"media {number}")])
    topics = [message.topic for message in outbox.waiting(99)]
    assert topics == ["event"] * 5 + ["media 3", "media 4"]
    assert outbox.count("evicted_media") == 3


def test_without_room_a_finding_takes_the_place_of_media_that_wait(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for number in range(10):
        outbox.commit([media(20_000, f"media {number}")])
    small_disk(outbox, 2)
    for _ in range(20):
        outbox.commit([OutboxMessage("event", b"e" * 3000)])
    topics = [message.topic for message in outbox.waiting(99)]
    assert topics.count("event") == 20
    assert topics[-1] == "media 9", "the newest stay"
    assert outbox.count("evicted_media") == 10 - topics.count("media 9") - len(topics[20:-1]) > 0
    outbox.close()


def test_without_any_room_nothing_is_kept_half_and_all_is_well_when_there_is_room(outbox: Outbox) -> None:
    outbox.commit([OutboxMessage("event", b"first")])
    small_disk(outbox, 0)
    with pytest.raises(OutboxFull, match=r"outbox\.sqlite.*make room"):
        outbox.commit([OutboxMessage("event", b"e" * 100_000), media(10)], MARK, events=1)
    assert [message.payload for message in outbox.waiting(9)] == [b"first"]
    assert outbox.mark_of("one.jpg", 1, 2) is None, "the capture is taken up again"
    assert outbox.count("events") == 0
    room_again(outbox)
    outbox.commit([OutboxMessage("event", b"e" * 100_000)], MARK, events=1)
    assert len(outbox) == 2
    assert outbox.count("events") == 1


def test_a_file_that_is_no_outbox_is_named(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"no database at all, but long enough for a header" * 10)
    with pytest.raises(OutboxError, match=r"outbox\.sqlite.*move the file away"):
        Outbox(path)


def test_what_is_acknowledged_waits_no_more_but_stays_until_it_is_forgotten(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.commit([OutboxMessage("event", b"1", priority=0), OutboxMessage("event", b"2", priority=0)])
    numbers = [message.number for message in first.waiting(9)]
    first.acknowledge(numbers)
    assert (len(first), first.waiting(9)) == (0, [])
    first.forget(numbers[:1])
    first.close()
    again = Outbox(tmp_path / "outbox.sqlite")
    again.commit([OutboxMessage("health", b"new", priority=2)])
    assert again.send_again() == 1
    assert [message.payload for message in again.waiting(9)] == [b"new", b"2"], "behind what is new"
    again.close()


def test_nothing_is_sent_a_third_time(outbox: Outbox) -> None:
    outbox.commit([OutboxMessage("event", b"1")])
    for times in (1, 0):
        outbox.acknowledge([message.number for message in outbox.waiting(9)])
        assert outbox.send_again() == times
    assert len(outbox) == 0


def test_media_that_the_broker_has_give_way_first_and_are_not_counted_as_missed(outbox: Outbox) -> None:
    outbox.commit([media(400, "old")])
    outbox.commit([media(400, "taken")])
    outbox.acknowledge([outbox.waiting(9)[1].number])
    outbox.commit([media(400, "new")])
    assert [message.topic for message in outbox.waiting(9)] == ["old", "new"]
    assert outbox.count("evicted_media") == 0


def test_an_outbox_of_the_first_release_is_brought_to_this_form_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    first = sqlite3.connect(path, isolation_level=None)
    first.executescript("""
        CREATE TABLE message (
            number INTEGER PRIMARY KEY AUTOINCREMENT, priority INTEGER NOT NULL, media INTEGER NOT NULL,
            topic TEXT NOT NULL, payload BLOB NOT NULL);
        CREATE INDEX message_in_order ON message (priority, number);
        CREATE TABLE file_mark (
            path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
            stretches INTEGER NOT NULL, finished INTEGER NOT NULL);
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
        INSERT INTO message (priority, media, topic, payload) VALUES (1, 0, 'event', 'old'), (0, 0, 'event', 'person');
        INSERT INTO file_mark VALUES ('one.jpg', 1, 2, 1, 1);
        INSERT INTO counter VALUES ('events', 2);
        PRAGMA user_version = 1;
    """)
    first.close()
    for _ in range(2):
        outbox = Outbox(path)
        assert [message.number for message in outbox.waiting(9)] == [2, 1]
        assert outbox.mark_of("one.jpg", 1, 2) == MARK
        assert outbox.count("events") == 2
        outbox.close()


def test_an_outbox_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(OutboxError, match="version 99"):
        Outbox(path)
