"""Budget of the station's link: bytes per day and month, and quiet hours, in which media wait for later.

Events, health and all other reports are always sent, and count. Media and parts of originals wait while a budget is
used up, or in quiet hours, by the local time of the station.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from contract import HeldMedia, topic_of
from contract.bounds import is_representable
from contract.topics import Kind
from edge.outbox.outbox import Outbox, OutboxFull

LOG = logging.getLogger("wildpost.publisher")
WAITING_KINDS: tuple[Kind, ...] = ("media", "part")
MEGABYTE = 1_000_000
_MEMORY = "link usage"  # name in the outbox's memory
_SAVE_EVERY_S = 30.0  # each time is a flush of the card; a killed station forgets what it sent since
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MINUTES = 24 * 60

Megabytes = Annotated[float, Meta(ge=0, le=1_000_000)]
Reason = Literal["day", "month", "quiet hours"]


class LinkOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Budget of the link; the defaults limit nothing.

    Attributes:
        megabytes_per_day: Bytes that are sent on a local day before media wait until the next, in megabytes; 0: no
            limit.
        megabytes_per_month: Likewise for a calendar month.
        quiet_hours: Local times in which no media are sent, such as "22:00-06:00".
    """

    megabytes_per_day: Megabytes = 0
    megabytes_per_month: Megabytes = 0
    quiet_hours: Annotated[tuple[str, ...], Meta(max_length=10)] = ()

    def __post_init__(self) -> None:
        for span in self.quiet_hours:
            _minutes(span)


class Usage(Struct, frozen=True):
    """Bytes sent on the latest local day and in the latest month."""

    day: str = ""
    day_bytes: int = 0
    month: str = ""
    month_bytes: int = 0

    def with_sent(self, local: datetime, count: int) -> "Usage":
        """Return the usage after ``count`` more bytes; after a clock went back, the later day goes on."""
        day, month = f"{local:%Y-%m-%d}", f"{local:%Y-%m}"
        return Usage(
            max(day, self.day),
            count + (self.day_bytes if day <= self.day else 0),
            max(month, self.month),
            count + (self.month_bytes if month <= self.month else 0),
        )


class Hold(NamedTuple):
    """Why media wait, and until when by local time."""

    reason: Reason
    until: datetime


def hold(options: LinkOptions, usage: Usage, local: datetime) -> Hold | None:
    """Return why media wait at a local time, the reason that lasts longest; None: they are sent."""
    now = usage.with_sent(local, 0)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    holds = []
    if options.megabytes_per_month and now.month_bytes >= options.megabytes_per_month * MEGABYTE:
        holds.append(Hold("month", (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)))
    if options.megabytes_per_day and now.day_bytes >= options.megabytes_per_day * MEGABYTE:
        holds.append(Hold("day", midnight + timedelta(days=1)))
    minute = local.hour * 60 + local.minute
    for start, end in map(_minutes, options.quiet_hours):
        length, into = (end - start) % _MINUTES, (minute - start) % _MINUTES
        if into < length:
            until = local.replace(second=0, microsecond=0) + timedelta(minutes=length - into)
            holds.append(Hold("quiet hours", until))
    return max(holds, key=lambda one: one.until, default=None)


class LinkBudget:
    """Usage of the link of a running station; the publisher counts, and other threads may ask."""

    def __init__(
        self,
        options: LinkOptions,
        zone: tzinfo,
        topics: Sequence[str],
        outbox: Outbox,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Continue with the usage that the outbox remembers.

        Args:
            options: The budget.
            zone: Time zone of the station.
            topics: Topics whose messages wait; see ``waiting_topics``.
            outbox: Remembers the usage.
            now: The system clock.
            clock: Monotonic clock in seconds.
        """
        self._options, self._zone, self._topics, self._outbox = options, zone, topics, outbox
        self._now, self._clock = now, clock
        self._lock = threading.Lock()
        self._usage = remembered_usage(outbox)
        self._saved, self._saved_at = self._usage, clock()
        self._reason: Reason | None = None

    def count(self, size_bytes: int) -> None:
        """Count a message that is sent."""
        with self._lock:
            self._usage = self._usage.with_sent(self._local(), size_bytes)

    def paused_topics(self) -> Sequence[str]:
        """Return the topics on which nothing is sent now; the log says when that changes."""
        held = self.hold()
        reason = held.reason if held else None
        if held and reason != self._reason:
            LOG.info("media wait until %s: %s", held.until.isoformat(timespec="minutes"), describe_reason(held.reason))
        elif self._reason and not held:
            LOG.info("media are sent again")
        self._reason = reason
        return self._topics if held else ()

    def hold(self) -> Hold | None:
        """Return why media wait now; None: they are sent."""
        with self._lock:
            return hold(self._options, self._usage, self._local())

    def held_media(self) -> HeldMedia | None:
        """Return how much waits, why and until when, for a health message; None: nothing is held."""
        return held_media(self.hold(), self._outbox, self._topics)

    def save(self, at_once: bool = False) -> None:
        """Store the usage in the outbox, at most every half minute unless ``at_once`` is set."""
        if self._usage == self._saved or not (at_once or self._clock() - self._saved_at >= _SAVE_EVERY_S):
            return
        usage, self._saved_at = self._usage, self._clock()
        try:
            self._outbox.commit([], memory={_MEMORY: msgspec.json.encode(usage).decode()})
        except OutboxFull as full:
            LOG.error("%s; the use of the link is stored later", full)
        else:
            self._saved = usage

    def _local(self) -> datetime:
        return self._now().astimezone(self._zone)


def waiting_topics(prefix: str, station: str) -> tuple[str, ...]:
    """Return the topics whose messages wait for the budget."""
    return tuple(topic_of(prefix, station, kind) for kind in WAITING_KINDS)


def remembered_usage(outbox: Outbox) -> Usage:
    """Return the usage that an outbox remembers."""
    text = outbox.remembered(_MEMORY)
    return msgspec.json.decode(text, type=Usage) if text else Usage()


def held_media(held: Hold | None, outbox: Outbox, topics: Sequence[str]) -> HeldMedia | None:
    """Return how much waits in an outbox because of a hold; None without a hold."""
    if held is None or not is_representable(held.until):
        return None
    messages, size_bytes = outbox.unsent_size(topics)
    return HeldMedia(reason=held.reason, until=held.until, messages=messages, size=size_bytes)


def describe_reason(reason: Reason) -> str:
    """Return why media wait, for the log and for people."""
    return reason if reason == "quiet hours" else f"the budget of the {reason} is used up"


def _minutes(span: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"quiet_hours {span!r}: expected two times such as '22:00-06:00'")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise ValueError(f"quiet_hours {span!r}: expected two different times")
    return start, end
