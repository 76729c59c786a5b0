"""Counts come with the watched time of each local day; where nothing is known there is no number."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from contract import encode
from contract.messages import Gap
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from pipelines.trends.counting import Trends, count_trends
from pipelines.trends.effort import with_effort
from tests.effort_messages import effort_of
from wildpost.cli.main import main

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR_S = 3600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDbStore]:
    opened = DuckDbStore(tmp_path / "detections.duckdb")
    yield opened
    opened.close()


def watched(store: DuckDbStore, start: str, end: str, gap: Gap | None = None, station: str = "ridge-07") -> None:
    effort = effort_of(datetime.fromisoformat(start), datetime.fromisoformat(end), gap, station=station)
    store.write([Received(effort, encode(effort), datetime.now(UTC))])


def trends(store: DuckDbStore, stations: tuple[str, ...] = (), now: datetime | None = None) -> Trends:
    counted = count_trends(store, date(2024, 5, 29), date(2024, 5, 31), SHANGHAI, stations)
    return with_effort(counted, store, stations, now)


def test_days_of_which_nothing_is_known_have_no_number(store: DuckDbStore) -> None:
    assert trends(store).effort == (None, None, None)
    watched(store, "2024-05-29T22:00+08:00", "2024-05-30T03:00+08:00")
    watched(store, "2024-05-31T00:00+08:00", "2024-06-01T00:00+08:00", "blind")
    assert trends(store).effort == (2 * HOUR_S, 3 * HOUR_S, None)


def test_stations_add_up_and_one_can_be_asked_for(store: DuckDbStore) -> None:
    watched(store, "2024-05-30T00:00+08:00", "2024-05-31T00:00+08:00")
    watched(store, "2024-05-30T12:00+08:00", "2024-05-31T12:00+08:00", station="ridge-08")
    assert trends(store).effort == (None, 36 * HOUR_S, 12 * HOUR_S)
    assert trends(store, ("ridge-08",)).effort == (None, 12 * HOUR_S, 12 * HOUR_S)


def test_effort_of_the_future_is_ignored(store: DuckDbStore) -> None:
    watched(store, "2024-05-29T00:00+08:00", "2024-06-01T00:00+08:00")
    noon = datetime.fromisoformat("2024-05-30T12:00+08:00")
    assert trends(store, now=noon).effort == (24 * HOUR_S, 12 * HOUR_S, None)
    assert trends(store, now=datetime.fromisoformat("2023-01-01T00:00+08:00")).effort == (None, None, None)


def test_the_command_has_it_in_its_json(store: DuckDbStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched(store, "2024-05-30T00:00+08:00", "2024-05-31T00:00+08:00")
    watched(store, "2024-05-30T00:00+08:00", "2024-05-31T00:00+08:00", station="ridge-08")
    store.close()
    days = ["--from", "2024-05-29", "--to", "2024-05-30", "--data", str(tmp_path)]
    assert main(["trends", *days, "--station", "ridge-08", "--taxon", "fox", "--by", "day", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["effort"] == [None, 24 * HOUR_S], "a taxon does not change the effort"
    assert [(one["period"], one["effort_days"], one["rate"], one["interval"]) for one in found["periods"]] == [
        ("2024-05-29", None, None, None),
        ("2024-05-30", 1, 0, [0, pytest.approx(368.8879, rel=1e-6)]),
    ]
    assert main(["trends", *days, "--compare-from", "2024-04-01", "--compare-to", "2024-04-30"]) == 0
    assert (
        "comparison: not known, because one side has no record, or its effort is not known" in capsys.readouterr().out
    )
    assert main(["trends", *days, "--compare-from", "2024-04-01"]) == 1
    assert "--compare-from and --compare-to: expected both" in capsys.readouterr().err
