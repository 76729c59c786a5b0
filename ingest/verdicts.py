"""Brings the detection store up to the casebook: verdicts that a crash kept from it count from now on."""

from casebook.casebook import Casebook
from ingest.store.port import Store


def hand_over_verdicts(casebook: Casebook, store: Store) -> None:
    """Give the store every verdict it may not have yet; doing it again is harmless.

    Raises:
        StoreUnavailable: store or casebook did not answer; nothing is lost.
    """
    waiting = casebook.unapplied_verdicts()
    if waiting:
        store.judge(waiting)
        casebook.mark_applied(waiting)
