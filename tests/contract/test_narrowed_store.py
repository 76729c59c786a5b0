"""A narrowed store has what its stations sent and nothing of others, whatever a query names; for every store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ingest.store.counts import CountQuery
from ingest.store.effort import EffortQuery
from ingest.store.narrowed import NarrowedStore
from ingest.store.port import EventQuery, Store
from ingest.store.records import RecordQuery
from tests.contract.test_store import NOON, opener, received, reopen, sighting, store, verdict

__all__ = ["opener", "reopen", "store"]  # fixtures
START, END = NOON - timedelta(hours=12), NOON + timedelta(hours=12)
OWN, FOREIGN = "ridge-07", "lake-99"


def test_only_the_stations_of_the_view_are_listed_and_counted(store: Store) -> None:
    own, foreign = sighting("fox", station=OWN), sighting("fox", "bear", station=FOREIGN)
    store.write(received(own, foreign))
    view = NarrowedStore(store, frozenset({OWN, "not-there"}))
    everything = EventQuery()
    assert [one.event_id for one in view.events(everything)] == [own.event_id]
    assert [one.event.event_id for one in view.listing(everything)] == [own.event_id]
    assert [event_id for _, event_id in view.keys(everything)] == [own.event_id]
    assert [(one.taxon, one.detections) for one in view.count(CountQuery.in_utc(START, END))] == [
        (one.taxon, 1) for one in store.count(replace(CountQuery.in_utc(START, END), stations=(OWN,)))
    ]
    assert set(view.records(RecordQuery(START, END)).stations) == {OWN}
    assert {one.station for one in view.stations()} == {OWN}
    assert {one.station for one in view.models_in_use()} <= {OWN}


@pytest.mark.parametrize("visible", [frozenset({OWN}), frozenset[str]()])
def test_a_foreign_event_or_station_that_a_query_names_is_not_found(store: Store, visible: frozenset[str]) -> None:
    foreign = sighting("bear", station=FOREIGN)
    store.write(received(sighting("fox", station=OWN), foreign))
    view = NarrowedStore(store, visible)
    assert view.listing(EventQuery(event_ids=(foreign.event_id,))) == []
    assert view.payloads([foreign.event_id]) == view.payloads([]) == {}
    for query in (EventQuery(stations=(FOREIGN,)), EventQuery(taxa=("bear",))):
        assert not any((view.events(query), view.listing(query), view.keys(query)))
    there = (FOREIGN,)
    assert view.count(replace(CountQuery.in_utc(START, END), stations=there)) == []
    assert len(view.records(RecordQuery(START, END, stations=there))) == 0
    assert view.effort(EffortQuery(START, END, stations=there)) == []


def test_verdicts_pass_through_and_records_do_not(store: Store) -> None:
    own = sighting("fox", station=OWN)
    store.write(received(own))
    view = NarrowedStore(store, frozenset({OWN}))
    view.apply_verdicts([verdict(own, "corrected", "bear")])
    assert [one.taxon.lower() for one in view.count(CountQuery.in_utc(START, END))] != ["fox"]
    with pytest.raises(PermissionError):
        view.write(received(own))
