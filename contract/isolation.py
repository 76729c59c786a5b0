"""Isolation of the items for which an action fails, so that one of them does not prevent the others."""

import errno
from collections.abc import Callable, Sequence
from typing import TypeVar

from contract.errors import ContentRejected, TemporaryFailure

Item = TypeVar("Item")

# Errors of the operating system that the content causes, such as a name; all others end when the system recovers.
_BY_CONTENT = frozenset({errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ, errno.EDOM, errno.ERANGE, errno.EOVERFLOW})


def is_temporary(error: BaseException) -> bool:
    """Return whether the same call may succeed later: a database, disk or connection failed, not the content."""
    if isinstance(error, OSError):
        return error.errno not in _BY_CONTENT
    return isinstance(error, TemporaryFailure) and not isinstance(error, ContentRejected)


def isolate(items: Sequence[Item], action: Callable[[Sequence[Item]], object]) -> list[tuple[Item, Exception]]:
    """Call an idempotent action with all items; if it fails, with ever smaller parts of them.

    Returns:
        The items with which the action fails alone, each with its exception; it has succeeded with the others.

    Raises:
        TemporaryFailure: a service failed; the action may have succeeded with some items.
        OSError: likewise.
    """
    if not items:
        return []
    try:
        action(items)
    except Exception as error:
        if is_temporary(error):
            raise
        if len(items) == 1:
            return [(items[0], error)]
        half = len(items) // 2
        return isolate(items[:half], action) + isolate(items[half:], action)
    return []
