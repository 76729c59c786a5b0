"""Records for statistics and the use of models; one suite for every store."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pytest

from contract import Clock, Event
from ingest.store.port import Store
from ingest.store.records import RecordQuery, Records, sorted_records
from tests.contract.test_store import NOON, opener, received, reopen, sighting, store, verdict

__all__ = ["opener", "reopen", "store"]  # fixtures
DAY = RecordQuery(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def rows(records: Records) -> list[tuple[str, str, int, int]]:
    """Taxon, station, seconds after noon and number of animals of each record."""
    return [
        (records.taxa[taxon][0], records.stations[station], (time_ms - round(NOON.timestamp() * 1000)) // 1000, animals)
        for taxon, station, time_ms, animals in zip(
            *(column.tolist() for column in (records.taxon, records.station, records.time_ms, records.animals)),
            strict=True,
        )
    ]


def with_clock(event: Event, clock: Clock) -> Event:
    return msgspec.structs.replace(event, clock=clock)


def test_a_capture_is_one_record_of_each_taxon_in_the_order_of_taxon_station_and_time(store: Store) -> None:
    store.write(
        received(
            sighting("wild boar", "野猪", "Cuon alpinus", at=NOON + timedelta(minutes=5)),
            sighting("Sus scrofa", station="ridge-01"),
            sighting("sus_scrofa"),
        )
    )
    assert rows(store.records(DAY)) == [
        ("Cuon alpinus", "lake-07", 300, 1),
        ("Sus scrofa", "lake-07", 0, 1),
        ("Sus scrofa", "lake-07", 300, 2),
        ("Sus scrofa", "ridge-01", 0, 1),
    ]


def test_verdicts_change_records_and_the_number_of_animals(store: Store) -> None:
    event = sighting("wild boar", "dog", "wild boar")
    store.write(received(event))
    store.apply_verdicts([verdict(event, "corrected", "野猪", 1), verdict(event, "dismissed", "blank", 0)])
    assert rows(store.records(DAY)) == [("Sus scrofa", "lake-07", 0, 2)]


def test_records_are_filtered_by_station_sensor_taxon_type_time_and_confidence(store: Store) -> None:
    boar = sighting("wild boar")
    store.write(received(boar, sighting("Cuon alpinus", confidence=0.3, station="ridge-01")))
    assert len(store.records(DAY)) == 2
    for query, count in (
        (replace(DAY, stations=("ridge-01",)), 1),
        (replace(DAY, sensors=(boar.sensor,)), 2),
        (replace(DAY, sensors=("elsewhere",)), 0),
        (replace(DAY, taxa=("野猪",)), 1),
        (replace(DAY, observation_types=("human",)), 0),
        (replace(DAY, min_confidence=0.5), 1),
        (RecordQuery(NOON + timedelta(seconds=1), NOON + timedelta(days=1)), 0),
        (RecordQuery(NOON, NOON), 0),
    ):
        assert len(store.records(query)) == count, query


def test_an_hour_is_known_if_the_clock_was_set(store: Store) -> None:
    clocks = {
        Clock(source="gps", synchronised=True): True,
        Clock(source="exif", synchronised=False): True,
        Clock(source="rtc", synchronised=False, error_s=20.0): True,
        Clock(source="rtc", synchronised=False, error_s=7200.0): False,
        Clock(source="system", synchronised=False): False,
        Clock(source="name", synchronised=False): True,
        Clock(source="copy", synchronised=False): False,
        Clock(source="none", synchronised=False): False,
    }
    for clock, known in clocks.items():
        event = with_clock(sighting("wild boar", station=f"{clock.source}-{int(clock.error_s or 0)}"), clock)
        store.write(received(event))
        found = store.records(replace(DAY, end=datetime.now(UTC) + timedelta(days=1), stations=(event.station,)))
        assert found.hour_known.tolist() == [known], clock


def test_each_version_of_a_model_has_its_days_of_use(store: Store) -> None:
    first = sighting("wild boar")
    (model,) = first.models
    changed = msgspec.structs.replace(
        sighting("wild boar", at=NOON + timedelta(days=2)), models=(msgspec.structs.replace(model, version="99"),)
    )
    store.write(received(first, sighting("wild boar", at=NOON - timedelta(days=3))))
    store.write(received(changed))
    assert [(one.station, one.sensor, one.version, one.first, one.last) for one in store.models_in_use()] == [
        ("lake-07", first.sensor, model.version, NOON.date() - timedelta(days=3), NOON.date()),
        ("lake-07", first.sensor, "99", NOON.date() + timedelta(days=2), NOON.date() + timedelta(days=2)),
    ]
    assert store.models_in_use()[0].first == date(NOON.year, NOON.month, NOON.day) - timedelta(days=3)


def test_a_period_too_long_to_be_packed_has_the_same_records(store: Store) -> None:
    store.write(received(*(sighting("wild boar", station=f"s-{number}") for number in range(40))))
    ever = RecordQuery(datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
    assert rows(store.records(ever)) == rows(store.records(DAY))


def test_records_are_sorted_from_any_order() -> None:
    random = np.random.default_rng(1)
    columns = tuple(random.integers(0, 5, 200) for _ in range(4))
    records = sorted_records([("a", "animal")] * 5, ["s"] * 5, (*columns, columns[0] > 2))  # type: ignore[arg-type]
    order = list(zip(records.taxon.tolist(), records.station.tolist(), records.time_ms.tolist(), strict=True))
    assert order == sorted(order)
    assert ((records.taxon > 2) == records.hour_known).all()


@pytest.mark.parametrize("change", [{"start": datetime(2026, 1, 1)}, {"end": NOON - timedelta(days=9)}])  # noqa: DTZ001
def test_a_query_without_time_zone_or_with_an_end_before_its_start_is_refused(change: dict[str, datetime]) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        replace(DAY, **change)  # type: ignore[arg-type]
