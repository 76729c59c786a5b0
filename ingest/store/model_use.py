"""Use of models: on which days which version of a model examined a sensor's captures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from contract import Event
from ingest.store.microseconds import DAY_US, EPOCH


class ModelKey(NamedTuple):
    """A version of a model on a sensor."""

    station: str
    sensor: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class ModelUse:
    """First and last day (UTC) on which a version of a model examined captures of a sensor."""

    station: str
    sensor: str
    model: str
    version: str
    first: date
    last: date


def day_of(number: int) -> date:
    """Return the day with a number of days since 1970."""
    return EPOCH.date() + timedelta(days=number)


def days_of_use(events: Iterable[tuple[Event, int]]) -> Mapping[ModelKey, tuple[int, int]]:
    """Return the first and last day, as days since 1970, on which each model examined events.

    Args:
        events: Events with the time under which each is listed, in microseconds since 1970.
    """
    found: dict[ModelKey, tuple[int, int]] = {}
    for event, listed_us in events:
        day = listed_us // DAY_US
        for model in event.models:
            key = ModelKey(event.station, event.sensor, model.name, model.version)
            first, last = found.get(key, (day, day))
            found[key] = min(first, day), max(last, day)
    return found
