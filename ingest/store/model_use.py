"""Use of models: on which days which version of a model examined a sensor's captures."""

from collections import defaultdict
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
    days: dict[tuple[str, str, str, str], set[int]] = defaultdict(set)
    for event, listed_us in events:
        for model in event.models:
            days[event.station, event.sensor, model.name, model.version].add(listed_us // DAY_US)
    return {ModelKey(*key): (min(some), max(some)) for key, some in days.items()}
