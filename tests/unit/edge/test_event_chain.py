"""The station's chain of events: linked, signed, unbroken by failures and restarts, and committed with the event."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from contract import Event, decode, topic_of
from contract.event_chain import FIRST_PREVIOUS, ChainLink, has_valid_signature, payload_sha256
from contract.examples import EVENT
from contract.signing_key import SigningKeyError, open_key
from edge.event_chain import EventChain
from edge.outbox.outbox import Outbox, OutboxFull, OutboxMessage

TOPIC = topic_of("wildpost", EVENT.station, "event")


class Kept:
    """An outbox and the key beside it, as a station has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.chain = EventChain(open_key(folder / "chain.key"), self.outbox)

    def store(self, number: int, size: int = 0) -> None:
        event = msgspec.structs.replace(EVENT, sequence=number)
        with self.chain.linked(event) as (payload, head):
            self.outbox.commit(
                [OutboxMessage(TOPIC, payload), OutboxMessage(TOPIC, b"x" * size)][: 1 + bool(size)], memory=head
            )

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.outbox.waiting(9999)]

    def restarted(self) -> "Kept":
        self.outbox.close()
        return Kept(self.folder)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path)
    yield one
    one.outbox.close()


def links(payloads: Sequence[bytes]) -> list[ChainLink]:
    found = []
    for payload in payloads:
        event = decode(TOPIC, payload)
        assert isinstance(event, Event) and isinstance(event.chain, ChainLink)
        assert has_valid_signature(payload, event.chain.key)
        found.append(event.chain)
    return found


def check(payloads: Sequence[bytes]) -> None:
    """Check that payloads are one whole chain."""
    found = links(payloads)
    assert [link.number for link in found] == list(range(1, len(payloads) + 1))
    assert [link.previous for link in found] == [FIRST_PREVIOUS, *map(payload_sha256, payloads[:-1])]
    assert len({(link.chain, link.key) for link in found}) == 1


def test_each_event_names_the_one_before_and_is_signed(kept: Kept) -> None:
    for number in range(5):
        kept.store(number)
    check(kept.payloads())


def test_a_restart_continues_the_chain_with_the_same_key(kept: Kept) -> None:
    kept.store(0)
    kept = kept.restarted()
    kept.store(1)
    check(kept.payloads())
    kept.outbox.close()


def test_an_event_that_was_not_stored_leaves_no_hole(kept: Kept) -> None:
    kept.store(0)
    pages = kept.outbox._connection.execute("PRAGMA page_count").fetchone()[0]
    kept.outbox._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutboxFull):
        kept.store(1, size=100_000)
    kept.outbox._connection.execute("PRAGMA max_page_count = 1000000")
    kept.store(2)
    check(kept.payloads())


def test_sensors_at_the_same_time_make_one_chain(kept: Kept) -> None:
    def store_twenty() -> None:
        for number in range(20):
            kept.store(number)

    threads = [threading.Thread(target=store_twenty) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(kept.payloads())


def test_a_new_outbox_begins_a_new_chain(kept: Kept, tmp_path: Path) -> None:
    kept.store(0)
    (first,) = links(kept.payloads())
    other = Outbox(tmp_path / "other.sqlite")
    with EventChain(open_key(tmp_path / "chain.key"), other).linked(EVENT) as (payload, _):
        (second,) = links([payload])
    assert (second.number, second.key) == (1, first.key)
    assert second.chain != first.chain
    other.close()


def test_the_key_is_private_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "chain.key"
    key = open_key(path)
    assert path.stat().st_mode & 0o077 == 0
    assert open_key(path).private_bytes_raw() == key.private_bytes_raw()
    path.write_bytes(b"short")
    with pytest.raises(SigningKeyError, match=r"chain\.key: 5 bytes, expected 32"):
        open_key(path)


def test_no_changed_byte_keeps_the_signature_valid(kept: Kept) -> None:
    kept.store(0)
    (payload,) = kept.payloads()
    (link,) = links([payload])
    for at in range(0, len(payload), 7):
        changed = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
        assert not has_valid_signature(changed, link.key), payload[at : at + 20]
    assert not has_valid_signature(payload + b" ", link.key)
    assert not has_valid_signature(b"", link.key)
    other = open_key(kept.folder / "other.key")
    with EventChain(other, kept.outbox).linked(EVENT) as (foreign, _):
        assert not has_valid_signature(foreign, link.key)
