"""Reduces how often Python's garbage collector runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 20_000  # threshold of generation 0: allocations minus deallocations; Python's default is 700
_ROUNDS = 20  # threshold of generations 1 and 2: collections of the younger one; Python's default is 10


@contextmanager
def reduced_garbage_collection() -> Iterator[None]:
    """Freeze existing objects and raise the garbage collector's thresholds until the context ends.

    Thousands of buffered messages are not garbage; scanning them repeatedly took a third of ingest's processor time.
    Reference cycles (from a failed request or a page) are still collected. The previous thresholds are restored at the
    end, so that libraries can clean up after themselves.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _ROUNDS, _ROUNDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
