from bench.faults import replay
from tests.conftest import Mosquitto


def test_the_outage_of_a_day_is_sent_by_the_stations_own_outbox_until_it_is_durable(mosquitto: Mosquitto) -> None:
    told = replay(2, 5)
    assert (told["stations"], told["events"]) == (2, 10)
