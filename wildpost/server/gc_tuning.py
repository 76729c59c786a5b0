"""Has Python look for garbage seldom."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 20_000  # objects made and not freed until the youngest are looked through; Python's own figure is 700
_ROUNDS = 20  # of them until older ones are looked through too; Python's own figure is 10


@contextmanager
def reduced_garbage_collection() -> Iterator[None]:
    """Set what is there aside, and look through what comes less often than Python does by itself.

    Messages that wait are no garbage, and there are thousands: looking through them again and again took a third of
    the intake's processor time. What makes circles of references (a failed request, a page) is still found. At the end
    everything is as it was, so that libraries can clear up after themselves.
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
