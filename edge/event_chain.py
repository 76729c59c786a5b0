"""Chain of a station's events, on the station: its key, and the link of the next event."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract import Event, encode, new_event_id
from contract.envelope import public_text
from contract.event_chain import FIRST_PREVIOUS, ChainLink, payload_sha256, signed_payload

_HEAD = "event chain"  # name in the outbox's memory


class ChainMemory(Protocol):
    """What an ``EventChain`` reads of an ``Outbox``."""

    def remembered(self, name: str) -> str | None:
        """See ``Outbox.remembered``."""
        ...


class EventChain:
    """Links and signs the events of a station; several threads may use one object."""

    def __init__(self, key: Ed25519PrivateKey, outbox: ChainMemory, chain_id: str = "") -> None:
        """Continue the chain of an outbox, or begin a new one, with ``chain_id`` if it is given."""
        self._key = key
        self._public = public_text(key.public_key().public_bytes_raw())
        self._lock = threading.Lock()
        text = outbox.remembered(_HEAD)
        first = chain_id or new_event_id(), 0, FIRST_PREVIOUS
        head: tuple[str, int, str] = tuple(json.loads(text)) if text else first
        self._chain, self._number, self._previous = head

    @contextmanager
    def linked(self, event: Event) -> Iterator[tuple[bytes, Mapping[str, str]]]:
        """Give the payload of the next event, and what must be committed to the outbox's memory together with it.

        The ``with`` block commits both. Other events wait meanwhile; if the block raises, the place stays free.
        """
        with self._lock:
            number = self._number + 1
            link = ChainLink(chain=self._chain, number=number, previous=self._previous, key=self._public)
            payload = signed_payload(encode(msgspec.structs.replace(event, chain=link)), self._key.sign)
            digest = payload_sha256(payload)
            yield payload, {_HEAD: json.dumps([self._chain, number, digest])}
            self._number, self._previous = number, digest


def linked(event: Event, chain: EventChain | None) -> AbstractContextManager[tuple[bytes, Mapping[str, str]]]:
    """Return what ``EventChain.linked`` returns; without a chain, the plain message and no head."""
    return chain.linked(event) if chain else nullcontext((encode(event), {}))
