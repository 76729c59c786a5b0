"""Rules for passwords, and their hashes by Argon2id."""

import secrets
import threading
import unicodedata
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from contract.errors import InvalidInput, WildpostError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1_000
_CONCURRENT = 2  # hashes at a time, 64 MiB of memory each
_WAIT_S = 5.0


class UnusablePassword(InvalidInput):
    """A new password does not follow the rules; the message says which."""


class PasswordsBusy(WildpostError):
    """Too many passwords are being checked; the request may be repeated."""


class Passwords:
    """Hashes and verifies passwords by Argon2id, with bounded memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use a hasher; by default, the second recommended option of RFC 9106, section 4: t = 3, 64 MiB, p = 4."""
        self._hasher = hasher or PasswordHasher()
        self._slots = threading.BoundedSemaphore(_CONCURRENT)

    def hash(self, password: str) -> str:
        """Return the hash of a password, with a new salt and the parameters.

        Raises:
            PasswordsBusy: too many hashes are being computed.
        """
        self._enter()
        try:
            return self._hasher.hash(_normal(password))
        finally:
            self._slots.release()

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether a password has a hash; without a hash, do the same work and return False.

        Raises:
            PasswordsBusy: too many hashes are being computed.
        """
        unknown = self._unknown
        self._enter()
        try:
            verified = self._hasher.verify(password_hash or unknown, _normal(password))
        except (VerifyMismatchError, InvalidHashError):
            return False
        finally:
            self._slots.release()
        return verified and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash has other parameters than new ones."""
        return self._hasher.check_needs_rehash(password_hash)

    @cached_property
    def _unknown(self) -> str:
        return self._hasher.hash(secrets.token_hex())

    def _enter(self) -> None:
        if not self._slots.acquire(timeout=_WAIT_S):
            raise PasswordsBusy("too many passwords are being checked; try again")


def check_password(password: str, name: str) -> None:
    """Check a new password for the account with a name.

    Raises:
        UnusablePassword: it is too short or too long, or contains the name.
    """
    length = len(_normal(password))
    if not MIN_CHARACTERS <= length <= MAX_CHARACTERS:
        raise UnusablePassword(f"password of {length} characters: expected {MIN_CHARACTERS} to {MAX_CHARACTERS}")
    if len(set(password)) < 4:
        raise UnusablePassword("password: expected at least four different characters")
    if name and name.casefold() in password.casefold():
        raise UnusablePassword("password: it must not contain the name of the account")


def _normal(password: str) -> str:
    """Return a password in the form in which it is hashed, whichever keyboard typed it (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
