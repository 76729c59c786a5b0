"""Base classes of expected errors: retry after a ``TemporaryFailure``, not after an ``InvalidInput``.

    WildpostError
    ├── InvalidInput        a value, file or message cannot be used: report it or set it aside, do not retry
    └── TemporaryFailure    a service, disk or connection failed: keep the work and retry with back-off
        ├── StoreUnavailable
        │   └── ContentRejected     it rejects these values: for a caller of one message, retrying cannot help
        └── Undelivered

Each package derives its own errors from these. A command prints the message of a ``WildpostError`` on one line,
without a traceback: the message names the value received and what was expected.
"""


class WildpostError(Exception):
    """Base class of expected errors; the error message tells a person what to correct."""


class InvalidInput(WildpostError, ValueError):
    """Raised when a value, file or message cannot be used; retrying cannot help."""


class TemporaryFailure(WildpostError):
    """Raised when a service, disk or connection failed; the same call may succeed later."""


class StoreUnavailable(TemporaryFailure):
    """Raised when a database or object store fails a request; leave the message unacknowledged and retry."""


class Undelivered(TemporaryFailure):
    """Raised when a message was not delivered; sending it again is safe. The error text has no secrets."""


class ContentRejected(StoreUnavailable):
    """Raised when a database rejects the content of a statement, such as a number out of its range.

    Retrying the same content cannot help: the receiver looks for the one message and sets it aside.
    """
