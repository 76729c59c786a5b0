"""Whether a station is connected, by the server's clock and by what the station last sent.

A broker and a station that lose power together leave a retained "online", which the broker sends again for months.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from ingest.store.order import EARLIEST
from ingest.store.port import StationState

Connection = Literal["online", "silent", "offline", "unknown"]
SILENT_AFTER = timedelta(hours=3)  # stations report their health every 5 minutes by default


def connection_of(state: StationState, now: datetime) -> Connection:
    """Return the state of a station's connection.

    Args:
        state: What is stored of the station.
        now: Time of the server's clock.

    Returns:
        "online": connected, and something was heard in the last 3 hours. "silent": it said that it was connected, and
        nothing was heard since. "offline": it disconnected, or the broker lost it. "unknown": it never said.
    """
    if state.status is None:
        return "unknown"
    if state.status.state == "offline":
        return "offline"
    heard = last_heard(state, now)
    return "silent" if heard is None or now - heard > SILENT_AFTER else "online"


def last_heard(state: StationState, now: datetime) -> datetime | None:
    """Return the latest time at which a station certainly worked; None if none is known."""
    return max(_signs(state, now), default=None)


def _signs(state: StationState, now: datetime) -> Iterator[datetime]:
    if state.status is not None:
        yield _not_later(state.status.at, state.status_received_at or now, believed=True)
    if state.health is not None:
        clock = state.health.clock
        believed = clock.synchronised and clock.source != "none"
        yield _not_later(state.health.at, state.health_received_at or now, believed=believed)
    if state.last_event_at is not None:
        yield min(state.last_event_at, now)


def _not_later(made: datetime, received: datetime, *, believed: bool) -> datetime:
    """Return when a message was made if its clock can be believed, and at the latest when it was received."""
    return min(made, received) if believed and made >= EARLIEST else received
