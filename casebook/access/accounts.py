"""Repository of accounts and areas; every change is recorded in the audit log, in one transaction."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from casebook.access.actor import ROLES, Actor, Role
from casebook.access.audit import Action, append_entry
from casebook.access.tables import access_session, account, area
from casebook.incidents.database import Database
from contract.errors import InvalidInput

EVERYWHERE = "*"  # in the areas of an account: all stations, also those in no area
MAX_STATIONS = 500  # of one area: a query names them all
MAX_TEXT = 100  # characters of a display name or unit
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_AREA = re.compile(r"[^\W_][\w .-]{0,39}")


class AccountProblem(InvalidInput):
    """An account or area does not exist, exists already, or has an unusable value; the message says which."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account.

    Attributes:
        id: Permanent id, recorded with decisions.
        name: Name for the sign-in, unique.
        display_name: Name that decisions show.
        unit: Organisation; "" if it is not recorded.
        roles: Roles, in the order of ``ROLES``.
        areas: Areas whose stations the person may see; ``EVERYWHERE``: all stations.
        created_at: Time of creation, UTC.
        disabled_at: Time since which the account cannot sign in; None: it can.
    """

    id: str
    name: str
    display_name: str
    unit: str
    roles: tuple[Role, ...]
    areas: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None


class Accounts:
    """Repository of accounts and areas; every method raises ``StoreUnavailable`` if the database does not answer."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def exist(self) -> bool:
        """Return whether there is any account, also a disabled one."""
        with self._database.begin() as connection:
            return connection.execute(select(account.c.id).limit(1)).first() is not None

    def all(self) -> list[Account]:
        """List all accounts by name."""
        with self._database.begin() as connection:
            rows = connection.execute(select(account).order_by(account.c.name)).mappings()
            return [account_of(row) for row in rows]

    def find(self, name: str) -> tuple[Account, str] | None:
        """Return the account with a name, and the hash of its password; None if there is no such account."""
        with self._database.begin() as connection:
            row = connection.execute(select(account).where(account.c.name == name.lower())).mappings().first()
        return None if row is None else (account_of(row), row["password_hash"])

    def by_id(self, account_id: str) -> Account | None:
        """Return the account with an id; None if there is no such account."""
        with self._database.begin() as connection:
            row = connection.execute(select(account).where(account.c.id == account_id)).mappings().first()
        return None if row is None else account_of(row)

    def add(
        self,
        name: str,
        display_name: str,
        password_hash: str,
        roles: Collection[Role],
        areas: Collection[str],
        unit: str,
        by: Actor,
    ) -> Account:
        """Create an account and return it.

        Raises:
            AccountProblem: the name is taken, or a value is not usable.
        """
        if not _NAME.fullmatch(name):
            raise AccountProblem(f"account {name!r}: expected up to 32 of a-z, 0-9, '.', '_', '-'")
        now = datetime.now(UTC)
        values = {"display_name": display_name, "unit": unit, "roles": list(roles), "areas": list(areas)}
        with self._database.exclusive() as connection:
            _check(connection, values)
            if connection.execute(select(account.c.id).where(account.c.name == name)).first():
                raise AccountProblem(f"account {name!r} exists already")
            row = {"id": str(uuid.uuid4()), "name": name, **values, "created_at": now, "disabled_at": None}
            connection.execute(insert(account).values(**row, password_hash=password_hash))
            append_entry(connection, by, "account added", _described(name, values))
        return account_of(row)

    def change(self, name: str, changes: Mapping[str, Any], by: Actor) -> None:
        """Change ``display_name``, ``unit``, ``roles`` or ``areas`` of an account; its sessions follow at once.

        Raises:
            AccountProblem: there is no such account, or a value is not usable.
        """
        with self._database.exclusive() as connection:
            _check(connection, changes)
            _update(connection, name, changes, by, "account changed", _described(name, changes))

    def disable(self, name: str, by: Actor) -> None:
        """Disable an account and end its sessions.

        Raises:
            AccountProblem: there is no such account.
        """
        with self._database.exclusive() as connection:
            _update(connection, name, {"disabled_at": datetime.now(UTC)}, by, "account disabled", name)
            _end_sessions(connection, name)

    def enable(self, name: str, by: Actor) -> None:
        """Allow a disabled account to sign in again.

        Raises:
            AccountProblem: there is no such account.
        """
        with self._database.exclusive() as connection:
            _update(connection, name, {"disabled_at": None}, by, "account enabled", name)

    def set_password(self, name: str, password_hash: str, by: Actor) -> None:
        """Replace the password of an account and end its sessions.

        Raises:
            AccountProblem: there is no such account.
        """
        with self._database.exclusive() as connection:
            _update(connection, name, {"password_hash": password_hash}, by, "password changed", name)
            _end_sessions(connection, name)

    def renew_hash(self, account_id: str, old: str, new: str) -> None:
        """Replace the hash of an unchanged password by one with other parameters."""
        with self._database.begin() as connection:
            same = (account.c.id == account_id, account.c.password_hash == old)
            connection.execute(update(account).where(*same).values(password_hash=new))

    def end_sessions(self, name: str, by: Actor) -> int:
        """End all sessions of an account and return their number.

        Raises:
            AccountProblem: there is no such account.
        """
        with self._database.exclusive() as connection:
            if not connection.execute(select(account.c.id).where(account.c.name == name)).first():
                raise _unknown(name)
            append_entry(connection, by, "sessions ended", name)
            return _end_sessions(connection, name)

    def areas(self) -> dict[str, tuple[str, ...]]:
        """Return the stations of each area, by the area's name."""
        with self._database.begin() as connection:
            return {name: tuple(stations) for name, stations in connection.execute(select(area).order_by(area.c.name))}

    def set_area(self, name: str, stations: Sequence[str], by: Actor) -> None:
        """Create an area, or replace its stations.

        Raises:
            AccountProblem: the name or the number of stations is not usable.
        """
        if not _AREA.fullmatch(name):
            raise AccountProblem(f"area {name!r}: expected a name of up to 40 letters, digits, spaces, '.', '-'")
        stations = sorted(set(stations))
        if not 0 < len(stations) <= MAX_STATIONS:
            raise AccountProblem(f"area {name!r} with {len(stations)} stations: expected 1 to {MAX_STATIONS}")
        with self._database.exclusive() as connection:
            self._database.put(connection, area, {"name": name, "stations": stations}, ["stations"])
            append_entry(connection, by, "area set", f"{name}: {', '.join(stations)}")

    def remove_area(self, name: str, by: Actor) -> None:
        """Remove an area that no account has.

        Raises:
            AccountProblem: there is no such area, or an account has it.
        """
        with self._database.exclusive() as connection:
            for row in connection.execute(select(account.c.name, account.c.areas)):
                if name in row.areas:
                    raise AccountProblem(f"area {name!r}: account {row.name!r} has it; change that account first")
            if not connection.execute(delete(area).where(area.c.name == name)).rowcount:
                raise AccountProblem(f"area {name!r}: no such area")
            append_entry(connection, by, "area removed", name)


def account_of(row: Any) -> Account:
    """Convert a row of the table ``account``."""
    values = {name: row[name] for name in Account.__slots__}
    return Account(**values | {"roles": tuple(row["roles"]), "areas": tuple(row["areas"])})


def stations_of(connection: Connection, areas: Collection[str]) -> frozenset[str] | None:
    """Return the stations of areas; None: all stations."""
    if EVERYWHERE in areas:
        return None
    rows = connection.execute(select(area.c.stations).where(area.c.name.in_(list(areas))))
    return frozenset(station for (stations,) in rows for station in stations)


def _check(connection: Connection, values: Mapping[str, Any]) -> None:
    """Check the values of an account that are given."""
    for field in ("display_name", "unit"):
        text = str(values.get(field, "-"))
        if len(text) > MAX_TEXT or not (text or field == "unit") or not all(map(str.isprintable, text)):
            raise AccountProblem(f"{field} {text!r}: expected up to {MAX_TEXT} printable characters")
    roles, areas = values.get("roles", ROLES), values.get("areas", (EVERYWHERE,))
    if not roles or not set(roles) <= set(ROLES):
        raise AccountProblem(f"roles {list(roles)}: expected some of {', '.join(ROLES)}")
    known = {EVERYWHERE, *connection.execute(select(area.c.name)).scalars()}
    if not areas or not set(areas) <= known:
        raise AccountProblem(
            f"areas {sorted(set(areas) - known)}: expected one or more of {sorted(known)}; * has all stations"
        )


def _update(
    connection: Connection, name: str, values: Mapping[str, Any], by: Actor, action: Action, content: str
) -> None:
    if not connection.execute(update(account).where(account.c.name == name).values(**values)).rowcount:
        raise _unknown(name)
    append_entry(connection, by, action, content)


def _end_sessions(connection: Connection, name: str) -> int:
    ids = select(account.c.id).where(account.c.name == name)
    return connection.execute(delete(access_session).where(access_session.c.account_id.in_(ids))).rowcount


def _unknown(name: str) -> AccountProblem:
    return AccountProblem(f"account {name!r}: no such account; `wildpost users list` lists them")


def _described(name: str, values: Mapping[str, Any]) -> str:
    parts = (f"{field} {' '.join(value) if isinstance(value, list) else value}" for field, value in values.items())
    return "; ".join([name, *parts])
