"""A server looks for garbage seldom, and still finds circles of references."""

import gc
import weakref

from contract import decode, encode
from contract.examples import EVENT
from wildpost.server.gc_tuning import reduced_garbage_collection


class Circle:
    def __init__(self) -> None:
        self.itself = self


def test_circles_are_found_after_a_while() -> None:
    before = gc.get_threshold()
    with reduced_garbage_collection():
        assert gc.get_threshold() > before
        lost = weakref.ref(Circle())
        kept = []
        while lost() is not None:
            kept.append([0])
            assert len(kept) < 1_000_000
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0, "libraries can clear up after themselves"


def test_what_a_message_becomes_is_not_looked_through() -> None:
    event = decode("wildpost/v1/" + EVENT.station + "/event", encode(EVENT))
    assert not gc.is_tracked(event)
