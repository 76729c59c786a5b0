"""Limit on media whose event is not known: the event may still come, or never."""

import time
from collections.abc import Callable, Iterable, Sequence

from contract import MediaContent

_RECENT = 50_000  # ids of events remembered, so that media of stored events need no query
_DAY_S = 24 * 3600.0  # after this, media count as stored for good and no longer against the limit
_RECHECK_S = 5.0
_SHARE = 10  # a station below this part of its limit is not restricted by the limit for all stations
_ALL = 5  # limit for all stations, as a multiple of the limit for one

Key = tuple[str, str]  # event id and hash


class UnclaimedMedia:
    """Accepts media of stored events without limit, and other media up to a limit by station and in all.

    An honest station loses nothing: its events are stored before their media or soon after, and before anything is
    dropped, the store is asked. Not thread-safe.
    """

    def __init__(
        self,
        known: Callable[[Sequence[str]], Iterable[str]],
        limit_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the limit without any waiting media; a restart begins anew.

        Args:
            known: Returns those of the given event ids that are in the store.
            limit_bytes: Most bytes of one station.
            clock: Monotonic clock in seconds.
        """
        self._known = known
        self._limit = limit_bytes
        self._clock = clock
        self._recent: dict[str, None] = {}
        self._waiting: dict[str, dict[Key, tuple[int, float]]] = {}  # size and time of arrival by station
        self._bytes: dict[str, int] = {}
        self._checked_at: dict[str, float] = {}

    def claim(self, event_ids: Iterable[str]) -> None:
        """Remember stored events."""
        for event_id in event_ids:
            self._recent[event_id] = None
        while len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]

    def admit(self, contents: Sequence[MediaContent]) -> list[bool]:
        """Return for each content whether it may be stored."""
        fits = [self._fits(content) for content in contents]
        if all(fits):
            return fits
        doubtful = [content for content, fit in zip(contents, fits, strict=True) if not fit]
        self.claim(self._known([content.event_id for content in doubtful]))
        for station in {content.station for content in doubtful}:
            self._recheck(station)
        return [fit or self._fits(content) for content, fit in zip(contents, fits, strict=True)]

    def _fits(self, content: MediaContent) -> bool:
        if content.event_id in self._recent:
            return True
        key = (content.event_id, content.sha256)
        waiting = self._waiting.setdefault(content.station, {})
        if key in waiting:
            return True
        held = self._bytes.get(content.station, 0) + len(content.data)
        if held > self._limit:
            return False
        if held > self._limit // _SHARE and sum(self._bytes.values()) + len(content.data) > _ALL * self._limit:
            return False
        waiting[key] = (len(content.data), self._clock())
        self._bytes[content.station] = held
        return True

    def _recheck(self, station: str) -> None:
        """Release the media whose events have come since, and those of an earlier day."""
        now = self._clock()
        if now - self._checked_at.get(station, float("-inf")) < _RECHECK_S:
            return
        self._checked_at[station] = now
        waiting = self._waiting.get(station, {})
        come = set(self._known(list(dict.fromkeys(event_id for event_id, _ in waiting)))) | self._recent.keys()
        kept = {key: held for key, held in waiting.items() if key[0] not in come and now - held[1] < _DAY_S}
        self._waiting[station] = kept
        self._bytes[station] = sum(size for size, _ in kept.values())
