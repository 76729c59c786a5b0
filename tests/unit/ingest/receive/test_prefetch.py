"""The next batch is read while the one before is kept: in order, one ahead and no more, and faults are told."""

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from contract import encode
from contract.examples import EVENT
from ingest.receive import prefetch
from ingest.receive.batch import Batch, ReceivedMessage, read_batch
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.prefetch import Prefetcher
from tests.eventually import eventually

OPTIONS = ReceiverOptions(batch_messages=2)


@pytest.fixture
def room() -> MessageBuffer:
    return MessageBuffer(100, 1_000_000)


@pytest.fixture
def ahead(room: MessageBuffer) -> Iterator[Prefetcher]:
    stopping = threading.Event()
    yield Prefetcher(room, OPTIONS, stopping)
    stopping.set()


def put(room: MessageBuffer, *mids: int) -> None:
    arrived = ReceivedMessage("wildpost/v1/lake-07/event", encode(EVENT), datetime.now(UTC))
    room.put([BufferedMessage(arrived, mid, 1, 1) for mid in mids], threading.Event())


def test_batches_come_in_order_and_read(room: MessageBuffer, ahead: Prefetcher) -> None:
    put(room, 1, 2, 3, 4, 5)
    ahead.start()
    came: list[list[int]] = []
    while len(came) < 3:
        if found := ahead.next(5):
            waiting, batch = found
            assert batch is not None
            assert batch.received == len(waiting)
            assert [one.record for one in batch.records] + [one.detail for one in batch.unusable]
            came.append([one.mid for one in waiting])
    assert came == [[1, 2], [3, 4], [5]]
    assert ahead.next(0.01) is None


def test_one_batch_is_read_ahead_and_the_next_grows_meanwhile(room: MessageBuffer, ahead: Prefetcher) -> None:
    put(room, 1)
    ahead.start()
    eventually(lambda: room._in_order.qsize() == 0)
    put(room, 2)
    time.sleep(0.3)  # nobody took the first: the second waits
    assert room._in_order.qsize() == 1
    put(room, 3)
    first, second = ahead.next(5), ahead.next(5)
    assert first
    assert second
    assert [[one.mid for one in found[0]] for found in (first, second)] == [[1], [2, 3]]


def test_messages_at_which_the_server_fails_are_handed_over_unread_and_the_next_are_read(
    room: MessageBuffer, ahead: Prefetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(arrived: Sequence[ReceivedMessage]) -> Batch:
        if len(arrived) == 2:
            raise LookupError("a fault of ours")
        return read_batch(arrived)

    monkeypatch.setattr(prefetch, "read_batch", broken)
    put(room, 1, 2, 3)
    ahead.start()
    first, second = ahead.next(5), ahead.next(5)
    assert first is not None and second is not None
    assert ([one.mid for one in first.messages], first.batch) == ([1, 2], None)
    assert [one.mid for one in second.messages] == [3] and second.batch is not None


def test_a_fault_of_the_thread_itself_loses_no_message(
    room: MessageBuffer, ahead: Prefetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_batch, failures = room.next_batch, [MemoryError()]

    def failing(*arguments: Any) -> list[BufferedMessage]:
        if failures:
            raise failures.pop()
        return next_batch(*arguments)

    monkeypatch.setattr(room, "next_batch", failing)
    put(room, 1)
    ahead.start()
    found = ahead.next(5)
    assert found is not None and [one.mid for one in found.messages] == [1]
