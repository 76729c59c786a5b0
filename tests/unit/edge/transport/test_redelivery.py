"""What the broker acknowledged is forgotten once it has surely saved it, and sent again where it may not have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.redelivery import Redelivery


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    opened.commit([OutboxMessage("event", b"1"), OutboxMessage("event", b"2")])
    yield opened
    opened.close()


def kept(outbox: Outbox) -> int:
    return int(outbox._connection.execute("SELECT count(*) FROM message").fetchone()[0])


def test_a_line_that_holds_lets_go_of_what_was_acknowledged(outbox: Outbox) -> None:
    clock = Clock()
    acknowledged = Redelivery(outbox, 60, clock)
    for number in (1, 2):
        acknowledged.acknowledge(number)
        acknowledged.flush()
        clock.now += 40
    assert (kept(outbox), len(outbox)) == (2, 0)
    acknowledged.flush()
    assert kept(outbox) == 1, "the first is 80 s old, the second 40"
    clock.now += 40
    acknowledged.flush()
    assert kept(outbox) == 0


def test_after_a_break_what_is_young_is_sent_again(outbox: Outbox) -> None:
    clock = Clock()
    acknowledged = Redelivery(outbox, 60, clock)
    acknowledged.acknowledge(1)
    acknowledged.flush()
    clock.now += 70
    acknowledged.acknowledge(2)
    acknowledged.flush()
    assert acknowledged.connection_lost() == 1
    assert [message.payload for message in outbox.waiting(9)] == [b"2"]
    clock.now += 70
    acknowledged.flush()
    assert len(outbox) == 1, "what is to be sent again is not forgotten by an old date"


def test_none_is_kept_where_nothing_is_to_be_sent_again(outbox: Outbox) -> None:
    acknowledged = Redelivery(outbox, 0)
    acknowledged.acknowledge(1)
    acknowledged.flush()
    assert kept(outbox) == 1
    assert acknowledged.connection_lost() == 0


def test_without_room_what_was_acknowledged_is_remembered(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.outbox.outbox import OutboxFull

    def full(numbers: list[int]) -> None:
        raise OutboxFull("no room")

    acknowledged = Redelivery(outbox, 60)
    acknowledged.acknowledge(1)
    with monkeypatch.context() as without_room:
        without_room.setattr(outbox, "acknowledge", full)
        with pytest.raises(OutboxFull):
            acknowledged.flush()
    assert acknowledged.unrecorded == [1]
    acknowledged.flush()
    assert [message.number for message in outbox.waiting(9)] == [2]
