"""Sessions of signed-in people: random ids of which only the hash is stored, with an idle and an absolute end."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from casebook.access.accounts import Account, account_of, stations_of
from casebook.access.actor import Actor
from casebook.access.audit import append_entry
from casebook.access.tables import access_session, account
from casebook.incidents.database import Database

IDLE = timedelta(hours=12)  # a shift without a request
ABSOLUTE = timedelta(days=7)
TOKEN_BYTES = 32
_SEEN_EVERY = timedelta(minutes=1)  # the time of the last request is stored at most this often
_MOST = 20  # sessions of one account; the oldest ends when another begins
_MAX_AGENT = 200  # characters


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is in force, with its account.

    Attributes:
        account: The account.
        stations: Stations that the account may see; None: all.
    """

    account: Account
    stations: frozenset[str] | None

    def actor(self, address: str) -> Actor:
        """Return who acts in a request from a network address."""
        one = self.account
        return Actor(one.id, one.display_name, one.unit, frozenset(one.roles), self.stations, address)


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session as its person sees it in a list.

    Attributes:
        created_at: Time of the sign-in, UTC.
        seen_at: Time of the last request, to the minute, UTC.
        address: Network address of the sign-in.
        agent: Name of the browser as it gave it.
    """

    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


class Sessions:
    """Repository of sessions; every method raises ``StoreUnavailable`` if the database does not answer."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def find(self, token: str, now: datetime) -> Session | None:
        """Return the session with an id that has not ended and whose account is enabled."""
        digest = _sha256(token)
        with self._database.begin() as connection:
            query = select(account, access_session).join(account, account.c.id == access_session.c.account_id)
            row = connection.execute(query.where(*_in_force(now), access_session.c.token_sha256 == digest)).first()
            if row is None:
                return None
            columns = row._mapping
            if columns[access_session.c.seen_at] + _SEEN_EVERY < now:
                same = access_session.c.token_sha256 == digest
                connection.execute(update(access_session).where(same).values(seen_at=now))
            found = account_of({name: columns[account.c[name]] for name in Account.__slots__})
            return Session(found, stations_of(connection, found.areas))

    def of_account(self, account_id: str, now: datetime) -> list[SessionEntry]:
        """List the sessions of an account that are in force, newest first."""
        columns = (access_session.c[name] for name in SessionEntry.__slots__)
        query = select(*columns).join(account, account.c.id == access_session.c.account_id)
        query = query.where(*_in_force(now), account.c.id == account_id).order_by(access_session.c.created_at.desc())
        with self._database.begin() as connection:
            return [SessionEntry(**row) for row in connection.execute(query).mappings()]

    def end(self, token: str, actor: Actor) -> None:
        """End the session with an id, as its person asked; without such a session, do nothing."""
        with self._database.exclusive() as connection:
            if end_session(connection, token):
                append_entry(connection, actor, "signed out")


def begin_session(
    connection: Connection, account_id: str, address: str, agent: str, now: datetime, replaced: str = ""
) -> str:
    """Begin a session and return its id; end the session that the browser had before.

    Args:
        connection: Transaction.
        account_id: The account.
        address: Network address.
        agent: Name of the browser as it gave it.
        now: Time of the sign-in.
        replaced: Id of the session that the browser had.
    """
    if replaced:
        end_session(connection, replaced)
    expired = (access_session.c.seen_at < now - IDLE) | (access_session.c.created_at < now - ABSOLUTE)
    connection.execute(delete(access_session).where(expired))
    mine = access_session.c.account_id == account_id
    kept = select(access_session.c.token_sha256).where(mine).order_by(access_session.c.created_at.desc())
    oldest = connection.execute(kept.offset(_MOST - 1)).scalars().all()
    connection.execute(delete(access_session).where(access_session.c.token_sha256.in_(oldest)))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = {"token_sha256": _sha256(token), "account_id": account_id, "created_at": now, "seen_at": now}
    connection.execute(insert(access_session).values(**row, address=address, agent=agent[:_MAX_AGENT]))
    return token


def end_session(connection: Connection, token: str) -> bool:
    """Delete the session with an id and return whether there was one."""
    query = delete(access_session).where(access_session.c.token_sha256 == _sha256(token))
    return connection.execute(query).rowcount > 0


def _in_force(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        access_session.c.seen_at >= now - IDLE,
        access_session.c.created_at >= now - ABSOLUTE,
        account.c.disabled_at.is_(None),
    )


def _sha256(token: str) -> str:
    """Return the hash of a session id; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
