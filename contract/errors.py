"""Expected errors; the two families tell a caller whether to retry.

    WildpostError
    ├── InvalidInput        a value, file or message cannot be used: report it or set it aside, do not retry
    └── TemporaryFailure    a service, disk or connection failed: keep the work and retry with back-off
        ├── StoreUnavailable
        └── Undelivered

Each package derives its own errors from these. A command prints the message of a ``WildpostError`` on one line,
without a traceback: the message names the value received and what was expected.
"""


class WildpostError(Exception):
    """An expected failure; its message tells a person what to correct."""


class InvalidInput(WildpostError, ValueError):
    """A value, file or message cannot be used; retrying cannot help."""


class TemporaryFailure(WildpostError):
    """A service, disk or connection failed; the same call may succeed later."""


class StoreUnavailable(TemporaryFailure):
    """A database or object store did not accept or answer a request: keep the message unacknowledged and retry."""


class Undelivered(TemporaryFailure):
    """A message did not reach its destination; sending it again is always safe. The error text has no secrets."""
