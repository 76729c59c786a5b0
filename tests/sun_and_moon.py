"""Differences from the sun and moon of the US Naval Observatory and of JPL Horizons, for the tests."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from contract import Location
from ingest.rules.sun import sun_event_time
from pipelines.activity.moon import lit_share, moon_phase
from tests.statistics_reference import Array

PHENOMENA = {
    "sunrise": "Rise",
    "sunset": "Set",
    "dawn": "Begin Civil Twilight",
    "dusk": "End Civil Twilight",
}


def sun_errors_minutes(fixtures: Path, name: str) -> Array:
    """Return the differences (n,) of one event at 14 places from Spitsbergen to Antarctica."""
    found = json.loads(fixtures.read_text(encoding="utf-8"))
    errors = []
    for one in found["locations"]:
        place = Location(latitude=one["lat"], longitude=one["lng"])
        for day, times in found["times"][one["name"]].items():
            for event in times["sundata"]:
                if event["phen"] == PHENOMENA[name] and event["time"]:
                    truth = datetime.fromisoformat(f"{day}T{event['time']}+00:00")
                    near = (date.fromisoformat(day) + timedelta(days=number) for number in (-1, 0, 1))
                    ours = (sun_event_time(name, one_day, UTC, place) for one_day in near)
                    errors.append(min(abs(moment - truth) for moment in ours) / timedelta(minutes=1))
    return np.array(errors)


def moon_errors(fixtures: Path) -> Array:
    """Return the differences (n,) of the lit part of the moon's disc."""
    found = json.loads(fixtures.read_text(encoding="utf-8"))["moonGeo"]
    moments = np.array([datetime.fromisoformat(text).timestamp() * 1000 for text in found])
    return np.asarray(np.abs(lit_share(moon_phase(moments)) - [one["fraction"] for one in found.values()]))
