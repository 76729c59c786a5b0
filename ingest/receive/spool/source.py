"""Holds back the messages of stations that are over their budget, and delivers them behind those of the others."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from contract.codec import LIMIT_BYTES, PACKED
from contract.supervision import SupervisedThread, Supervisor
from ingest.budgets.options import EXCERPTS, BudgetOptions
from ingest.budgets.station_usage import StationUsage
from ingest.budgets.tally import BudgetTally, station_of
from ingest.budgets.token_bucket import TokenBuckets
from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.port import Acknowledge
from ingest.receive.spool.delivery import SpoolDelivery
from ingest.receive.spool.live_copies import LiveCopies
from ingest.receive.spool.spool import Spool

LOG = logging.getLogger("wildpost.spool")
_QUEUED_BYTES = 32_000_000  # received and not yet on disk; beyond it, the network thread waits
_LOOK_S = 0.1
_ROOM_CHECK_S = 1.0
_RETRY_S = 30.0  # after a disk error, nothing is held back for this long
_TOGETHER = 1000  # portions written and made durable together

_LIMITS: Mapping[str, int] = {str(kind): limit for kind, limit in LIMIT_BYTES.items()}


class _Diverted(msgspec.Struct, frozen=True, gc=False):
    """Messages of one station on their way to the disk; ``messages`` is empty for those that are dropped."""

    station: str
    messages: Sequence[BufferedMessage]
    dropped: Sequence[BufferedMessage]
    acknowledge: Acknowledge
    size: int


class SpoolSource:
    """Durable queue beside the main path of messages; implements ``MessageSource``.

    A receiver passes all messages through ``divert``. Those of a station over its budget are written to disk and
    acknowledged at once, so that the broker's queue, which is common to all stations, does not fill with them. They
    are delivered in small portions while other stations send, and at full speed otherwise.
    """

    def __init__(
        self,
        folder: Path,
        options: BudgetOptions,
        tally: BudgetTally,
        live: LiveCopies,
        clock: Callable[[], float] = time.monotonic,
        supervisor: Supervisor | None = None,
    ) -> None:
        """Open the spool without starting the threads; see ``start``.

        Args:
            folder: Folder of the spool, used by this process alone.
            options: Budgets.
            tally: Counts what is held back and dropped.
            live: Delivers copies of recent flagged captures ahead of the spool.
            clock: Monotonic clock in seconds.
            supervisor: Register of the failures of the two threads.
        """
        self._spool = Spool(folder)
        self._limit_bytes = options.spool_megabytes * 1_000_000
        self._usage = StationUsage(options, clock)
        doubtful = (1 + EXCERPTS) * options.quarantine_per_hour  # as many as the quarantine keeps
        self._doubtful = TokenBuckets(doubtful / 3600, doubtful, clock)
        self._tally = tally
        tally.spool_bytes.set_function(lambda: self.size)
        self._live = live
        self._clock = clock
        self._buffer: MessageBuffer  # set by ``start``
        self._stopping = threading.Event()  # replaced by the pipeline's
        self._arrived: queue.SimpleQueue[_Diverted] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the two fields below
        self._queued_bytes = 0
        self._pending: dict[str, int] = {}  # stations with messages on their way to the disk
        self._delivery = SpoolDelivery(self._spool, clock, self._fail)
        self._room_checked_at = float("-inf")
        self._has_room = True
        self._failure = ""
        self._failed_at = float("-inf")
        self._supervisor = supervisor
        self._threads: list[SupervisedThread] = []

    @property
    def connected(self) -> bool:
        """Always True: the spool is a folder of this process; see ``MessageSource.connected``."""
        return True

    @property
    def problem(self) -> str:
        """Why messages are not held back at present, as text; see ``MessageSource.problem``."""
        return self._failure if self._clock() - self._failed_at < _RETRY_S else ""

    @property
    def size(self) -> int:
        """Bytes of held back messages on disk."""
        return self._spool.size

    @property
    def all_written(self) -> bool:
        """Whether all messages to be held back are on disk and acknowledged."""
        return not self._pending

    @property
    def idle_s(self) -> float:
        """Seconds since the spool became empty; 0 while it is not; see ``MessageSource.idle_s``."""
        return 0.0 if self._pending or self._spool.stations() else time.monotonic() - self._delivery.done_at

    def divert(self, some: Sequence[BufferedMessage], acknowledge: Acknowledge) -> Sequence[BufferedMessage]:
        """Take the messages of stations over their budget, and return the others in their order.

        Args:
            some: Messages as they arrived.
            acknowledge: Called with messages that are on disk, or of no worth, from another thread.
        """
        by_station: dict[str, list[BufferedMessage]] = {}
        for one in some:
            by_station.setdefault(station_of(one.message.topic), []).append(one)
        admitted: list[BufferedMessage] = []
        for station, messages in by_station.items():
            size = sum([len(one.message.payload) for one in messages])
            over = self._usage.add(station, len(messages), size)
            if (over or self._waits(station)) and self._may_hold():
                self._hold(station, messages, size, acknowledge)
            else:
                admitted += messages
        if admitted:
            self._delivery.note_others()
        return admitted

    def start(self, buffer: MessageBuffer, stopping: threading.Event, answer_s: float) -> None:
        """Start the threads, without waiting for ``answer_s``; see ``MessageSource.start``."""
        self._buffer, self._stopping = buffer, stopping
        for name, step in (("spool-write", self._write), ("spool-read", self._deliver)):
            self._threads.append(SupervisedThread(name, step, self._supervisor, stopping, daemon=True))
            self._threads[-1].start()

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Count messages of the current portion as durable; see ``MessageSource.acknowledge``."""
        self._delivery.acknowledge(batch)

    def stop(self) -> None:
        """Stop the threads; what is on disk is delivered after the next start; see ``MessageSource.stop``."""
        self._stopping.set()
        for thread in self._threads:
            thread.stop()
        self._spool.close()

    def _waits(self, station: str) -> bool:
        return station in self._pending or station in self._spool

    def _may_hold(self) -> bool:
        now = self._clock()
        if now - self._room_checked_at >= _ROOM_CHECK_S:
            self._room_checked_at = now
            self._has_room = not self.problem and self._spool.has_room(self._limit_bytes)
        return self._has_room

    def _hold(self, station: str, messages: list[BufferedMessage], size: int, acknowledge: Acknowledge) -> None:
        useful: list[BufferedMessage] = []
        dropped: list[BufferedMessage] = []
        for one in messages:
            keep = one.qos and (_may_be_valid(one.message) or self._doubtful.take(station))
            (useful if keep else dropped).append(one)
        if dropped:
            lost = [len(one.message.payload) for one in dropped]
            self._tally.add(station, unreadable=len(lost), unreadable_bytes=sum(lost))
        if useful:
            self._tally.add(station, held_back=len(useful), held_back_bytes=size)
        with self._lock:
            self._queued_bytes += size
            self._pending[station] = self._pending.get(station, 0) + 1
        self._arrived.put(_Diverted(station, useful, dropped, acknowledge, size))
        while self._queued_bytes > _QUEUED_BYTES and not self._stopping.wait(0.002):
            pass

    def _write(self) -> float:
        some = self._next_arrived()
        try:
            self._keep(some)
        finally:
            with self._lock:
                for one in some:
                    self._queued_bytes -= one.size
                    self._pending[one.station] -= 1
                    if not self._pending[one.station]:
                        del self._pending[one.station]
        return 0.0

    def _next_arrived(self) -> list[_Diverted]:
        some: list[_Diverted] = []
        try:
            some.append(self._arrived.get(timeout=_LOOK_S))
            while len(some) < _TOGETHER:
                some.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        return some

    def _keep(self, some: Sequence[_Diverted]) -> None:
        """Write messages to disk and acknowledge them; on a disk error, pass them on without holding them back."""
        by_station: dict[str, list[ReceivedMessage]] = {}
        for one in some:
            if one.messages:
                by_station.setdefault(one.station, []).extend(waiting.message for waiting in one.messages)
        try:
            self._spool.append(list(by_station.items()))
        except Exception as error:
            self._fail(f"messages over the budget of a station are not held back: {error}")
            for one in some:
                self._buffer.put(one.messages, self._stopping)
                one.acknowledge(one.dropped)
            if not isinstance(error, OSError):
                raise
            return
        for one in some:
            one.acknowledge([*one.messages, *one.dropped])
        for messages in by_station.values():
            self._live.offer(messages, self._buffer)

    def _fail(self, problem: str) -> None:
        self._failure, self._failed_at = problem, self._clock()
        LOG.error("%s", problem)

    def _deliver(self) -> float:
        return self._delivery.step(self._buffer, self._stopping)


def _may_be_valid(message: ReceivedMessage) -> bool:
    """Return whether a message may be readable, by its size and its first and last byte, without decoding it."""
    payload, kind = message.payload, message.topic.rpartition("/")[2]
    if not payload or len(payload) > _LIMITS.get(kind, 0):
        return False
    first = payload[0]
    if kind in PACKED:
        return first & 0xF0 == 0x80 or first in (0xDE, 0xDF)  # a map of MessagePack
    return first == 0x7B and payload[-1] == 0x7D  # "{" and "}"; our stations write no white space around them
