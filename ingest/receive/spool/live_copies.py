"""Copies of recent flagged captures that overtake the held back messages of their own station."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from contract import Event, Malformed, decode
from ingest.budgets.options import LIVE_AT_ONCE, LIVE_HZ
from ingest.budgets.tally import station_of
from ingest.budgets.token_bucket import TokenBuckets
from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer

_FIELD = b'"captured_at":"'
_LONGEST = 40  # characters of a time


class LiveCopies:
    """Finds recent captures that a rule flags among held back messages, and delivers copies of them.

    Otherwise the alert of a shot would wait for the month's backlog of the same station. The original stays in the
    spool; the store recognises the event that it has already.
    """

    def __init__(
        self, live_minutes: float, urgent: Callable[[Event], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the finder.

        Args:
            live_minutes: Age of a capture that is no longer live; 0: there are no copies.
            urgent: Returns whether a capture may overtake.
            clock: Monotonic clock in seconds.
        """
        self._fresh = timedelta(minutes=live_minutes)
        self._urgent = urgent
        self._looks = TokenBuckets(LIVE_HZ, LIVE_AT_ONCE, clock)

    def offer(self, messages: Sequence[ReceivedMessage], buffer: MessageBuffer) -> int:
        """Deliver copies of the live captures among the messages of one station; return their number."""
        if not self._fresh:
            return 0
        now = datetime.now(UTC)
        copies = 0
        for message in messages:
            if (
                message.topic.endswith("/event")
                and self._is_recent(message.payload, now)
                and self._looks.take(station_of(message.topic))
                and self._is_urgent(message)
            ):
                copies += buffer.put_live(BufferedMessage(message, 0, 0, 0))
        return copies

    def _is_recent(self, payload: bytes, now: datetime) -> bool:
        """Return whether the capture time, which is read without decoding the message, is recent."""
        start = payload.find(_FIELD) + len(_FIELD)
        end = payload.find(b'"', start, start + _LONGEST)
        if start < len(_FIELD) or end < 0:
            return False
        try:
            return abs(now - datetime.fromisoformat(payload[start:end].decode())) <= self._fresh
        except (ValueError, TypeError, OverflowError):  # not a time, or one without an offset
            return False

    def _is_urgent(self, message: ReceivedMessage) -> bool:
        try:
            event = decode(message.topic, message.payload)
        except Malformed:
            return False
        return isinstance(event, Event) and self._urgent(event)
