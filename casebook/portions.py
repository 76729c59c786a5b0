"""Splits ids into portions that fit into one statement."""

from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

_MAX_IDS = 500  # ids per statement; below the parameter limit of both databases

Id = TypeVar("Id", bound=Hashable)


def portions(ids: Iterable[Id]) -> Iterator[list[Id]]:
    """Yield the ids without duplicates, in their order, in portions that one statement may name."""
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _MAX_IDS):
        yield wanted[start : start + _MAX_IDS]
