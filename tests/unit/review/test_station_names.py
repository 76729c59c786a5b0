"""A filter offers the stations there are, without asking at every page."""

from dataclasses import replace
from typing import Any

from ingest.store.port import StationState
from review.station_names import StationNames


class Store:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.states: list[StationState] = []

    def stations(self) -> list[StationState]:
        self.asked += 1
        return self.states


def test_names_are_asked_for_again_after_a_minute_and_at_once_while_there_are_none() -> None:
    store: Any = Store()
    now = [100.0]
    names = StationNames(store, lambda: now[0])
    assert list(names()) == []
    lake = StationState("lake-07", None, None, None, 0)
    store.states = [lake]
    assert list(names()) == ["lake-07"]
    store.states = [lake, replace(lake, station="ridge-01")]
    now[0] += 30
    assert list(names()) == ["lake-07"]
    assert store.asked == 2
    now[0] += 31
    assert list(names()) == ["lake-07", "ridge-01"]
