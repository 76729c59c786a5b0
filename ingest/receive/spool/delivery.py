"""Delivery of held back messages: in small portions while other stations send, and at full speed otherwise."""

import time
from collections.abc import Callable, Sequence
from threading import Event

from ingest.receive.batch import ReceivedMessage
from ingest.receive.local_delivery import LocalDelivery
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.spool.spool import Spool

_CONNECTION = -2  # marks messages of the spool; bundles have -1
_PORTION = 50  # messages delivered at first; afterwards as many as take the target time
_MOST = 1500
# At least so many: a portion costs a commit, and on a busy machine that alone may take longer than the target.
_LEAST_BESIDE_OTHERS, _LEAST_ALONE = 20, 200
_BYTES_BESIDE_OTHERS, _BYTES_ALONE = 500_000, 8_000_000
_BESIDE_OTHERS_S = 0.03  # target time of a portion while other stations send; an honest message may wait for it
_PAUSE = 3  # pause after such a portion, as a multiple of the time that it took: most messages then wait for none
_LONGEST_PAUSE_S = 1.0
_ALONE_S = 0.1  # of each of the two portions under way
_OTHERS_QUIET_S = 2.0
_LOOK_S = 0.1


class SpoolDelivery:
    """Delivers the messages of a spool to the buffer, and deletes them once they are durable."""

    def __init__(self, spool: Spool, clock: Callable[[], float], failed: Callable[[str], None]) -> None:
        """Create a delivery.

        Args:
            spool: The messages.
            clock: Monotonic clock in seconds.
            failed: Called with a description of what could not be read.
        """
        self._spool = spool
        self._clock = clock
        self._failed = failed
        self._delivery = LocalDelivery(_CONNECTION)
        self._portion = float(_PORTION)
        self._turn = 0  # station whose messages come first in the next portion
        self._others_at = float("-inf")
        self.done_at = time.monotonic()  # when the last file was deleted

    def note_others(self) -> None:
        """Note that a station within its budget has sent messages."""
        self._others_at = self._clock()

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Count messages of this delivery as durable; see ``MessageSource.acknowledge``."""
        self._delivery.acknowledge(batch)

    def step(self, buffer: MessageBuffer, stopping: Event) -> float:
        """Deliver one portion, or one of each station while others send; return the pause until the next step in s."""
        stations = self._spool.stations()
        if not stations:
            return _LOOK_S
        if self._clock() - self._others_at >= _OTHERS_QUIET_S:
            self._deliver_together(stations, buffer, stopping)
        else:
            for station in stations:
                took = self._deliver_one(station, buffer, stopping)
                if stopping.wait(min(_LONGEST_PAUSE_S, _PAUSE * took)):
                    break
        return 0.0

    def _deliver_one(self, station: str, buffer: MessageBuffer, stopping: Event) -> float:
        """Deliver a portion of one station, wait until it is durable, and return how long that took, in seconds."""
        began = self._clock()
        messages = self._take(station, max(_LEAST_BESIDE_OTHERS, int(self._portion)), _BYTES_BESIDE_OTHERS, stopping)
        self._delivery.put(messages, buffer, stopping)
        if self._delivery.wait(0, stopping) and not messages:
            self._forget([station])
        took = self._clock() - began
        self._adapt(len(messages), took, _BESIDE_OTHERS_S)
        return took if messages else 0.0

    def _deliver_together(self, stations: Sequence[str], buffer: MessageBuffer, stopping: Event) -> None:
        """Deliver a portion of several stations, and wait until the portion before it is durable."""
        began = self._clock()
        room = max(_LEAST_ALONE, int(self._portion))
        size = _BYTES_ALONE
        messages: list[ReceivedMessage] = []
        ended: list[str] = []
        first = self._turn % len(stations)
        for station in [*stations[first:], *stations[:first]]:
            if len(messages) >= room or size <= 0:
                break
            self._turn += 1
            share = max(1, min(room // len(stations), room - len(messages)))
            some = self._take(station, share, size, stopping)
            messages += some
            size -= sum([len(one.payload) for one in some])
            if not some:
                ended.append(station)
        self._delivery.put(messages, buffer, stopping)
        if self._delivery.wait(0 if ended else len(messages), stopping) and ended:
            self._forget(ended)
        else:
            self._adapt(len(messages), self._clock() - began, _ALONE_S)

    def _take(self, station: str, most: int, size: int, stopping: Event) -> list[ReceivedMessage]:
        try:
            return self._spool.take(station, most, size)
        except OSError as error:
            self._failed(f"held back messages of {station} cannot be read: {error}")
            stopping.wait(1)
            return []

    def _forget(self, stations: Sequence[str]) -> None:
        for station in stations:
            try:
                self._spool.forget(station)
            except OSError as error:
                self._failed(f"the file of held back messages of {station} cannot be deleted: {error}")
        self.done_at = time.monotonic()

    def _adapt(self, count: int, took: float, target_s: float) -> None:
        """Adapt the size of the next portion to the time that one took."""
        if took > target_s:
            self._portion = max(1.0, self._portion * max(0.3, target_s / took))
        elif count >= int(self._portion):
            self._portion = min(float(_MOST), self._portion * 1.5 + 1)
