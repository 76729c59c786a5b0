"""Repository of shot detections, which later detections by other stations can corroborate."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from casebook.incidents.corroboration import (
    CorroboratedSound,
    Corroboration,
    CorroborationOptions,
    Shot,
    corroborate,
    shots_of,
)
from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.tables import shot
from contract import Event
from contract.isolation import isolate

LOG = logging.getLogger("wildpost.incidents")
# Bounds the search: detections with larger clock errors or longer spans are not joined.
_SLACK = timedelta(minutes=5)
# Per station and search; more shots within ten minutes are a fault or a flood, of which the latest are compared.
_MAX_SHOTS = 200


@dataclass(frozen=True, slots=True)
class JoinedShots:
    """Sounds that two or more stations heard.

    Attributes:
        heard: By event id and ordinal, the combined evidence for the detection.
        witnesses: By event id, the other events with the same sound.
    """

    heard: Mapping[str, Mapping[int, Corroboration]]
    witnesses: Mapping[str, frozenset[str]]


class ShotRepository:
    """Repository of the gunshots that stations detected, in the casebook database."""

    def __init__(self, database: Database, options: CorroborationOptions) -> None:
        """Create the repository for a database that contains the incident tables."""
        self._database = database
        self._options = options

    def add(self, events: Sequence[Event]) -> JoinedShots:
        """Store the shot detections of events, and return the sounds that several stations heard.

        Returns:
            Only sounds that two or more stations heard; they may include earlier events.

        Raises:
            StoreUnavailable: the database did not answer or rejected the statement.
        """
        new = [
            one for event in events if 1900 <= event.captured_at.year <= 2200 for one in shots_of(event, self._options)
        ]
        if not new:
            return JoinedShots({}, {})
        with self._database.begin() as connection:
            self._database.add(connection, shot, [_row(one) for one in new])
            known = [*new, *self._around(connection, new)]
        new_keys = {(one.event_id, one.ordinal) for one in new}
        heard: dict[str, dict[int, Corroboration]] = {}
        witnesses: dict[str, frozenset[str]] = {}
        for sound in _corroborate(known, self._options):
            if len(sound.shots) < 2 or not new_keys & {(one.event_id, one.ordinal) for one in sound.shots}:
                continue
            together = Corroboration(sound.confidence, tuple(one.station for one in sound.shots))
            ids = frozenset(one.event_id for one in sound.shots)
            for one in sound.shots:
                heard.setdefault(one.event_id, {})[one.ordinal] = together
                witnesses[one.event_id] = witnesses.get(one.event_id, frozenset()) | (ids - {one.event_id})
        return JoinedShots(heard, witnesses)

    def _around(self, connection: Connection, new: Sequence[Shot]) -> Iterator[Shot]:
        """Yield the stored shots near new ones in time, if several stations heard shots then; some may be new."""
        reach = timedelta(seconds=self._options.reach_m / self._options.slowest_m_s + self._options.margin_s) + _SLACK
        for label in sorted({one.label for one in new}):
            times = sorted(one.at for one in new if one.label == label)
            for first, last in _spans(times, 2 * reach):
                around = (shot.c.label == label, shot.c.at.between(first - reach, last + reach))
                stations = connection.execute(select(shot.c.station).where(*around).distinct()).scalars().all()
                for station in stations if len(stations) > 1 else ():
                    query = select(shot).where(*around, shot.c.station == station).order_by(shot.c.at.desc())
                    for row in connection.execute(query.limit(_MAX_SHOTS)).mappings():
                        yield _shot(row)


def _spans(times: Sequence[datetime], gap: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Split sorted times where they are further apart than ``gap``; yield the first and the last of each part."""
    start = 0
    for number in range(1, len(times) + 1):
        if number == len(times) or times[number] - times[number - 1] > gap:
            yield times[start], times[number - 1]
            start = number


def _corroborate(known: Sequence[Shot], options: CorroborationOptions) -> list[CorroboratedSound]:
    """Group shots like ``corroborate``; a stored shot at which it fails is left out, so that the others are joined."""
    try:
        return corroborate(known, options)
    except Exception:
        failed = [shot for shot, _ in isolate(known, lambda part: corroborate(part, options))]
        if not failed:
            raise
        LOG.exception("shots of the events %s are left out", ", ".join(shot.event_id for shot in failed[:5]))
        return corroborate([one for one in known if one not in failed], options)


def _row(one: Shot) -> dict[str, Any]:
    names = ("event_id", "ordinal", "station", "label", "at", "within_s", "clock_error_s", "confidence")
    return {name: getattr(one, name) for name in names} | place_columns(one.location)


def _shot(row: Any) -> Shot:
    names = ("event_id", "ordinal", "station", "label", "at", "within_s", "clock_error_s", "confidence")
    return Shot(**{name: row[name] for name in names}, location=place_of(row))
