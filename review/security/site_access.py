"""Accounts, sessions and the audit log of a site, and whether its pages ask for a sign-in."""

from casebook.access.accounts import Accounts
from casebook.access.audit import AuditLog
from casebook.access.passwords import Passwords
from casebook.access.sessions import Sessions
from casebook.access.sign_in import SignIn
from casebook.incidents.database import Database


class SiteAccess:
    """What decides who may use the pages.

    Attributes:
        accounts: Accounts and areas.
        sessions: Sessions of signed-in people.
        sign_in: Checks names and passwords.
        audit: The audit log.
        local_token: Token of the commands on this machine; "": none.
    """

    def __init__(
        self, database: Database, always_required: bool, local_token: str = "", passwords: Passwords | None = None
    ) -> None:
        """Use the casebook's database.

        Args:
            database: The casebook's database.
            always_required: Whether the pages ask for a sign-in also while there is no account.
            local_token: Token of the commands on this machine.
            passwords: Hashes passwords; None: with the recommended parameters.
        """
        self.accounts = Accounts(database)
        self.sessions = Sessions(database)
        self.sign_in = SignIn(database, passwords or Passwords())
        self.audit = AuditLog(database)
        self.local_token = local_token
        self._required = always_required

    def is_required(self) -> bool:
        """Return whether the pages ask for a sign-in: always, or since there was an account.

        Accounts are never deleted, so that the database is asked only while there is none.
        """
        self._required = self._required or self.accounts.exist()
        return self._required
