"""Changes of models and sensors, after which counts may differ although the animals do not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Literal
from zoneinfo import ZoneInfo

from contract import Deployment
from ingest.store.model_use import ModelUse


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a model or a sensor.

    Attributes:
        kind: What changed.
        first: Day of the change at the first station.
        last: Day of the change at the last station.
        before: Name and version before; "" if none is known.
        after: Name and version after.
        stations: Stations at which it changed, sorted.
    """

    kind: Literal["model", "sensor"]
    first: date
    last: date
    before: str
    after: str
    stations: tuple[str, ...]


def changes(
    uses: Iterable[ModelUse],
    deployments: Iterable[Deployment],
    first: date,
    last: date,
    zone: ZoneInfo,
    stations: Sequence[str] = (),
) -> list[Change]:
    """Return the changes after the first day, up to the last, by day.

    Stations do not report their thresholds, so changes of these are not found.

    Args:
        uses: Days of use of models.
        deployments: Deployments, with the start of each.
        first: First day of the period.
        last: Last day.
        zone: Time zone of the days of deployments.
        stations: Only these; empty: all.
    """
    found: dict[tuple[Literal["model", "sensor"], str, str], list[tuple[date, str]]] = {}
    for station, day, before, after in _of_models([one for one in uses if not stations or one.station in stations]):
        found.setdefault(("model", before, after), []).append((day, station))
    places = [one for one in deployments if not stations or one.station in stations]
    for station, day, before, after in _of_sensors(places, zone):
        found.setdefault(("sensor", before, after), []).append((day, station))
    merged = []
    for (kind, before, after), where in found.items():
        inside = [(day, station) for day, station in where if first < day <= last]
        if inside:
            days = [day for day, _ in inside]
            names = tuple(sorted({station for _, station in inside}))
            merged.append(Change(kind, min(days), max(days), before, after, names))
    return sorted(merged, key=lambda one: (one.first, one.kind, one.after))


_Found = tuple[str, date, str, str]  # station, day, before, after


def _of_models(uses: Sequence[ModelUse]) -> Iterable[_Found]:
    sensor_of = attrgetter("station", "sensor")
    for (station, _), found in groupby(sorted(uses, key=sensor_of), sensor_of):
        by_day = sorted(found, key=lambda one: (one.first, one.last))
        begin = by_day[0].first
        for number, use in enumerate(by_day):
            if use.first == begin:
                continue
            earlier = [one for one in by_day[:number] if one.last <= use.first]
            same = [one for one in earlier if one.model == use.model] or earlier
            before = max(same, key=attrgetter("last"), default=None)
            yield station, use.first, f"{before.model} {before.version}" if before else "", f"{use.model} {use.version}"


def _of_sensors(deployments: Sequence[Deployment], zone: ZoneInfo) -> Iterable[_Found]:
    dated = [(one.start.astimezone(zone).date(), one) for one in deployments if one.start is not None]
    dated.sort(key=lambda one: (one[1].station, one[0], one[1].deployment))
    for station, found in groupby(dated, lambda one: one[1].station):
        for (_, before), (day, after) in pairwise(list(found)):
            old, new = _sensors(before), _sensors(after)
            if old and new and old != new:
                yield station, day, old, new


def _sensors(deployment: Deployment) -> str:
    """Return the models of a deployment's sensors; "" if they are not known."""
    return ", ".join(sorted(sensor.model for sensor in deployment.sensors if sensor.model))
