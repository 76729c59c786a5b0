"""Independent records by both definitions of camtrapR."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.trends.independence import ComparedTo, independent_records
from tests.statistics_reference import Reference

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAMES: dict[str, ComparedTo] = {"lastRecord": "last record", "lastIndependentRecord": "last independent record"}


def at(*minutes: int) -> list[datetime]:
    return [NOON + timedelta(minutes=minute) for minute in minutes]


def test_an_animal_that_stays_counts_once_or_once_per_interval() -> None:
    times = at(0, 20, 40, 60, 80)
    assert independent_records(times, compared_to="last record") == [True, False, False, False, False]
    assert independent_records(times) == [True, False, True, False, True]


def test_a_record_exactly_one_interval_later_is_independent() -> None:
    assert independent_records(at(0, 30, 59)) == [True, True, False]


def test_times_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        independent_records(at(5, 0))


def test_counts_equal_those_of_camtrapr(reference: Reference) -> None:
    groups = defaultdict(list)
    for row in reference.rows("camtrapR/independence_input_synthetic.csv"):
        moment = datetime.fromisoformat(row["DateTimeOriginal"]).replace(tzinfo=UTC)
        groups[row["Station"], row["Species"]].append((moment, row["FileName"]))
    kept = reference.rows("camtrapR/independence_kept_by_camtrapR.csv")
    for minutes in ("1", "5", "10", "15", "30", "60", "120", "1440"):
        for theirs, ours in NAMES.items():
            expected = {
                row["FileName"]
                for row in kept
                if (row["minDeltaTime_min"], row["deltaTimeComparedTo"]) == (minutes, theirs)
            }
            found = set()
            for records in groups.values():
                flags = independent_records([at for at, _ in records], timedelta(minutes=int(minutes)), ours)
                found |= {name for (_, name), flag in zip(records, flags, strict=True) if flag}
            assert found == expected, (minutes, theirs)
