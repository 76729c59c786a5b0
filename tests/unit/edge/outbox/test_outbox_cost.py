"""The cost of the outbox does not grow with what waits in it, and the quota deletes what is worth least."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.capture.clip import FileMark
from edge.outbox.message import BLANK, HIGH, LOW, NORMAL, Worth
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.outbox.snapshot import OutboxSnapshot

TOPICS = ("wildpost/v1/a/event", "wildpost/v1/a/health", "wildpost/v1/a/media")
MANY = 4000


def fill(outbox: Outbox, pairs: int) -> None:
    connection = outbox._connection
    connection.execute("BEGIN")
    for number in range(pairs):
        row = "INSERT INTO message (topic, payload, priority, media, worth) VALUES (?, ?, ?, ?, ?)"
        connection.execute(row, [TOPICS[0], b"{}" * 50, 1, 0, 2])
        connection.execute(row, [TOPICS[2], b"m" * 300, 3, 1, number % 4])
    connection.execute("COMMIT")


def capture(size: int = 300, worth: Worth = NORMAL) -> list[OutboxMessage]:
    return [
        OutboxMessage(TOPICS[0], b"{}" * 50, priority=1),
        OutboxMessage(TOPICS[2], b"m" * size, priority=3, media=True, worth=worth),
    ]


def steps(outbox: Outbox, work: Callable[[], object]) -> int:
    """Return how many instructions SQLite's virtual machine ran for some work."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    outbox._connection.set_progress_handler(step, 1)
    try:
        work()
    finally:
        outbox._connection.set_progress_handler(None, 1)
    return count


def works(outbox: Outbox) -> dict[str, Callable[[], object]]:
    return {
        "commit": lambda: outbox.commit(capture(), FileMark("a.jpg", 1, 2, 1, True), memory={"a": "b"}, events=1),
        "len": lambda: len(outbox),
        "waiting": lambda: outbox.waiting(20, {1, 2}),
        "waiting with most of it held back": lambda: outbox.waiting(20, (), TOPICS[:1]),
        "count": lambda: outbox.count("set_aside"),
        "acknowledge": lambda: outbox.acknowledge([message.number for message in outbox.waiting(3)]),
        "send again": outbox.send_again,
        "forget": lambda: outbox.forget([message.number for message in outbox.waiting(3)]),
        "mark": lambda: outbox.mark_of("a.jpg", 1, 2),
    }


@pytest.fixture
def outboxes(tmp_path: Path) -> Iterator[tuple[Outbox, Outbox]]:
    small, large = Outbox(tmp_path / "small.sqlite"), Outbox(tmp_path / "large.sqlite")
    fill(small, 20)
    fill(large, MANY)
    yield small, large
    small.close()
    large.close()


def test_nothing_that_a_station_does_again_and_again_takes_longer_with_much_waiting(
    outboxes: tuple[Outbox, Outbox],
) -> None:
    small, large = outboxes
    for (name, with_little), with_much in zip(works(small).items(), works(large).values(), strict=True):
        little, much = steps(small, with_little), steps(large, with_much)
        assert 0 < much < 1.5 * little, f"{name}: {little} instructions with 20 waiting, {much} with {MANY}"


def test_making_room_for_one_medium_takes_the_same_however_many_wait(tmp_path: Path) -> None:
    took = []
    for pairs in (20, MANY):
        outbox = Outbox(tmp_path / f"{pairs}.sqlite", media_quota_bytes=300 * pairs)
        fill(outbox, pairs)
        took.append(steps(outbox, lambda kept=outbox: kept.commit(capture())))  # type: ignore[misc]
        assert outbox.count("evicted_media") == 1
        outbox.close()
    assert took[1] < 1.5 * took[0]


def test_no_query_scans_the_messages(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", media_quota_bytes=300 * 20)
    fill(outbox, 20)
    seen: set[str] = set()
    outbox._connection.set_trace_callback(seen.add)
    for work in works(outbox).values():
        work()
    outbox._connection.set_trace_callback(None)
    queries = [query for query in seen if query.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT"))]
    assert len(queries) > 10
    for query in queries:
        plan = [row[3] for row in outbox._connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        scans = [step for step in plan if step.startswith(("SCAN message", "SCAN visit", "SCAN file_mark"))]
        # A walk along the index of the quota ends as soon as enough is deleted.
        assert all("USING INDEX message_to_evict" in step for step in scans), f"{query}: {plan}"
        assert not [step for step in plan if "TEMP B-TREE" in step], f"{query}: {plan}"
    outbox.close()


def sums(outbox: Outbox) -> tuple[int, int]:
    query = "SELECT sum(acknowledged = 0), sum(CASE WHEN media THEN length(payload) ELSE 0 END) FROM message"
    unsent, size = outbox._connection.execute(query).fetchone()
    return unsent or 0, size or 0


def totals(outbox: Outbox) -> tuple[int, int]:
    unsent, size = outbox._connection.execute("SELECT unsent, media_bytes FROM total").fetchone()
    return int(unsent), int(size)


def test_the_running_totals_are_those_of_the_table_whatever_happened(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", media_quota_bytes=2000)
    for number in range(12):
        outbox.commit(capture(size=100 + 37 * number), events=1)
        if number % 3 == 0:
            outbox.acknowledge([message.number for message in outbox.waiting(2)])
        if number % 4 == 0:
            outbox.send_again()
        if number % 5 == 0:
            outbox.set_aside(outbox.waiting(1)[0], "too large", OutboxMessage(TOPICS[1], b"report", priority=2))
        assert totals(outbox) == sums(outbox)
        assert len(outbox) == len(outbox.waiting(999))
        assert totals(outbox)[1] <= 2000
    outbox.forget([message.number for message in outbox.waiting(999)])
    assert totals(outbox) == sums(outbox)
    outbox.close()


def test_delivered_media_go_first_then_blank_ones_then_those_of_low_worth(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", media_quota_bytes=500)
    worths: dict[str, Worth] = {"person": HIGH, "animal": NORMAL, "uncertain": LOW, "blank": BLANK, "delivered": HIGH}
    for name, worth in worths.items():
        outbox.commit([OutboxMessage(name, b"x" * 100, priority=3, media=True, worth=worth)])
    outbox.acknowledge([one.number for one in outbox.waiting(9) if one.topic == "delivered"])
    left = []
    for _ in range(4):
        outbox.commit([OutboxMessage("event", b"e", priority=1), *capture(100, HIGH)[1:]])
        left.append([one.topic for one in outbox.waiting(99) if one.topic in worths])
    assert left == [list(worths)[:number] for number in (4, 3, 2, 1)]
    assert outbox.count("evicted_media") == 3
    assert [one.topic for one in outbox.waiting(99)].count("event") == 4
    outbox.close()


def test_a_blank_picture_takes_no_place_of_an_animal_and_its_event_is_kept(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", media_quota_bytes=350)
    for _ in range(3):
        outbox.commit(capture(100, NORMAL))
    outbox.commit(capture(100, BLANK), events=1)
    kept = outbox.waiting(99)
    assert [(one.topic, one.worth) for one in kept if one.media] == [(TOPICS[2], NORMAL)] * 3
    assert len(kept) == 7, "with the event of the blank picture"
    assert outbox.count("evicted_media") == 1
    outbox.close()


def test_on_a_full_disk_no_medium_of_more_worth_is_deleted_for_a_blank_one(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for _ in range(4):
        outbox.commit(capture(20_000, HIGH))
    pages = outbox._connection.execute("PRAGMA page_count").fetchone()[0]
    outbox._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    outbox.commit(capture(20_000, BLANK))
    kept = outbox.waiting(99)
    assert [one.worth for one in kept if one.media] == [HIGH] * 4
    assert [one.topic for one in kept].count(TOPICS[0]) == 5
    assert outbox.count("evicted_media") == 1
    outbox.close()


def test_an_outbox_of_version_2_gets_totals_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(
            """
            CREATE TABLE message (
                number INTEGER PRIMARY KEY AUTOINCREMENT, priority INTEGER NOT NULL, media INTEGER NOT NULL,
                topic TEXT NOT NULL, payload BLOB NOT NULL,
                acknowledged INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE file_mark (
                path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
                stretches INTEGER NOT NULL, finished INTEGER NOT NULL);
            CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
            CREATE INDEX message_to_send ON message (acknowledged, again, priority, number);
            INSERT INTO message (topic, payload, priority, media, acknowledged) VALUES
                ('event', x'01', 1, 0, 0), ('media', x'0102', 3, 1, 0), ('media', x'010203', 3, 1, 1);
            PRAGMA user_version = 2;
            """
        )
    old.close()
    outbox = Outbox(path)
    assert totals(outbox) == sums(outbox) == (2, 5)
    assert [(one.topic, one.payload, one.worth) for one in outbox.waiting(9)] == [
        ("event", b"\x01", NORMAL),
        ("media", b"\x01\x02", NORMAL),
    ]
    with OutboxSnapshot(path) as snapshot:
        assert [one.topic for one in snapshot.unsent()] == ["event", "media"]
    outbox.close()
