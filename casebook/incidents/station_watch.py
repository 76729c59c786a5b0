"""Notices a station that has fallen silent or blind, by the server's own clock, and when it is back."""

import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.station_rules import StationRule
from casebook.incidents.tables import heard, occurrence, sensor_gap
from contract import Deployment, Effort, Event, Health, Status

_SAVE_EVERY = timedelta(seconds=30)  # each save is a commit: a busy station must not cost one a batch
_SAME_GAP = timedelta(minutes=5)  # two accounts of one gap may lie so far apart


class StationWatch:
    """Keeps what was last heard of every station, and tells what has been wrong for too long."""

    def __init__(self, database: Database, rules: Iterable[StationRule], options: IncidentOptions) -> None:
        """Use a database that has the tables."""
        self._database = database
        self._rules = tuple(rules)
        self._options = options
        self._saved: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def note(self, received: Iterable[tuple[Event | Status | Health | Effort | Deployment, datetime]]) -> None:
        """Keep what records say of their stations.

        Args:
            received: Each record, and when this server received it, UTC.

        Raises:
            StoreUnavailable: the database did not take it.
        """
        latest: dict[str, tuple[Event | Health | Effort | Deployment, datetime]] = {}
        efforts = []
        for record, received_at in received:
            if isinstance(record, Status):
                continue  # the broker publishes it in the station's name, and again to every new subscriber
            latest[record.station] = record, received_at
            if isinstance(record, Effort):
                efforts.append(record)
        with self._lock:
            due = {name: item for name, item in latest.items() if self._due(name, item[1])}
            if not due and not efforts:
                return
            with self._database.begin() as connection:
                for name, (record, received_at) in due.items():
                    place = record.location if isinstance(record, Event) else None
                    row = {"station": name, "at": received_at, **place_columns(place)}
                    changing = ["at", *(("latitude", "longitude") if place else ())]
                    self._database.put(connection, heard, row, changing)
                for effort in efforts:
                    self._note_effort(connection, effort)
            self._saved |= {name: received_at for name, (_, received_at) in due.items()}

    def check(self, now: datetime, listening_since: datetime) -> list[Occurrence]:
        """Tell what has been wrong for too long, and note what is over.

        Args:
            now: By the server's clock.
            listening_since: From when on the server could hear stations: before that it is itself that was deaf.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        with self._database.begin() as connection:
            last = {row["station"]: row for row in connection.execute(select(heard)).mappings()}
            gaps = list(connection.execute(select(sensor_gap)).mappings())
            self._end_what_is_over(connection, now, last, gaps)
        found: list[Occurrence] = []
        for rule in self._rules:
            found += self._silent(rule, now, listening_since, last) if rule.state == "silent" else ()
            found += self._blind(rule, now, last, gaps) if rule.state == "blind" else ()
        return found

    def _silent(self, rule: StationRule, now: datetime, listening_since: datetime, last: Any) -> Iterable[Occurrence]:
        for station, row in last.items():
            if _concerns(rule, station) and now - max(row["at"], listening_since) >= rule.after:
                yield self._happening(rule, station, "silent", row["at"], now, row, late=False)

    def _blind(self, rule: StationRule, now: datetime, last: Any, gaps: Any) -> Iterable[Occurrence]:
        for row in gaps:
            if (
                not _concerns(rule, row["station"])
                or row["gap"] not in rule.gaps
                or row["until"] - row["since"] < rule.after
            ):
                continue
            late = now - row["until"] > self._options.late_after
            yield self._happening(
                rule, row["station"], row["gap"], row["since"], now, last.get(row["station"]), late, row["sensor"]
            )

    def _happening(
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
            # The same trouble has the same name each time it is looked at: it is told once.
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

    def _end_what_is_over(self, connection: Any, now: datetime, last: Any, gaps: Any) -> None:
        going_on = {(row["station"], row["gap"]) for row in gaps if row["gap"]}
        query = select(occurrence).where(occurrence.c.source == "health", occurrence.c.over_at.is_(None))
        for row in connection.execute(query).mappings().all():
            word = last.get(row["station"])
            over = (
                word is not None and word["at"] > row["received_at"]
                if row["kind"] == "silent"
                else (row["station"], row["kind"]) not in going_on
            )
            if over:
                connection.execute(
                    update(occurrence)
                    .where(occurrence.c.subject == row["subject"], occurrence.c.kind == row["kind"])
                    .values(over_at=word["at"] if row["kind"] == "silent" else now)
                )

    def _note_effort(self, connection: Any, effort: Effort) -> None:
        start, end = effort.start.astimezone(UTC), effort.end.astimezone(UTC)
        key = (sensor_gap.c.station == effort.station, sensor_gap.c.sensor == effort.sensor)
        known = connection.execute(select(sensor_gap).where(*key)).mappings().first()
        if known is not None and end <= known["until"]:
            return  # delivered again, or out of its turn: something later is known
        same = known is not None and known["gap"] == effort.gap and start - known["until"] <= _SAME_GAP
        row = {"station": effort.station, "sensor": effort.sensor, "gap": effort.gap, "until": end}
        row["since"] = known["since"] if same else start
        self._database.put(connection, sensor_gap, row, ["gap", "since", "until"])

    def _due(self, station: str, at: datetime) -> bool:
        saved = self._saved.get(station)
        return saved is None or at - saved >= _SAVE_EVERY


def _concerns(rule: StationRule, station: str) -> bool:
    return not rule.stations or station in rule.stations
