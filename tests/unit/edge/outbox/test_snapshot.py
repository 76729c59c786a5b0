"""A snapshot of the outbox stays as it was while the station goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.outbox.outbox import Outbox, OutboxError, OutboxMessage
from edge.outbox.snapshot import OutboxSnapshot, UnsentMessage


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "out box?.sqlite")
    yield opened
    opened.close()


def test_unsent_messages_come_in_sending_order_without_the_acknowledged(outbox: Outbox) -> None:
    outbox.commit([OutboxMessage("media", b"mm", priority=3, media=True), OutboxMessage("event", b"e", priority=1)])
    outbox.commit([OutboxMessage("event", b"person"), OutboxMessage("health", b"", priority=2)])
    outbox.acknowledge([2])
    with OutboxSnapshot(outbox.path) as snapshot:
        unsent = list(snapshot.unsent())
        assert unsent == [UnsentMessage(3, "event", 6), UnsentMessage(4, "health", 0), UnsentMessage(1, "media", 2)]
        assert snapshot.message(2) == ("event", b"e")


def test_a_snapshot_does_not_change(outbox: Outbox) -> None:
    outbox.commit([OutboxMessage("event", b"old")])
    with OutboxSnapshot(outbox.path) as snapshot:
        outbox.commit([OutboxMessage("event", b"new")])
        outbox.forget([1])
        assert [one.number for one in snapshot.unsent()] == [1]
        assert snapshot.message(1) == ("event", b"old")
        assert snapshot.message(2) is None


def test_a_file_that_is_no_outbox_is_named(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"no database, but long enough for a header " * 10)
    with pytest.raises(OutboxError, match=r"outbox\.sqlite"):
        OutboxSnapshot(tmp_path / "outbox.sqlite")
    with pytest.raises(OutboxError, match=r"gone\.sqlite"):
        OutboxSnapshot(tmp_path / "gone.sqlite")
