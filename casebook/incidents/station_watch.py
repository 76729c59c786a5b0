"""Detection of stations that send no messages or report a sensor that cannot watch, and of their recovery."""

import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import UNSET
from sqlalchemy import select, update

from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.station_rules import StationRule
from casebook.incidents.tables import heard, occurrence, sensor_gap
from contract import Deployment, Effort, Event, Health, Status

_SAVE_EVERY = timedelta(seconds=30)  # each save is a commit; a busy station must not cost one commit per batch
_SAME_GAP = timedelta(minutes=5)  # two effort records of one gap may be this far apart
_LONGEST_EFFORT = timedelta(days=1)
_AHEAD = timedelta(minutes=10)  # a time further ahead of the server's clock comes from a clock that was wrong


class StationWatch:
    """Repository of each station's last message and of the periods in which its sensors could not watch.

    It detects silent and blind stations by the server's clock.
    """

    def __init__(self, database: Database, rules: Iterable[StationRule], options: IncidentOptions) -> None:
        """Create the repository for a database that contains the incident tables."""
        self._database = database
        self._rules = tuple(rules)
        self._options = options
        self._saved: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def record(self, received: Iterable[tuple[Event | Status | Health | Effort | Deployment, datetime]]) -> None:
        """Store each station's last message time and location, and the periods in which its sensors could not watch.

        Args:
            received: Each record, and the time this server received it, UTC.

        Raises:
            StoreUnavailable: the database did not answer or rejected the statement.
        """
        latest: dict[str, tuple[Event | Health | Effort | Deployment, datetime]] = {}
        efforts: list[tuple[Effort, datetime]] = []
        for record, received_at in received:
            if isinstance(record, Status):
                continue  # may be a last will or a retained copy, which the broker sends without the station
            if isinstance(record, Effort):
                efforts.append((record, received_at))
            if isinstance(record, Health) or record.imported_at is UNSET:  # a card says nothing about the present
                latest[record.station] = record, received_at
        with self._lock:
            due = {name: item for name, item in latest.items() if self._due(name, item[1])}
            if not due and not efforts:
                return
            with self._database.begin() as connection:
                for name, (record, received_at) in due.items():
                    place = record.location if isinstance(record, Event) and record.simulated is not True else None
                    row = {"station": name, "at": received_at, **place_columns(place)}
                    changing = ["at", *(("latitude", "longitude") if place else ())]
                    self._database.put(connection, heard, row, changing)
                for effort, received_at in efforts:
                    self._record_effort(connection, effort, received_at)
            self._saved |= {name: received_at for name, (_, received_at) in due.items()}

    def update_problems(self, now: datetime, listening_since: datetime) -> list[Occurrence]:
        """Close the resolved problems of stations, and return those that have lasted longer than a rule allows.

        Args:
            now: Current time of the server's clock.
            listening_since: Time since which the server has been able to receive; earlier silence does not count.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        with self._database.begin() as connection:
            # After the server's clock was set back, a station counts as heard now, so that its silence is noticed.
            ahead = heard.c.at > now + _AHEAD
            connection.execute(update(heard).where(ahead).values(at=now))
            last = {row["station"]: row for row in connection.execute(select(heard)).mappings()}
            gaps = list(connection.execute(select(sensor_gap)).mappings())
            self._close_resolved(connection, now, last, gaps)
        found: list[Occurrence] = []
        for rule in self._rules:
            found += self._silent(rule, now, listening_since, last) if rule.state == "silent" else ()
            found += self._blind(rule, now, last, gaps) if rule.state == "blind" else ()
        return found

    def _silent(self, rule: StationRule, now: datetime, listening_since: datetime, last: Any) -> Iterable[Occurrence]:
        for station, row in last.items():
            if _applies_to(rule, station) and now - max(row["at"], listening_since) >= rule.after:
                yield self._occurrence(rule, station, "silent", row["at"], now, row, late=False)

    def _blind(self, rule: StationRule, now: datetime, last: Any, gaps: Any) -> Iterable[Occurrence]:
        for row in gaps:
            if (
                not _applies_to(rule, row["station"])
                or row["gap"] not in rule.gaps
                or row["until"] - row["since"] < rule.after
            ):
                continue
            late = now - row["until"] > self._options.late_after
            yield self._occurrence(
                rule, row["station"], row["gap"], row["since"], now, last.get(row["station"]), late, row["sensor"]
            )

    def _occurrence(
        self,
        rule: StationRule,
        station: str,
        kind: str,
        since: datetime,
        now: datetime,
        row: Any,
        late: bool,
        sensor: str = "",
    ) -> Occurrence:
        values = {"label": kind, "station": station, "since": since.isoformat(timespec="seconds")}
        return Occurrence(
            # One problem has the same id at every check, so it raises one alert.
            subject=str(uuid.uuid5(uuid.NAMESPACE_URL, f"wildpost:{station}/{sensor}/{kind}/{since.isoformat()}")),
            kind=kind,
            source="health",
            station=station,
            at=since,
            received_at=now,
            location=place_of(row) if row else None,
            severity=rule.severity,
            confidence=1.0,
            reasons=(values | ({"sensor": sensor} if sensor else {}),),
            rules=(rule.name,),
            late=late,
        )

    def _close_resolved(self, connection: Any, now: datetime, last: Any, gaps: Any) -> None:
        current_gaps = {(row["station"], row["gap"]) for row in gaps if row["gap"]}
        query = select(occurrence).where(occurrence.c.source == "health", occurrence.c.over_at.is_(None))
        for row in connection.execute(query).mappings().all():
            heard_last = last.get(row["station"])
            over = (
                heard_last is not None and heard_last["at"] > row["received_at"]
                if row["kind"] == "silent"
                else (row["station"], row["kind"]) not in current_gaps
            )
            if over:
                connection.execute(
                    update(occurrence)
                    .where(occurrence.c.subject == row["subject"], occurrence.c.kind == row["kind"])
                    .values(over_at=heard_last["at"] if row["kind"] == "silent" else now)
                )

    def _record_effort(self, connection: Any, effort: Effort, received_at: datetime) -> None:
        start, end = effort.start.astimezone(UTC), effort.end.astimezone(UTC)
        if end > received_at + _AHEAD:  # the station's clock is ahead: the record ends when it arrives
            start, end = received_at - min(end - start, _LONGEST_EFFORT), received_at
        key = (sensor_gap.c.station == effort.station, sensor_gap.c.sensor == effort.sensor)
        known = connection.execute(select(sensor_gap).where(*key)).mappings().first()
        if known is not None and known["until"] > received_at + _AHEAD:
            known = None  # the server's clock was set back since: what it said before has no order with this
        if known is not None and end <= known["until"]:
            return  # redelivered or out of order: a later record is stored
        same = known is not None and known["gap"] == effort.gap and start - known["until"] <= _SAME_GAP
        row = {"station": effort.station, "sensor": effort.sensor, "gap": effort.gap, "until": end}
        row["since"] = known["since"] if same else start
        self._database.put(connection, sensor_gap, row, ["gap", "since", "until"])

    def _due(self, station: str, at: datetime) -> bool:
        saved = self._saved.get(station)
        return saved is None or abs(at - saved) >= _SAVE_EVERY  # the server's clock may have been set back


def _applies_to(rule: StationRule, station: str) -> bool:
    return not rule.stations or station in rule.stations
