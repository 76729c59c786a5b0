"""The histogram that takes many values at once tells what the library's own tells."""

from hypothesis import given
from hypothesis import strategies as some
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from ingest.metrics.bulk_histogram import BulkHistogram

BOUNDS = (0.5, 1, 60, 3600)
values = some.lists(some.one_of(some.sampled_from(BOUNDS), some.floats(0, 10_000)), max_size=30)


def told(registry: CollectorRegistry) -> list[tuple[str, float]]:
    lines = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
    return [(name, float(value)) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")]


@given(values, values)
def test_it_tells_what_the_librarys_own_tells(first: list[float], second: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bulk = BulkHistogram("age_seconds", "How old", BOUNDS, ours)
    one_by_one = Histogram("age_seconds", "How old", buckets=BOUNDS, registry=theirs)
    for some_values in (first, second):
        bulk.observe(some_values)
        for value in some_values:
            one_by_one.observe(value)
    pairs = list(zip(told(ours), told(theirs), strict=True))
    assert [mine for (mine, _), _ in pairs] == [other for _, (other, _) in pairs]
    assert all(abs(mine - other) <= 1e-9 * max(1.0, other) for (_, mine), (_, other) in pairs)
    assert generate_latest(ours).decode().splitlines()[:2] == generate_latest(theirs).decode().splitlines()[:2]
