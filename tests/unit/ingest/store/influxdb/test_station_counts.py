"""Captures are counted anew where that is quick; where it is not, InfluxDB is left alone for a while."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from ingest.store.influxdb.connection import InfluxConnection, Series
from ingest.store.influxdb.station_counts import Seen, StationCounts

LAST = datetime(2026, 4, 12, 5, 41, 7, 250_000, tzinfo=UTC)


class Slow:
    """Answers after so many seconds of a clock that it holds itself, with one capture more each time."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.now = 1000.0
        self.asked = 0

    def query(self, statement: str) -> Sequence[Series]:
        self.now += self.takes_s
        self.asked += 1
        row = {"time": 0, "events": self.asked, "last": int(LAST.timestamp() * 1_000_000)}
        return [Series({"station": "lake%2007"}, [row])]


def counts_of(link: Slow) -> StationCounts:
    return StationCounts(cast(InfluxConnection, link), lambda: link.now)


def test_a_quick_count_is_made_every_time() -> None:
    link = Slow(0.01)
    counts = counts_of(link)
    assert [counts()["lake 07"] for _ in range(3)] == [Seen(1, LAST), Seen(2, LAST), Seen(3, LAST)]


def test_a_slow_count_is_kept_for_twenty_times_what_it_took() -> None:
    link = Slow(5)
    counts = counts_of(link)
    assert counts()["lake 07"].events == 1
    link.now += 99
    assert counts()["lake 07"].events == 1
    link.now += 2
    assert counts()["lake 07"].events == 2


def test_it_is_quick_again_when_it_was() -> None:
    link = Slow(5)
    counts = counts_of(link)
    counts()
    link.takes_s = 0.01
    link.now += 101
    assert [counts()["lake 07"].events for _ in range(3)] == [2, 3, 4]
