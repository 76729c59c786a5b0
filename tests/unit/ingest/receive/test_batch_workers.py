"""Batches are stored abreast, judged and acknowledged in order; nothing after a batch that was given up is judged."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from contract import encode
from contract.errors import StoreUnavailable
from contract.examples import EVENT
from ingest.intake import BatchResult, StoredBatch
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.batch import Batch, ReceivedMessage
from ingest.receive.batch_workers import BatchWorkers
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.prefetch import Prefetcher
from ingest.store.port import WriteResult
from tests.eventually import eventually

OPTIONS = ReceiverOptions(batch_messages=1, retry_min_s=0.01, retry_max_s=0.02)


class Intake:
    """Stores two batches at once; each waits until it is let go, and the first may be refused first."""

    def __init__(self, max_concurrent_batches: int = 2) -> None:
        self.max_concurrent_batches = max_concurrent_batches
        self.begun: list[int] = []
        self.judged: list[int] = []
        self.acknowledged: list[int] = []
        self.may_end: dict[int, threading.Event] = {}
        self.refuse: Callable[[int], Exception | None] = lambda number: None
        self.refuse_judging: Callable[[int], Exception | None] = lambda number: None

    def store(self, batch: Batch) -> StoredBatch:
        number = self._number(batch)
        self.begun.append(number)
        if error := self.refuse(number):
            raise error
        if held := self.may_end.get(number):
            assert held.wait(10)
        return StoredBatch(number, WriteResult(new=1, repeated=0))

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        number = self._number(batch)
        assert stored.quarantined == number
        if error := self.refuse_judging(number):
            raise error
        self.judged.append(number)
        return BatchResult(received=1, stored=stored.written.new)

    def durable(self, some: Sequence[BufferedMessage]) -> None:
        self.acknowledged += [one.mid for one in some]

    @staticmethod
    def _number(batch: Batch) -> int:
        return batch.records[0].received_at.microsecond


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


@pytest.fixture
def running(stopping: threading.Event) -> Iterator[Callable[[Intake, int], BatchWorkers]]:
    started: list[BatchWorkers] = []

    def start(intake: Intake, messages: int) -> BatchWorkers:
        room = MessageBuffer(100, 1_000_000)
        ahead = Prefetcher(room, OPTIONS, stopping)
        lanes = BatchWorkers(intake, ahead, OPTIONS, stopping, IntakeMetrics(), intake.durable)
        started.append(lanes)
        for number in range(1, messages + 1):
            at = datetime(2026, 6, 1, microsecond=number, tzinfo=UTC)
            arrived = ReceivedMessage(f"wildpost/v1/{EVENT.station}/event", encode(EVENT), at)
            room.put([BufferedMessage(arrived, number, 1, 1)], stopping)
        ahead.start()
        lanes.start()
        return lanes

    yield start
    stopping.set()
    for lanes in started:
        lanes.join(10)


Running = Callable[[Intake, int], BatchWorkers]


def test_a_batch_that_is_stored_first_waits_for_the_one_that_came_first(intake: Intake, running: Running) -> None:
    intake.may_end = {1: threading.Event()}
    lanes = running(intake, 5)
    eventually(lambda: 2 in intake.begun)
    time.sleep(0.1)
    assert (intake.judged, intake.acknowledged) == ([], [])
    assert sorted(intake.begun) == [1, 2]
    intake.may_end[1].set()
    eventually(lambda: len(intake.acknowledged) == 5)
    assert intake.judged == intake.acknowledged == [1, 2, 3, 4, 5]
    assert lanes.totals == BatchResult(received=5, stored=5)


def test_a_store_of_one_writer_is_given_one_batch_after_the_other(running: Running) -> None:
    intake = Intake(max_concurrent_batches=1)
    intake.may_end = {1: threading.Event()}
    running(intake, 3)
    eventually(lambda: intake.begun)
    time.sleep(0.1)
    assert intake.begun == [1]
    intake.may_end[1].set()
    eventually(lambda: intake.acknowledged == [1, 2, 3])


def test_what_was_stored_is_not_stored_again_where_judging_has_to_be_tried_again(
    intake: Intake, running: Running
) -> None:
    refusals = [StoreUnavailable("the casebook is locked"), StoreUnavailable("still")]
    intake.refuse_judging = lambda number: refusals.pop() if number == 1 and refusals else None
    lanes = running(intake, 2)
    eventually(lambda: intake.acknowledged == [1, 2])
    assert sorted(intake.begun) == [1, 2]
    assert lanes.problem == ""


def test_a_refusal_is_told_until_it_is_over_and_holds_back_what_follows(intake: Intake, running: Running) -> None:
    refusing = True
    intake.refuse = lambda number: StoreUnavailable("no answer") if number == 1 and refusing else None
    lanes = running(intake, 3)
    eventually(lambda: intake.begun.count(1) > 2)
    assert lanes.problem == "nothing is acknowledged until this is resolved: no answer"
    assert (intake.judged, intake.acknowledged) == ([], [])
    assert lanes.silent_s < 1
    refusing = False
    eventually(lambda: intake.acknowledged == [1, 2, 3])
    assert lanes.problem == ""


def test_what_was_stored_after_a_batch_that_is_given_up_is_left_to_the_broker(
    intake: Intake, running: Running, stopping: threading.Event
) -> None:
    intake.refuse = lambda number: StoreUnavailable("no answer") if number == 1 else None
    lanes = running(intake, 2)
    eventually(lambda: 2 in intake.begun)
    stopping.set()
    lanes.join(10)
    assert not any(thread.name.startswith("intake") for thread in threading.enumerate())
    assert (intake.judged, intake.acknowledged) == ([], [])


def test_a_commit_that_hangs_is_noticed_although_the_other_thread_has_nothing_to_do(
    intake: Intake, running: Running
) -> None:
    intake.may_end = {1: threading.Event()}
    lanes = running(intake, 1)
    eventually(lambda: lanes.silent_s > 0.7)
    intake.may_end[1].set()
    eventually(lambda: lanes.silent_s < 0.5)


def test_while_it_is_held_still_no_batch_is_half_kept(intake: Intake, running: Running) -> None:
    intake.may_end = {1: threading.Event()}
    lanes = running(intake, 20)
    eventually(lambda: 2 in intake.begun)
    with pytest.raises(StoreUnavailable, match="did not finish its current batches in 0 s"), lanes.paused(0.05):
        pass
    threading.Timer(0.1, intake.may_end[1].set).start()
    with lanes.paused(10):
        kept = list(intake.judged)
        assert sorted(intake.begun) == kept == intake.acknowledged
        time.sleep(0.3)
        assert intake.judged == kept
        assert lanes.silent_s < 1
    eventually(lambda: len(intake.acknowledged) == 20)


def test_the_age_of_the_oldest_message_grows_while_it_is_not_stored(intake: Intake, running: Running) -> None:
    intake.may_end = {1: threading.Event()}
    lanes = running(intake, 1)
    eventually(lambda: intake.begun)
    eventually(lambda: lanes.oldest_s > 0.2)
    intake.may_end[1].set()
    eventually(lambda: intake.acknowledged == [1])
    eventually(lambda: lanes.oldest_s == 0)
