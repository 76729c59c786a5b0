"""Verification of the places of received events in the chains of their stations."""

from collections.abc import Iterable

from casebook.chain_runs import Linked
from casebook.event_chain import ChainedEvent
from contract import Event
from contract.event_chain import ChainLink, has_valid_signature, payload_sha256
from ingest.store.port import Received


def chained_events(records: Iterable[Received]) -> list[ChainedEvent]:
    """Return the events that have a place in a chain, with whether their signatures are valid.

    Stations of earlier versions send events without one; nothing is said about those.
    """
    found = []
    for item in records:
        if not isinstance(item.record, Event) or not isinstance(item.record.chain, ChainLink):
            continue
        link = item.record.chain
        found.append(
            ChainedEvent(
                station=item.record.station,
                event_id=item.record.event_id,
                chain=link.chain,
                key=link.key,
                linked=Linked(link.number, link.previous, payload_sha256(item.payload), item.received_at),
                valid=has_valid_signature(item.payload, link.key),
            )
        )
    return found
