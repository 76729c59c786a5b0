"""Detection histories and effort equal those of camtrapR."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ingest.store.effort import EffortInterval, SensorEffort
from ingest.store.watched_time import watched_by_day
from pipelines.populations.detection_history import DetectionHistory, detection_history, occasions
from pipelines.trends.counting import stretches
from tests.statistics_reference import Array, Reference

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
FIRST, DAYS = date(2009, 4, 1), 60
NO_RECORDS = (np.zeros(0, np.int64),) * 3
Spans = Mapping[str, Sequence[tuple[datetime, datetime]]]


def cameras(reference: Reference, problems: bool) -> Spans:
    """Times of operation by station: set up and retrieved at noon, and out of order in the days of a problem."""
    found = {}
    for row in reference.rows("camtrapR/camtraps.csv"):
        end = noon(row["Retrieval_date"])
        if problems and row["Problem1_from"]:
            end = noon(row["Problem1_from"]) - timedelta(hours=12)
        found[row["Station"]] = [(noon(row["Setup_date"]), end)]
    return found


def species_records(reference: Reference, species: str) -> list[tuple[str, datetime]]:
    """Station and time of the records of a species."""
    return [
        (row["Station"], datetime.fromisoformat(row["DateTimeOriginal"]).replace(tzinfo=ZONE))
        for row in reference.rows("camtrapR/recordTableSample.csv")
        if row["Species"] == species
    ]


def noon(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y").replace(hour=12, tzinfo=ZONE)


def effort_by_day(spans: Spans) -> tuple[list[str], Array]:
    """Names of places and their sensor-days (places, days), computed as for stored effort."""
    timelines = [
        SensorEffort(place, "camera", tuple(EffortInterval(*span, "watching") for span in found))
        for place, found in spans.items()
    ]
    offsets = stretches(FIRST, FIRST + timedelta(days=DAYS - 1), ZONE)
    watched = watched_by_day(timelines, FIRST, DAYS, offsets)
    by_day = np.array([[(seconds or 0) / 86_400 for seconds in watched[place]] for place in watched])
    return list(watched), by_day


def history(
    spans: Spans, records: Sequence[tuple[str, datetime]] = (), occasion_days: int = 7, survey: bool = False
) -> DetectionHistory:
    places, by_day = effort_by_day(spans)
    columns = [(places.index(place), (moment.date() - FIRST).days, 1) for place, moment in records]
    place, day, animals = np.array(columns, np.int64).T if columns else NO_RECORDS
    found = occasions(places, by_day, occasion_days, "survey" if survey else "own")
    return detection_history(found, place, day, animals)


@pytest.mark.parametrize("problems", [False, True])
@pytest.mark.parametrize("occasion_days", [1, 5, 7, 10])
@pytest.mark.parametrize("species", ["PBE", "VTA", "EGY", "MNE", "TRA"])
def test_histories_of_the_sample(reference: Reference, species: str, occasion_days: int, problems: bool) -> None:
    found = history(cameras(reference, problems), species_records(reference, species), occasion_days)
    expected = [
        row
        for row in reference.rows("camtrapR/detectionHistory_all.csv")
        if (row["species"], row["occasion_days"], row["problems"]) == (species, str(occasion_days), str(int(problems)))
    ]
    assert expected
    for row in expected:
        place, occasion = found.occasions.places.index(row["station"]), int(row["occasion"]) - 1
        if occasion >= found.detected.shape[1]:  # camtrapR keeps an occasion in which no camera worked
            assert row["effort"] == "NA"
            continue
        ours = found.detected[place, occasion], found.occasions.effort_days[place, occasion]
        # For occasions of one day, camtrapR writes an effort of 0 where it writes NA for longer ones.
        unknown = row["detected"] == "NA"
        theirs = (np.nan, np.nan) if unknown else (float(row["detected"]), float(row["effort"]))
        assert ours == pytest.approx(theirs, nan_ok=True), row


def test_trap_nights_of_the_sample(reference: Reference) -> None:
    for problems, expected in ((False, [42, 43, 43]), (True, [42, 43, 37.5])):
        found = history(cameras(reference, problems))
        assert np.nansum(found.occasions.effort_days, axis=1) == pytest.approx(expected)


START = datetime(2009, 4, 1, tzinfo=ZONE)
WEEK = timedelta(days=7)


def test_an_occasion_without_effort_is_not_known() -> None:
    watched = {"a": [(START, START + WEEK), (START + 2 * WEEK, START + 3 * WEEK)]}
    found = history(watched, [("a", START + WEEK)])
    assert found.detected.tolist() == [[0, pytest.approx(float("nan"), nan_ok=True), 0]]


def test_records_count_in_occasions_with_effort_only() -> None:
    """As in camtrapR: on a day without effort of such an occasion too, but not before the first or after the last."""
    watched = {"a": [(START + 2 * WEEK, START + 2 * WEEK + timedelta(days=3))]}
    for days, expected in ((14, 1), (19, 1), (13, 0), (21, 0)):
        assert history(watched, [("a", START + timedelta(days=days))]).detected.tolist() == [[expected]]
    assert history(watched | {"b": []}, [("b", START + 2 * WEEK)]).detected.tolist() == [[0]]


def test_occasions_of_the_survey_begin_on_one_day() -> None:
    late = START + timedelta(days=8)
    watched = {"a": [(START, START + 2 * WEEK)], "b": [(late, late + timedelta(days=6))]}
    found = history(watched, survey=True)
    assert found.occasions.effort_days.tolist() == [[7, 7], [pytest.approx(float("nan"), nan_ok=True), 6]]
    assert found.occasions.first_days.tolist() == [0, 0]
    assert history(watched).occasions.first_days.tolist() == [0, 8]


def test_two_sensors_that_watch_at_once_are_two_sensor_days_and_the_largest_group_counts() -> None:
    found = occasions(["a"], np.full((1, 3), 2.0), 3)
    place, day, animals = np.array([[0, 0, 0], [0, 1, 1], [1, 4, 2]])
    built = detection_history(found, place, day, animals)
    assert (found.effort_days.tolist(), built.records.tolist(), built.animals.tolist()) == ([[6]], [[3]], [[4]])


def test_places_without_effort_are_left_out() -> None:
    found = occasions(["a", "b"], np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert found.places == ("b",)
    one = np.array([0, 1])
    assert detection_history(found, one, one, one).records.tolist() == [[1]]


def test_no_effort_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places with effort"):
        occasions(["a"], np.zeros((1, 3)))
