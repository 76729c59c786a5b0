"""A station is online only if something was heard of it lately, by the server's clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from contract import Clock
from contract.examples import HEALTH, STATUS
from ingest.station_connection import SILENT_AFTER, connection_of
from ingest.store.port import StationState

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
SET, UNSET = Clock(source="gps", synchronised=True), Clock(source="none", synchronised=False)
FUTURE, PAST = datetime(2099, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)


def state(
    *, status: datetime, received: datetime = NOW, health: datetime | None = None, clock: Clock = SET
) -> StationState:
    reported = None if health is None else msgspec.structs.replace(HEALTH, at=health, clock=clock)
    online = msgspec.structs.replace(STATUS, state="online", at=status)
    return StationState("lake-07", online, reported, None, 0, received, received)


@pytest.mark.parametrize(
    ("found", "connection"),
    [
        (state(status=NOW), "online"),
        (state(status=NOW - MONTH, health=NOW - MONTH), "silent"),
        (state(status=NOW - MONTH, health=NOW), "online"),
        (state(status=FUTURE, health=FUTURE), "online"),
        (state(status=FUTURE, health=FUTURE, received=NOW - MONTH), "silent"),
        (state(status=PAST, health=PAST, clock=UNSET), "online"),
        (state(status=NOW - MONTH, health=NOW - MONTH, clock=UNSET), "online"),
        (state(status=PAST, health=PAST, clock=UNSET, received=NOW - MONTH), "silent"),
        (state(status=NOW - SILENT_AFTER), "online"),
        (state(status=NOW - SILENT_AFTER - timedelta(seconds=1)), "silent"),
        (StationState("lake-07", None, HEALTH, None, 0), "unknown"),
    ],
)
def test_the_connection_follows_from_what_was_heard(found: StationState, connection: str) -> None:
    assert connection_of(found, NOW) == connection


def test_a_capture_is_a_sign_of_life_and_a_last_will_is_not() -> None:
    old = state(status=NOW - MONTH)
    assert connection_of(replace(old, last_event_at=NOW - timedelta(hours=1)), NOW) == "online"
    assert old.status is not None
    offline = replace(old, status=msgspec.structs.replace(old.status, state="offline"))
    assert connection_of(offline, NOW) == "offline"
