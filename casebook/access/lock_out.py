"""Lock-out after failed sign-ins, for an account name and for a network address, with growing waits."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update

from casebook.access.tables import sign_in_failure
from casebook.incidents.database import Database

FORGOTTEN_AFTER = timedelta(days=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
_MOST_KEYS = 20_000  # rows; an attacker with many addresses and names must not fill the disk


@dataclass(frozen=True, slots=True)
class Key:
    """What failures are counted for.

    Attributes:
        text: Hash of an account name, which need not exist, or a network address.
        free: Number of failures before the first wait.
    """

    text: str
    free: int


def name_key(name: str) -> Key:
    """Return the key of an account name; hashed, since people type passwords into the field of the name."""
    return Key(f"name {hashlib.sha256(name.lower().encode('utf-8', 'replace')).hexdigest()}", free=5)


def address_key(address: str) -> Key:
    """Return the key of a network address; of an IPv6 address, of its /64 network, which one person has.

    Many people share an address behind one router, so more failures are free.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return Key(f"address {address[:64]}", free=20)
    if isinstance(found, ipaddress.IPv6Address):
        return Key(f"address {ipaddress.ip_network((int(found), 64), strict=False)}", free=20)
    return Key(f"address {found}", free=20)


def wait_after(failures: int, free: int) -> timedelta:
    """Return the wait after a number of failures: none up to ``free`` of them, then doubled by each one."""
    if failures < free:
        return timedelta(0)
    doublings = min(failures - free, 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


class LockOut:
    """Counts failed sign-ins; every method raises ``StoreUnavailable`` if the database does not answer."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def begin(self, keys: tuple[Key, ...], now: datetime) -> timedelta:
        """Count an attempt as failed before it is made, so that concurrent attempts do not pass the limit.

        Returns:
            The time to wait, if the attempt must not be made and was not counted; else zero.
        """
        with self._database.exclusive() as connection:
            _forget(connection, now)
            wait = max(_remaining(connection, key, now) for key in keys)
            if wait > timedelta(0):
                return wait
            for key in keys:
                failures = _failures(connection, key)[0] + 1
                row = {"key": key.text, "failures": failures, "last_at": now}
                self._database.put(connection, sign_in_failure, row, ["failures", "last_at"])
        return timedelta(0)


def succeeded(connection: Connection, name: Key, address: Key) -> None:
    """Forget the failures of an account after a sign-in, and the counted attempt of its address."""
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.key == name.text))
    same = sign_in_failure.c.key == address.text
    connection.execute(update(sign_in_failure).where(same).values(failures=sign_in_failure.c.failures - 1))


def _failures(connection: Connection, key: Key) -> tuple[int, datetime | None]:
    query = select(sign_in_failure.c.failures, sign_in_failure.c.last_at).where(sign_in_failure.c.key == key.text)
    row = connection.execute(query).first()
    return (row[0], row[1]) if row else (0, None)


def _remaining(connection: Connection, key: Key, now: datetime) -> timedelta:
    failures, last_at = _failures(connection, key)
    if last_at is None or last_at > now:  # the clock was set back: a wait must not last for years
        return wait_after(failures, key.free)
    return last_at + wait_after(failures, key.free) - now


def _forget(connection: Connection, now: datetime) -> None:
    """Delete old failures, and the oldest beyond the limit."""
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.last_at < now - FORGOTTEN_AFTER))
    if connection.execute(select(func.count()).select_from(sign_in_failure)).scalar_one() >= _MOST_KEYS:
        oldest = select(sign_in_failure.c.key).order_by(sign_in_failure.c.last_at).limit(_MOST_KEYS // 10)
        connection.execute(delete(sign_in_failure).where(sign_in_failure.c.key.in_(oldest)))
