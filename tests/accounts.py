"""Accounts of tests, with a password whose hash takes no time, and clients that are signed in."""

from collections.abc import Sequence

import httpx
from argon2 import PasswordHasher

from casebook.access.accounts import Accounts
from casebook.access.actor import Actor, Role
from casebook.access.passwords import Passwords
from casebook.access.sign_in import SignIn
from casebook.incidents.database import Database

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
BY = Actor("", "test")
COOKIE = "wildpost-session"


def add_account(
    database: Database, name: str, role: Role, areas: Sequence[str] = ("*",), display_name: str = ""
) -> None:
    """Add an account with one role and ``PASSWORD``."""
    password_hash = Passwords(QUICK).hash(PASSWORD)
    Accounts(database).add(name, display_name or name, password_hash, [role], list(areas), "", BY)


def session_of(database: Database, name: str) -> str:
    """Begin a session of an account, and return its id."""
    return SignIn(database, Passwords(QUICK)).sign_in(name, PASSWORD, "192.0.2.1")[0]


def signed_in(pages: httpx.Client, database: Database, name: str) -> httpx.Client:
    """Return a client of its own for the pages of another one, signed in as an account."""
    return httpx.Client(
        base_url=pages.base_url,
        trust_env=False,
        cookies={COOKIE: session_of(database, name)},
        headers={"origin": str(pages.base_url).rstrip("/")},
        timeout=pages.timeout,
    )
