"""Signs people in: the same answer and the same work for known, disabled and unknown names."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from casebook.access.accounts import Account, Accounts
from casebook.access.actor import Actor
from casebook.access.audit import append_entry
from casebook.access.lock_out import LockOut, address_key, name_key, succeeded
from casebook.access.passwords import MAX_CHARACTERS, Passwords, check_password
from casebook.access.sessions import begin_session
from casebook.access.tables import account
from casebook.incidents.database import Database
from contract.errors import WildpostError


class SignInRefused(WildpostError):
    """Name or password is wrong, or too many attempts failed.

    Attributes:
        wait: Time before the next attempt; zero: it may follow at once.
    """

    def __init__(self, wait: timedelta) -> None:
        """Store the time to wait."""
        super().__init__(f"refused; wait {wait}")
        self.wait = wait


class SignIn:
    """Signs people in and changes their passwords."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        """Use a database with the casebook's tables."""
        self._database = database
        self._accounts = Accounts(database)
        self._lock_out = LockOut(database)
        self._passwords = passwords

    def sign_in(self, name: str, password: str, address: str, agent: str = "", replaced: str = "") -> tuple[str, Actor]:
        """Begin a session and return its id, and who signed in.

        Args:
            name: Name of the account, as typed.
            password: Password, as typed.
            address: Network address of the request.
            agent: Name of the browser as it gave it.
            replaced: Id of the session that the browser had; it ends.

        Raises:
            SignInRefused: the same for every reason.
            PasswordsBusy: too many passwords are being checked.
        """
        now = datetime.now(UTC)
        found = self._verified(name.strip(), password, address, now)
        with self._database.exclusive() as connection:
            succeeded(connection, name_key(name.strip()), address_key(address))
            enabled = select(account.c.id).where(account.c.id == found.id, account.c.disabled_at.is_(None))
            if connection.execute(enabled).first() is None:  # disabled while the password was checked
                raise SignInRefused(timedelta(0))
            actor = Actor(found.id, found.display_name, found.unit, frozenset(found.roles), address=address)
            token = begin_session(connection, found.id, address, agent, now, replaced)
            append_entry(connection, actor, "signed in")
        return token, actor

    def change_password(self, name: str, old: str, new: str, actor: Actor) -> None:
        """Change the password of the person who acts, and end all their sessions.

        Raises:
            UnusablePassword: the new password does not follow the rules.
            SignInRefused: the old password is wrong.
            PasswordsBusy: too many passwords are being checked.
        """
        check_password(new, name)
        self._verified(name, old, actor.address, datetime.now(UTC))
        self._accounts.set_password(name, self._passwords.hash(new), actor)
        with self._database.exclusive() as connection:
            succeeded(connection, name_key(name), address_key(actor.address))

    def _verified(self, name: str, password: str, address: str, now: datetime) -> Account:
        """Return the account with a name and password."""
        wait = self._lock_out.begin((name_key(name), address_key(address)), now)
        if wait > timedelta(0):
            raise SignInRefused(wait)
        found = self._accounts.find(name)
        account_, password_hash = found or (None, None)
        verified = len(password) <= MAX_CHARACTERS and self._passwords.verify(password_hash, password)
        if account_ is None or not verified or account_.disabled_at:
            with self._database.exclusive() as connection:
                # What was typed as the name may be a password; only the name of an account is recorded.
                known = (
                    Actor(account_.id, account_.name, address=address) if account_ else Actor("", "", address=address)
                )
                append_entry(connection, known, "sign-in failed")
            raise SignInRefused(timedelta(0))
        if password_hash and self._passwords.is_outdated(password_hash):
            self._accounts.renew_hash(account_.id, password_hash, self._passwords.hash(password))
        return account_
