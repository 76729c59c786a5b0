"""Repository of what the server tells stations: who asked for what, whether it was sent, and what the station said."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from casebook.awaited_originals import room_problem, size_of
from casebook.incidents.database import Database
from casebook.tables import chain_run, reported_settings, station_command
from contract.commands import (
    FINAL_STATES,
    Answer,
    AnswerState,
    CommandKind,
    MediaPart,
    channel_of,
)
from contract.errors import InvalidInput
from contract.topics import Channel

CommandState = Literal["asked", "sent", "expired", "superseded"] | AnswerState
UNANSWERED: tuple[CommandState, ...] = ("asked", "sent")
UNDER_WAY: tuple[CommandState, ...] = (*UNANSWERED, "accepted")
MOST_UNDER_WAY = 200  # of one station: what people ask for on pages, not programs
GIVEN_UP_AFTER = timedelta(days=30)  # an accepted command: the station was lost, or its card replaced
RESEND_AFTER = timedelta(minutes=10)  # a station that was away for longer has no session at the broker any more


class CommandRefused(InvalidInput):
    """A command cannot be recorded; the message says why."""


@dataclass(frozen=True, slots=True)
class StationCommand:
    """Something that a station is told.

    Attributes:
        number: Number of the command.
        station: Name of the station.
        kind: What it is.
        nonce: Its id in the envelope and in answers.
        payload: JSON text.
        event_id: Event of the original that is asked for; "": none is.
        sha256: Hash of that original.
        asked_by: Who asked.
        asked_at: When, UTC.
        expires_at: When it expires, UTC.
        serial: Serial of its envelope; None: it is not sealed yet.
        envelope: The sealed envelope.
        sent_at: When it was sent for the last time; None: it was not.
        state: "asked" and "sent" have no answer; "accepted" is being done; all others are final.
        detail: The station's explanation.
        result: The station's result, a JSON text.
        answered_at: When the last answer arrived.
    """

    number: int
    station: str
    kind: CommandKind
    nonce: str
    payload: str
    event_id: str
    sha256: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    serial: int | None
    envelope: bytes | None
    sent_at: datetime | None
    state: CommandState
    detail: str
    result: str
    answered_at: datetime | None

    @property
    def channel(self) -> Channel:
        """Topic on which it is sent."""
        return channel_of(self.kind)


@dataclass(frozen=True, slots=True)
class ReportedSettings:
    """Settings that a station has in force, of those that can be changed remotely.

    Attributes:
        station: Name of the station.
        at: When it reported them, by its clock; the time of arrival if its clock is ahead.
        serial: Serial of the settings that the server sent; 0: none.
        state: "done" if they are in force, "rolled-back" or "refused" if not, "reported" at a start.
        detail: Why they are not.
        settings: JSON text.
    """

    station: str
    at: datetime
    serial: int
    state: AnswerState
    detail: str
    settings: str


class StationCommands:
    """Repository of the commands in the casebook's database; several processes may use it."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def ask(
        self,
        station: str,
        kind: CommandKind,
        payload: str,
        by: str,
        now: datetime,
        lasts: timedelta,
        original: tuple[str, str] = ("", ""),
    ) -> StationCommand:
        """Record a command, which the server sends in the background; new settings replace those without an answer.

        Args:
            station: Name of the station.
            kind: What it is told.
            payload: JSON text.
            by: Who asks.
            now: The time now.
            lasts: Time after which it expires.
            original: Event and hash of the original that is asked for. One that is asked for already is returned.

        Raises:
            CommandRefused: too much is under way for this station.
            StoreUnavailable: the casebook does not answer.
        """
        row = {
            "station": station,
            "channel": channel_of(kind),
            "kind": kind,
            "nonce": secrets.token_hex(16),
            "payload": payload,
            "event_id": original[0],
            "sha256": original[1],
            "asked_by": by,
            "asked_at": now,
            "expires_at": now + lasts,
            "state": "asked",
            "detail": "",
            "result": "",
        }
        table = station_command.c
        with self._database.exclusive() as connection:
            same = table.station == station, table.state.in_(UNDER_WAY)
            if original[0]:
                query = select(station_command).where(*same, table.event_id == original[0], table.sha256 == original[1])
                if known := connection.execute(query).mappings().first():
                    return _command(known)
            if kind == "settings":
                replaced = update(station_command).where(*same, table.channel == "settings")
                connection.execute(replaced.values(state="superseded"))
            under_way = select(func.count()).select_from(station_command).where(*same)
            if connection.execute(under_way).scalar_one() >= MOST_UNDER_WAY:
                raise CommandRefused(f"{station}: {MOST_UNDER_WAY} commands are under way; wait until it answers")
            if original[0]:
                awaited = select(table.station, table.payload).where(table.event_id != "", table.state.in_(UNDER_WAY))
                if problem := room_problem(map(tuple, connection.execute(awaited)), station, payload):
                    raise CommandRefused(problem)
            number = connection.execute(insert(station_command).values(**row)).inserted_primary_key
            assert number is not None  # noqa: S101, the statement inserts one row
            return _one(connection, number[0])

    def due(self, now: datetime) -> list[StationCommand]:
        """Return what has to be sent now: of each station and channel the oldest without an answer.

        One after the other, so that no serial overtakes a lower one, which the station would then ignore.
        """
        table = station_command.c
        with self._database.begin() as connection:
            expired = update(station_command).where(table.state.in_(UNANSWERED), table.expires_at <= now)
            connection.execute(expired.values(state="expired"))
            given_up = update(station_command).where(table.state == "accepted", table.asked_at <= now - GIVEN_UP_AFTER)
            connection.execute(given_up.values(state="expired"))
            first = (
                select(func.min(table.id))
                .where(table.state.in_(UNANSWERED))
                .group_by(table.station, table.channel)
                .scalar_subquery()
            )
            rows = connection.execute(select(station_command).where(table.id.in_(first))).mappings().all()
        found = [_command(row) for row in rows]
        return [one for one in found if one.sent_at is None or now - one.sent_at >= RESEND_AFTER]

    def next_serial(self, command: StationCommand, now: datetime) -> int:
        """Return a serial above all of the command's station and channel; the time, also after a restored backup."""
        table = station_command.c
        query = select(func.max(table.serial)).where(table.station == command.station, table.channel == command.channel)
        with self._database.begin() as connection:
            last = connection.execute(query).scalar_one() or 0
        return max(int(last) + 1, int(now.timestamp() * 1000))

    def seal(self, number: int, serial: int, envelope: bytes) -> None:
        """Store the envelope of a command before it is sent, so that it is always sent as the same."""
        with self._database.begin() as connection:
            mine = update(station_command).where(station_command.c.id == number)
            connection.execute(mine.values(serial=serial, envelope=envelope))

    def sent(self, number: int, now: datetime) -> None:
        """Record that a command was sent."""
        table = station_command.c
        with self._database.begin() as connection:
            mine = update(station_command).where(table.id == number)
            connection.execute(mine.values(sent_at=now))
            connection.execute(mine.where(table.state == "asked").values(state="sent"))

    def record(self, answers: Sequence[tuple[Answer, datetime]]) -> None:
        """Record answers with their time of arrival; repeated and late ones change nothing.

        An answer that is signed with a key which the station's events do not use changes nothing either.

        Raises:
            StoreUnavailable: the casebook does not answer.
        """
        with self._database.exclusive() as connection:
            for answer, at in answers:
                if not _key_is_known(connection, answer):
                    continue
                self._record_command(connection, answer, at)
                if answer.kind == "settings" and answer.state != "accepted" and answer.result:
                    self._record_settings(connection, answer, at)

    def came(self, station: str, event_id: str, sha256: str, now: datetime, problem: str = "") -> None:
        """Record that an original has arrived whole, or what was wrong with it."""
        table = station_command.c
        mine = table.station == station, table.event_id == event_id, table.sha256 == sha256
        values = {"state": "failed" if problem else "done", "detail": problem, "answered_at": now}
        with self._database.begin() as connection:
            connection.execute(update(station_command).where(*mine, table.state.in_(UNDER_WAY)).values(**values))

    def is_awaited(self, part: MediaPart) -> bool:
        """Return whether the original of a part was asked for, with the size that the part names, and is not here."""
        table = station_command.c
        mine = table.station == part.station, table.event_id == part.event_id, table.sha256 == part.sha256
        query = select(table.payload).where(*mine, table.state.in_(UNDER_WAY)).limit(1)
        with self._database.begin() as connection:
            payload = connection.execute(query).scalar_one_or_none()
        return payload is not None and size_of(payload) == part.size

    def numbered(self, number: int) -> StationCommand:
        """Return the command with a number, which ``ask`` has given."""
        with self._database.begin() as connection:
            return _one(connection, number)

    def latest(self, station: str = "", limit: int = 50) -> list[StationCommand]:
        """List commands, newest first; of all stations if none is named."""
        query = select(station_command).order_by(station_command.c.id.desc()).limit(limit)
        return self._list(query.where(station_command.c.station == station) if station else query)

    def of_event(self, event_id: str) -> StationCommand | None:
        """Return the latest request for the original of an event; None: nobody has asked."""
        query = select(station_command).where(station_command.c.event_id == event_id)
        return next(iter(self._list(query.order_by(station_command.c.id.desc()).limit(1))), None)

    def desired_settings(self) -> dict[str, StationCommand]:
        """Return the settings that each station was told last, by station."""
        table = station_command.c
        last = select(func.max(table.id)).where(table.channel == "settings").group_by(table.station).scalar_subquery()
        return {one.station: one for one in self._list(select(station_command).where(table.id.in_(last)))}

    def settings_in_force(self, station: str) -> StationCommand | None:
        """Return the latest settings for a station that were not refused or rolled back; None: there are none."""
        table = station_command.c
        valid = table.state.in_((*UNDER_WAY, "done", "superseded"))
        query = select(station_command).where(table.station == station, table.channel == "settings", valid)
        return next(iter(self._list(query.order_by(table.id.desc()).limit(1))), None)

    def reported(self) -> dict[str, ReportedSettings]:
        """Return the settings that each station has reported last, by station."""
        with self._database.begin() as connection:
            rows = connection.execute(select(reported_settings)).mappings().all()
        return {row["station"]: ReportedSettings(**row) for row in rows}

    def _record_command(self, connection: Connection, answer: Answer, at: datetime) -> None:
        table = station_command.c
        mine = table.station == answer.station, table.nonce == answer.nonce, table.state.not_in(FINAL_STATES)
        values = {"state": answer.state, "detail": answer.detail, "result": answer.result, "answered_at": at}
        connection.execute(update(station_command).where(*mine).values(**values))

    def _record_settings(self, connection: Connection, answer: Answer, arrived_at: datetime) -> None:
        at = min(answer.at, arrived_at)  # with a time in the future, no later report would replace this one
        known = select(reported_settings.c.at).where(reported_settings.c.station == answer.station)
        before = connection.execute(known).scalar_one_or_none()
        if before is not None and before > at:
            return
        row = {"station": answer.station, "at": at, "serial": answer.serial, "state": answer.state}
        row |= {"detail": answer.detail, "settings": answer.result}
        self._database.put(connection, reported_settings, row, [name for name in row if name != "station"])

    def _list(self, query: Any) -> list[StationCommand]:
        with self._database.begin() as connection:
            return [_command(row) for row in connection.execute(query).mappings()]


def _key_is_known(connection: Connection, answer: Answer) -> bool:
    """Return whether a station's events are signed with the key of an answer, or none of its events is signed yet."""
    query = select(chain_run.c.public_key).where(chain_run.c.station == answer.station).distinct()
    keys = set(connection.execute(query).scalars())
    return not keys or answer.key in keys


def _one(connection: Connection, number: int) -> StationCommand:
    return _command(connection.execute(select(station_command).where(station_command.c.id == number)).mappings().one())


def _command(row: Any) -> StationCommand:
    values = {name: value for name, value in row.items() if name not in ("id", "channel")}
    return StationCommand(number=row["id"], **values)
