import pytest

from bench.faults import replay
from bench.honest_latency import measured as measured_beside_a_flood
from bench.hostile_records import attack_with_records, hostile_media
from bench.latency import measured
from bench.soak import simulate
from tests.conftest import Mosquitto


def test_the_outage_of_a_day_is_sent_by_the_stations_own_outbox_until_it_is_durable(mosquitto: Mosquitto) -> None:
    told = replay(2, 5)
    assert (told["stations"], told["events"]) == (2, 10)


def test_every_simulated_capture_becomes_visible_and_every_person_is_told_of(mosquitto: Mosquitto) -> None:
    found = measured("duckdb", stations=3, seconds=2, every_s=1)
    latencies = found.latencies()
    assert {what: len(values) for what, values in latencies.items()} == {"visible": 6, "alerted": 2}
    assert all(value > 0 for values in latencies.values() for value in values)


@pytest.mark.parametrize("kind", ["garbage", "sounds"])
def test_every_honest_capture_beside_a_flood_becomes_visible(kind: str) -> None:
    found = measured_beside_a_flood(kind, stations=3, seconds=4)
    assert (len(found["quiet"]), len(found["flooded"]), found["missing"]) == (6, 6, 0)
    assert found["sent"] > 0
    assert found["health"]["quarantined"] <= 2_100  # 2,000 at once, then 2,000 an hour


def test_hostile_records_replace_nothing_and_every_page_about_them_answers() -> None:
    found = attack_with_records(conflicts=40)
    assert (found.conflicts, found.altered) == (40, [])
    assert found.media == len(list(hostile_media()))
    assert sum(found.answers.values()) == 4 * found.media
    assert found.failed_answers == 0
    assert found.quarantined >= 40


def test_a_simulated_day_is_stored_whole_and_its_memory_is_measured_every_hour() -> None:
    day = simulate(hours=2, stations=5, per_second=0.02)
    assert day.kept == day.sent == 2 * (5 + 2 * 36)
    assert len(day.server_mb) == len(day.broker_mb) == 3
    assert min(day.server_mb) > 10 > min(day.broker_mb) > 0
