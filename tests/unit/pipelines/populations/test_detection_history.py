"""Detection histories and effort equal those of camtrapR."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipelines.populations.detection_history import Interval, detection_history, effort_by_day
from tests.statistics_reference import Reference

ZONE = ZoneInfo("Asia/Kuala_Lumpur")


def cameras(reference: Reference, problems: bool) -> dict[str, list[Interval]]:
    """Times of operation by station: set up and retrieved at noon, and out of order in the days of a problem."""
    found = {}
    for row in reference.rows("camtrapR/camtraps.csv"):
        end = noon(row["Retrieval_date"])
        if problems and row["Problem1_from"]:
            end = noon(row["Problem1_from"]) - timedelta(hours=12)
        found[row["Station"]] = [(noon(row["Setup_date"]), end)]
    return found


def noon(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y").replace(hour=12, tzinfo=ZONE)


@pytest.mark.parametrize("problems", [False, True])
@pytest.mark.parametrize("occasion_days", [1, 5, 7, 10])
@pytest.mark.parametrize("species", ["PBE", "VTA", "EGY", "MNE", "TRA"])
def test_histories_of_the_sample(reference: Reference, species: str, occasion_days: int, problems: bool) -> None:
    records: dict[str, list[datetime]] = {}
    for row in reference.rows("camtrapR/recordTableSample.csv"):
        if row["Species"] == species:
            moment = datetime.fromisoformat(row["DateTimeOriginal"]).replace(tzinfo=ZONE)
            records.setdefault(row["Station"], []).append(moment)
    found = detection_history(records, cameras(reference, problems), ZONE, occasion_days)
    expected = [
        row
        for row in reference.rows("camtrapR/detectionHistory_all.csv")
        if (row["species"], row["occasion_days"], row["problems"]) == (species, str(occasion_days), str(int(problems)))
    ]
    assert expected
    for row in expected:
        place, occasion = found.places.index(row["station"]), int(row["occasion"]) - 1
        if occasion >= found.detected.shape[1]:  # camtrapR keeps an occasion in which no camera worked
            assert row["effort"] == "NA"
            continue
        ours = found.detected[place, occasion], found.effort_days[place, occasion]
        # For occasions of one day, camtrapR writes an effort of 0 where it writes NA for longer ones.
        unknown = row["detected"] == "NA"
        theirs = (np.nan, np.nan) if unknown else (float(row["detected"]), float(row["effort"]))
        assert ours == pytest.approx(theirs, nan_ok=True), row


def test_trap_nights_of_the_sample(reference: Reference) -> None:
    for problems, expected in ((False, [42, 43, 43]), (True, [42, 43, 37.5])):
        found = detection_history({}, cameras(reference, problems), ZONE)
        assert np.nansum(found.effort_days, axis=1) == pytest.approx(expected)


def test_a_day_of_a_clock_change_is_one_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day = date(2026, 3, 29)
    whole = (datetime(2026, 3, 29, tzinfo=berlin), datetime(2026, 3, 30, tzinfo=berlin))
    assert effort_by_day([whole], day, 2, berlin) == pytest.approx([1, 0])


def test_an_occasion_without_effort_is_not_known() -> None:
    start = datetime(2026, 5, 1, tzinfo=ZONE)
    week = timedelta(days=7)
    found = detection_history(
        {"a": [start + week]}, {"a": [(start, start + week), (start + 2 * week, start + 3 * week)]}, ZONE
    )
    assert found.detected.tolist() == [[0, pytest.approx(float("nan"), nan_ok=True), 0]]


def test_occasions_of_the_survey_begin_on_one_day() -> None:
    start = datetime(2026, 5, 1, tzinfo=ZONE)
    late = start + timedelta(days=8)
    effort = {"a": [(start, start + timedelta(days=14))], "b": [(late, late + timedelta(days=6))]}
    found = detection_history({}, effort, ZONE, 7, "survey")
    assert found.effort_days.tolist() == [[7, 7], [pytest.approx(float("nan"), nan_ok=True), 6]]


def test_no_effort_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places with effort"):
        detection_history({}, {"a": []}, ZONE)
