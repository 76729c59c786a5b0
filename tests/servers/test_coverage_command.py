"""`wildpost coverage` reads a server's data folder: working hours, zones, and places for further stations."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.flags import Flag
from casebook.verdicts import Verdict
from contract import Event, Location, encode, new_event_id
from contract.examples import EVENT
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from tests.effort_messages import effort_of
from tests.servers.test_serve import told

START = datetime(2026, 6, 1, tzinfo=UTC)
ZONES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"id": "lake-west"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[117.2, 31.0], [117.3, 31.0], [117.3, 31.1], [117.2, 31.1], [117.2, 31.0]]],
            },
        }
    ],
}


def event(station: str, place: Location | None) -> Event:
    return msgspec.structs.replace(
        EVENT,
        event_id=new_event_id(),
        station=station,
        location=place,
        captured_at=START + timedelta(hours=5),
        media=(),
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two stations, one without a place, and two flagged captures, one of them dismissed."""
    store, casebook = DuckDbStore(tmp_path / "detections.duckdb"), Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    inside, dismissed = Location(latitude=31.09, longitude=117.29), Location(latitude=31.01, longitude=117.21)
    events = [event("oak", inside), event("oak", dismissed), event("oak", Location(latitude=31.05, longitude=117.25))]
    events.append(event("yew", None))
    effort = effort_of(START, START + timedelta(hours=6), station="oak")
    at = START + timedelta(hours=6)
    store.write([*(Received(one, encode(one), at) for one in events), Received(effort, encode(effort), at)])
    for one in events[:2]:
        casebook.add_flags([Flag(one.event_id, "rule", "urgent", "human", one.captured_at)])
    casebook.record_verdict(Verdict(events[1].event_id, 0, "dismissed", "blank", "", None, "li", START))
    store.close()
    casebook.close()
    (tmp_path / "zones.geojson").write_text(json.dumps(ZONES))
    return tmp_path


def coverage(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    days = ["--from", "2026-06-01", "--to", "2026-06-01", "--time-zone", "UTC", "--data", str(data)]
    return told("coverage", *days, *words)


def test_hours_zones_and_places_are_those_of_the_data(data: Path) -> None:
    done = coverage(data, "--zones", str(data / "zones.geojson"), "--reach-m", "1000", "--further", "2", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    (hours,) = found["working_hours"]
    assert (hours["station"], hours["watched_share"]) == ("oak", 0.25)
    assert hours["by_hour"] == [1.0] * 6 + [None] * 18
    assert hours["unwatched_hours"] == list(range(6, 24))
    (zone,) = found["zones"]
    assert (zone["zone"], zone["stations"], zone["incidents"]) == ("lake-west", ["oak"], 1)
    assert 0.02 < zone["covered_share"] < 0.04
    first, second = found["further_places"]
    assert first["incidents"] == 1 and second["incidents"] == 0
    assert abs(first["latitude"] - 31.09) < 0.012 and abs(first["longitude"] - 117.29) < 0.012
    assert found["stations_without_place"] == ["yew"]


def test_the_tables_say_the_same(data: Path) -> None:
    done = coverage(data, "--zones", str(data / "zones.geojson"), "--further", "1")
    assert done.returncode == 0, done.stderr
    assert "06-24" in done.stdout
    assert "place 1: 31.0" in done.stdout and "from oak" in done.stdout
    assert "no place is known of yew: it counts in no zone" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--further", "51"), "51 further stations: expected 0 to 50"),
        (("--reach-m", "0"), "reach of 0 m: expected 1 to 100000"),
        (("--to", "2026-05-01"), "expected days in order"),
        (("--to", "2099-05-01"), "at most 1098 apart"),
        (("--zones", "absent.geojson"), "absent.geojson"),
    ],
)
def test_values_that_cannot_be_used_are_named(data: Path, words: tuple[str, ...], expected: str) -> None:
    done = coverage(data, *words)
    assert done.returncode == 1
    assert expected in done.stderr
