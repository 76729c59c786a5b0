"""Which station is over its budget: one that sends far more than the others, and more than a minute's budget."""

from ingest.budgets.options import MAX_STATIONS, BudgetOptions
from ingest.budgets.station_usage import StationUsage
from ingest.budgets.tally import OTHER, station_of
from ingest.budgets.token_bucket import TokenBuckets

OPTIONS = BudgetOptions(messages_per_hour=3600, megabytes_per_hour=3600)  # one message and 1 MB a second


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def meter(clock: Clock, others: int = 3) -> StationUsage:
    """A meter that has heard some stations."""
    usage = StationUsage(OPTIONS, clock)
    for number in range(others):
        assert not usage.add(f"honest-{number}", 1, 100)
        clock.now += 0.1
    return usage


def test_a_station_may_send_the_budget_of_ten_seconds_at_once_and_no_more_beside_others() -> None:
    usage = meter(Clock())
    assert [usage.add("stolen", 1, 100) for _ in range(100)] == [False] * 10 + [True] * 90


def test_the_bytes_of_a_station_count_as_well_as_its_messages() -> None:
    usage = meter(Clock())
    assert [usage.add("stolen", 1, 3_000_000) for _ in range(5)] == [False] * 3 + [True] * 2


def test_a_station_within_its_budget_is_never_over_it() -> None:
    clock = Clock()
    usage = meter(clock)
    for _ in range(10_000):
        clock.now += 1
        assert not usage.add("steady", 1, 100_000)


def test_after_a_pause_a_station_is_within_its_budget_again() -> None:
    clock = Clock()
    usage = meter(clock)
    assert usage.add("returning", 1_000, 100)
    clock.now += 300
    usage.add("honest-0", 1, 100)
    assert usage.add("returning", 1, 100)
    clock.now += 660
    usage.add("honest-0", 1, 100)
    assert not usage.add("returning", 1, 100)


def test_a_station_without_others_beside_it_is_not_held_back() -> None:
    usage = StationUsage(OPTIONS, Clock())
    assert not any(usage.add("alone", 100, 1_000_000) for _ in range(1000))


def test_stations_that_return_together_from_an_outage_are_not_held_back() -> None:
    clock = Clock()
    usage = meter(clock, others=0)
    for _ in range(200):
        clock.now += 0.1
        assert not any(usage.add(f"station-{number}", 50, 100_000) for number in range(20))


def test_a_minority_of_flooding_stations_does_not_hide_itself() -> None:
    clock = Clock()
    usage = meter(clock, others=9)
    clock.now += 1
    assert all(usage.add(f"stolen-{number}", 1_000, 100) for number in range(8))


def test_invented_names_share_one_meter() -> None:
    usage = StationUsage(OPTIONS, Clock())
    for number in range(MAX_STATIONS + 1000):
        usage.add(f"name-{number}", 1, 1)
    assert len(usage._usage) <= MAX_STATIONS + 1


def test_the_station_of_a_topic_is_its_last_but_one_level_if_that_is_a_valid_name() -> None:
    assert station_of("county/reserve/v1/lake-07/event") == "lake-07"
    assert station_of("wildpost/v1/" + "x" * 64 + "/event") == OTHER
    assert station_of("wildpost/v1/../event") == OTHER
    assert station_of("?") == OTHER


def test_a_bucket_is_full_at_first_and_refills_at_its_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(2, 5, clock)
    assert [buckets.take("a") for _ in range(6)] == [True] * 5 + [False]
    assert buckets.take("b")
    clock.now += 1
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    clock.now += 1000
    assert [buckets.take("a") for _ in range(6)] == [True] * 5 + [False]
