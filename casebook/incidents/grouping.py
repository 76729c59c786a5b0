"""Assignment of occurrences to incidents, at a cost that does not depend on the number of occurrences stored.

An occurrence joins the incident that contains its nearest neighbour in time (``are_near``). The candidates are the
incidents of the time window, read from ``incident_station``, which has one row per incident and station. Only if
several incidents fit is a single occurrence of each read, by index.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update
from uuid_utils import uuid7

from casebook.incidents.corroboration import distance_m
from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.tables import incident, incident_station, occurrence
from casebook.portions import portions
from casebook.tables import UtcDateTime
from contract import Location
from contract.severity import Severity, severity_rank

_LOOKAHEAD = timedelta(minutes=30)  # occurrences of one batch that are this close share one query for incidents
# Occurrences whose distance is computed one by one, of a station that changed its place within an incident. If none of
# them is near, the new occurrence opens another incident, which alerts rather than hides.
_MAX_COMPARED = 200
MAX_KINDS = 50  # kinds that an incident lists; a sound's label is free text of a station
_PART = ("first_at", "last_at", "south", "north", "west", "east", "moved")

_microseconds = UtcDateTime()


@dataclass(slots=True)
class StationPart:
    """Occurrences of one station in one incident: their time span and the rectangle around their locations."""

    first_at: datetime
    last_at: datetime
    south: float | None
    north: float | None
    west: float | None
    east: float | None
    moved: bool
    changed: bool = True

    @property
    def place(self) -> Location | None:
        """The one location of all occurrences; None if unknown, or if the station has moved."""
        if self.moved or self.south is None or self.west is None:
            return None
        return Location(latitude=self.south, longitude=self.west)

    def add(self, one: Occurrence) -> None:
        """Extend the time span and the rectangle by an occurrence."""
        self.first_at, self.last_at = min(self.first_at, one.at), max(self.last_at, one.at)
        if self.place != one.location:
            self.moved = True
        if one.location is not None:
            latitude, longitude = one.location.latitude, one.location.longitude
            self.south = latitude if self.south is None else min(self.south, latitude)
            self.north = latitude if self.north is None else max(self.north, latitude)
            self.west = longitude if self.west is None else min(self.west, longitude)
            self.east = longitude if self.east is None else max(self.east, longitude)
        self.changed = True


class IncidentGrouping:
    """Unit of work that assigns the occurrences of one batch to incidents, within one exclusive transaction.

    Changes are kept in memory and written by ``flush``.
    """

    def __init__(self, database: Database, connection: Connection, options: IncidentOptions) -> None:
        """Begin with nothing in memory; the caller holds the incident lock."""
        self._database, self._connection, self._options = database, connection, options
        self._incidents: dict[str, dict[str, Any]] = {}
        self._parts: dict[str, dict[str, StationPart]] = {}  # by incident and station
        self._fresh: set[str] = set()  # incidents that are not inserted yet
        self._changed: set[str] = set()
        self._pending: list[dict[str, Any]] = []  # occurrences that are not inserted yet
        self._window: tuple[datetime, datetime] | None = None  # times of occurrences whose candidates are loaded

    def incident(self, incident_id: str) -> dict[str, Any]:
        """Return the row of an incident, to be changed by the caller, who then calls ``mark_changed``."""
        if incident_id not in self._incidents:
            query = select(incident).where(incident.c.id == incident_id)
            self._incidents[incident_id] = dict(self._connection.execute(query).mappings().one())
        return self._incidents[incident_id]

    def mark_changed(self, incident_id: str) -> None:
        """Note that the row of an incident must be written."""
        self._changed.add(incident_id)

    def find_or_open(self, one: Occurrence, siblings: Mapping[str, datetime]) -> str:
        """Return the id of the incident nearest in time that matches an occurrence; open one if none matches.

        Args:
            one: The occurrence.
            siblings: Incident id and time of the other occurrences with the same subject.
        """
        self._load_around(one.at)
        nearest = {
            incident_id: abs(at - one.at) for incident_id, at in siblings.items() if self._fits(incident_id, one)
        }
        for incident_id, at in self._witnesses(one):
            if self._fits(incident_id, one):
                nearest[incident_id] = min(abs(at - one.at), nearest.get(incident_id, timedelta.max))
        candidates = [
            (incident_id, parts) for incident_id, parts in self._near_parts(one) if self._fits(incident_id, one)
        ]
        if not nearest and len(candidates) == 1:
            incident_id, parts = candidates[0]
            if any(self._is_beside(station, part, one) for station, part in parts):
                return incident_id
        for incident_id, parts in candidates:
            for station, part in parts:
                distance = self._distance(incident_id, station, part, one)
                if distance is not None:
                    nearest[incident_id] = min(distance, nearest.get(incident_id, timedelta.max))
        if nearest:
            return min(
                (distance, self.incident(incident_id)["started_at"], incident_id)
                for incident_id, distance in nearest.items()
            )[2]
        return self._open(one)

    def add(self, one: Occurrence, incident_id: str, row: dict[str, Any], new_capture: bool) -> None:
        """Add a new occurrence to an incident; ``row`` is its row without the incident."""
        self._pending.append(row | {"incident_id": incident_id})
        if incident_id not in self._parts and incident_id not in self._fresh:
            self._load_parts([incident_id])  # found by its subject or a witness, outside the loaded time window
        parts = self._parts.setdefault(incident_id, {})
        if one.station in parts:
            parts[one.station].add(one)
        else:
            parts[one.station] = _new_part(one)
        values = self.incident(incident_id)
        values["occurrences"] += 1
        values["captures"] += int(new_capture)
        self.mark_changed(incident_id)

    def note_kind(self, one: Occurrence, incident_id: str) -> None:
        """Update the severity of an occurrence's kind in the incident's list of kinds."""
        values = self.incident(incident_id)
        kinds = dict(values["kinds"])
        first = _microseconds.process_bind_param(one.at, self._connection.dialect) or 0
        known = kinds.get(one.kind)
        if known is None and len(kinds) >= MAX_KINDS:
            return
        kinds[one.kind] = [_worse(known[0], one.severity), min(known[1], first)] if known else [one.severity, first]
        values["kinds"] = kinds
        self.mark_changed(incident_id)

    def flush(self) -> None:
        """Write all changes."""
        if fresh := [self._incidents[incident_id] for incident_id in self._fresh]:
            self._connection.execute(insert(incident), fresh)
        for incident_id in self._changed - self._fresh:
            row = self._incidents[incident_id]
            self._connection.execute(update(incident).where(incident.c.id == incident_id).values(row))
        if self._pending:
            self._connection.execute(insert(occurrence), self._pending)
        for incident_id, parts in self._parts.items():
            for station, part in parts.items():
                if part.changed:
                    self._write_part(incident_id, station, part)
        self._fresh.clear()
        self._changed.clear()
        self._pending.clear()

    def _write_part(self, incident_id: str, station: str, part: StationPart) -> None:
        row = {"incident_id": incident_id, "station": station} | {name: getattr(part, name) for name in _PART}
        self._database.put(self._connection, incident_station, row, _PART)
        part.changed = False

    def _load_around(self, at: datetime) -> None:
        """Load the incidents that an occurrence at this time can join, unless they are in memory already."""
        if self._window is not None and self._window[0] <= at <= self._window[1]:
            return
        self.flush()
        self._incidents.clear()
        self._parts.clear()
        self._window = (at, at + _LOOKAHEAD)
        # A part is at most as long as its incident, so both sides of the range of ``last_at`` are bounded.
        before, after = self._options.gap, _LOOKAHEAD + self._options.gap + self._options.longest
        when = incident_station.c.last_at.between(at - before, at + after)
        wanted = self._connection.execute(select(incident_station.c.incident_id).where(when).distinct()).scalars()
        for ids in portions(wanted):
            for row in self._connection.execute(select(incident).where(incident.c.id.in_(ids))).mappings():
                self._incidents[row["id"]] = dict(row)
            self._load_parts(ids)

    def _load_parts(self, incident_ids: Sequence[str]) -> None:
        query = select(incident_station).where(incident_station.c.incident_id.in_(incident_ids))
        for row in self._connection.execute(query).mappings():
            part = StationPart(**{name: row[name] for name in _PART}, changed=False)
            self._parts.setdefault(row["incident_id"], {})[row["station"]] = part

    def _fits(self, incident_id: str, one: Occurrence) -> bool:
        row = self.incident(incident_id)
        lasts = max(row["ended_at"], one.at) - min(row["started_at"], one.at)
        return bool(lasts <= self._options.longest)

    def _witnesses(self, one: Occurrence) -> Iterator[tuple[str, datetime]]:
        if one.witnesses and self._pending:
            self.flush()
        for ids in portions(sorted(one.witnesses)):
            query = select(occurrence.c.incident_id, occurrence.c.at).where(occurrence.c.subject.in_(ids))
            for row in self._connection.execute(query).mappings():
                yield row["incident_id"], row["at"]

    def _near_parts(self, one: Occurrence) -> Iterator[tuple[str, list[tuple[str, StationPart]]]]:
        """Yield the incidents with parts that can contain an occurrence near the given one, with these parts."""
        gap = self._options.gap
        for incident_id, parts in self._parts.items():
            near = [
                (station, part)
                for station, part in parts.items()
                if part.last_at >= one.at - gap
                and part.first_at <= one.at + gap
                and (station == one.station or _may_reach(part, one.location, self._options.reach_m))
            ]
            if near:
                yield incident_id, near

    def _is_beside(self, station: str, part: StationPart, one: Occurrence) -> bool:
        """Return whether the first or the last occurrence of a part is certainly near the given one."""
        if part.moved and station != one.station:
            return False  # the places of the first and the last occurrence are not known
        return min(abs(one.at - part.first_at), abs(one.at - part.last_at)) <= self._options.gap

    def _distance(self, incident_id: str, station: str, part: StationPart, one: Occurrence) -> timedelta | None:
        """Return the time from an occurrence to the nearest one of a part; None if none of them is near."""
        everywhere = station == one.station or not part.moved
        if everywhere and one.at >= part.last_at:
            return _within(one.at - part.last_at, self._options.gap)
        if everywhere and one.at <= part.first_at:
            return _within(part.first_at - one.at, self._options.gap)
        if self._pending:
            self.flush()
        limit = 1 if everywhere else _MAX_COMPARED
        times = [
            abs(row["at"] - one.at)
            for row in self._neighbours(incident_id, station, one.at, limit)
            if everywhere or _is_within(place_of(row), one.location, self._options.reach_m)
        ]
        return min(times, default=None)

    def _neighbours(self, incident_id: str, station: str, at: datetime, limit: int) -> Iterator[Mapping[str, Any]]:
        columns = (occurrence.c.at, occurrence.c.latitude, occurrence.c.longitude)
        part = select(*columns).where(occurrence.c.incident_id == incident_id, occurrence.c.station == station)
        gap = self._options.gap
        earlier = part.where(occurrence.c.at.between(at - gap, at)).order_by(occurrence.c.at.desc()).limit(limit)
        later = part.where(occurrence.c.at.between(at, at + gap)).order_by(occurrence.c.at).limit(limit)
        for query in (earlier, later):
            for row in self._connection.execute(query).mappings():
                yield dict(row)

    def _open(self, one: Occurrence) -> str:
        incident_id = str(uuid7())
        self._incidents[incident_id] = {
            "id": incident_id,
            "started_at": one.at,
            "ended_at": one.at,
            "updated_at": one.received_at,
            "severity": one.severity,
            "confidence": one.confidence,
            "told_severity": None,
            "told_kinds": [],
            "late": True,
            "occurrences": 0,
            "captures": 0,
            "kinds": {},
        }
        self._fresh.add(incident_id)
        return incident_id


def _new_part(one: Occurrence) -> StationPart:
    place = place_columns(one.location)
    latitude, longitude = place["latitude"], place["longitude"]
    return StationPart(one.at, one.at, latitude, latitude, longitude, longitude, moved=False)


def _may_reach(part: StationPart, place: Location | None, reach_m: float) -> bool:
    """Return whether a location of a part can be within reach of a place; exact if the station did not move."""
    if place is None or part.south is None or part.north is None or part.west is None or part.east is None:
        return False
    # The point of the rectangle in the latitude and longitude of the place, or at the nearest edge. Near a pole or at
    # 180 degrees this is not always the nearest point, so any rectangle there is accepted.
    if part.moved and (abs(place.latitude) > 80 or part.east - part.west > 180 or abs(place.longitude) > 170):
        return True
    nearest = Location(
        latitude=min(max(place.latitude, part.south), part.north),
        longitude=min(max(place.longitude, part.west), part.east),
    )
    slack_m = 1.0 + 0.01 * reach_m if part.moved else 0.0
    return distance_m(nearest, place) <= reach_m + slack_m


def _is_within(one: Location | None, other: Location | None, reach_m: float) -> bool:
    return one is not None and other is not None and distance_m(one, other) <= reach_m


def _within(distance: timedelta, gap: timedelta) -> timedelta | None:
    return distance if distance <= gap else None


def _worse(one: Severity, other: Severity) -> Severity:
    return max(one, other, key=severity_rank)
