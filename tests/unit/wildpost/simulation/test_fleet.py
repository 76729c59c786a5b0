"""A simulated fleet sends what real stations would send, the same for the same seed, and marked."""

import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec import UNSET
from PIL import Image

from contract import Deployment, Effort, Event, MediaContent, Record, decode
from contract.event_chain import FIRST_PREVIOUS, has_valid_signature, payload_sha256
from ingest.rules.zones import read_zones
from tests.repository import REPOSITORY
from wildpost.simulation.fleet import fleet_messages
from wildpost.simulation.plan import FleetOptions, ReportIntervals, plan_stations, station_names
from wildpost.simulation.station import SentMessage

START = datetime(2026, 1, 31, 16, tzinfo=UTC)
DAYS = 20
OPTIONS = FleetOptions(station_names(8), START, DAYS * 24)
END = START + timedelta(days=DAYS)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def sent() -> Sequence[SentMessage]:
    return list(fleet_messages(OPTIONS))


def records_of(sent: Sequence[SentMessage], station: str) -> list[Record]:
    return [decode(one.topic, one.payload) for one in sent if one.station == station]


def test_the_same_seed_gives_the_same_messages_and_another_seed_others(sent: Sequence[SentMessage]) -> None:
    assert list(fleet_messages(OPTIONS)) == sent
    other = FleetOptions(OPTIONS.names, START, OPTIONS.hours, seed=1)
    events = ({one.payload for one in part if "/event" in one.topic} for part in (fleet_messages(other), sent))
    assert not set.intersection(*events)


def test_messages_are_valid_and_in_the_order_of_arrival(sent: Sequence[SentMessage]) -> None:
    for one in sent:
        decode(one.topic, one.payload)
    assert [one.at for one in sent] == sorted(one.at for one in sent)
    assert {one.station for one in sent} == set(OPTIONS.names)


def test_every_event_and_deployment_says_that_it_is_simulated(sent: Sequence[SentMessage]) -> None:
    records = [decode(one.topic, one.payload) for one in sent]
    marked = [record.simulated for record in records if isinstance(record, Event | Deployment)]
    assert len(marked) > 100
    assert set(marked) == {True}
    assert UNSET not in marked


def test_the_events_of_a_station_are_a_signed_chain(sent: Sequence[SentMessage]) -> None:
    events: dict[str, list[tuple[Event, bytes]]] = defaultdict(list)
    for one in sent:
        record = decode(one.topic, one.payload)
        if isinstance(record, Event):
            events[one.station].append((record, one.payload))
    for chained in events.values():
        previous, keys = FIRST_PREVIOUS, set()
        for number, (event, payload) in enumerate(chained, start=1):
            assert event.chain is not UNSET
            assert (event.chain.number, event.chain.previous) == (number, previous)
            assert has_valid_signature(payload, event.chain.key)
            previous = payload_sha256(payload)
            keys.add(event.chain.key)
        assert len(keys) == 1


def test_a_later_run_of_a_station_signs_with_the_same_key(sent: Sequence[SentMessage]) -> None:
    later = list(fleet_messages(FleetOptions(OPTIONS.names, END, 24)))
    keys = [
        {record.chain.key for record in records_of(part, "sim-001") if isinstance(record, Event) and record.chain}
        for part in (sent, later)
    ]
    assert keys[0] == keys[1] != set()


def test_of_eight_stations_one_is_silent_one_blind_and_one_without_the_time(sent: Sequence[SentMessage]) -> None:
    roles = {plan.role: plan.name for plan in plan_stations(OPTIONS.names, (), 0) if plan.role != "sound"}
    assert set(roles) == {"silent", "blind", "clock"}
    last = {one.station: one.at for one in sent}
    assert last.pop(roles["silent"]) < END - 48 * HOUR
    assert all(END - at < HOUR for at in last.values())
    efforts = [one for one in records_of(sent, roles["blind"]) if isinstance(one, Effort)]
    assert efforts[-1].gap == "blind" and efforts[0].gap is None
    events = [one for one in records_of(sent, roles["clock"]) if isinstance(one, Event)]
    wrong = [one for one in events if one.clock.source == "none"]
    assert wrong and all(one.captured_at.year == 1970 for one in wrong) and len(wrong) < len(events)


def test_effort_accounts_for_every_hour_of_a_station_that_is_on(sent: Sequence[SentMessage]) -> None:
    efforts = sorted((one for one in records_of(sent, "sim-001") if isinstance(one, Effort)), key=lambda one: one.start)
    assert efforts[0].start == START and efforts[-1].end == END
    assert all(one.end == following.start for one, following in pairwise(efforts))


def test_a_year_has_outages_and_late_messages() -> None:
    year = FleetOptions(station_names(4), START, 365 * 24, reports=ReportIntervals(24, 168))
    records = [(one.at, decode(one.topic, one.payload)) for one in fleet_messages(year)]
    assert any(isinstance(one, Effort) and one.gap == "off" for _, one in records)
    late = [at for at, one in records if isinstance(one, Event) and timedelta(days=999) > at - one.captured_at > HOUR]
    assert late


def test_thumbnails_are_small_pictures(sent: Sequence[SentMessage]) -> None:
    contents = [one for one in records_of(sent, "sim-001") if isinstance(one, MediaContent)]
    assert contents
    for one in contents:
        assert len(one.data) < 20_000
        assert Image.open(io.BytesIO(one.data)).size == (320, 240)


def test_false_findings_are_a_small_share_and_named(sent: Sequence[SentMessage]) -> None:
    events = [one for one in sent if one.topic.endswith("/event")]
    false = [one for one in events if one.false_finding]
    assert 0 < len(false) < len(events) / 5


def test_stations_stand_in_the_zones_of_the_reserve() -> None:
    zones = read_zones(REPOSITORY / "configs" / "zones.geojson")
    plans = plan_stations(station_names(6), zones, 0)
    inside = [plan for plan in plans if any(zone.contains(plan.location) for zone in zones)]
    assert len(inside) >= 4
    assert len({plan.location for plan in plans}) == 6


def test_activity_multiplies_the_captures() -> None:
    def captures(busyness: float) -> int:
        options = FleetOptions(station_names(2), START, 24 * 5, busyness=busyness)
        return sum(one.topic.endswith("/event") for one in fleet_messages(options))

    assert captures(0) == 0
    assert captures(20) > 10 * captures(1)
