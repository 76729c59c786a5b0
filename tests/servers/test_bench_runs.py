import pytest

from bench.faults import replay
from bench.honest_latency import measured as measured_beside_a_flood
from bench.latency import measured
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
