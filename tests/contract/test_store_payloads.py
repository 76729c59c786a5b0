"""Messages of captures come out of every store byte for byte, so that their signatures stay valid."""

from datetime import UTC, datetime
from pathlib import Path

from contract import decode, topic_of
from contract.event_chain import ChainLink, has_valid_signature
from contract.messages import Event, Media
from ingest.store.port import Received, Store
from tests.cases import SigningStation
from tests.contract.test_store import opener, reopen, store

__all__ = ["opener", "reopen", "store"]


def test_a_signed_message_keeps_its_signature(store: Store, tmp_path: Path) -> None:
    station = SigningStation(tmp_path / "station")
    names = ("plain.jpg", '野猪 "0041"\\ \t\n\u2028.JPG')
    media = [(Media(sha256="a" * 64, type="image/jpeg", size=1, role="original", name=name),) for name in names]
    payloads = [station.signed(one) for one in media]
    station.close()
    topic = topic_of("wildpost", station.name, "event")
    events = [decode(topic, payload) for payload in payloads]
    store.write([Received(event, payload, datetime.now(UTC)) for event, payload in zip(events, payloads, strict=True)])  # type: ignore[arg-type]
    ids = [event.event_id for event in events if isinstance(event, Event)]
    unknown = "0195d0a1-0000-7000-8000-00000000ffff"
    assert store.payloads([*ids, ids[0], unknown]) == dict(zip(ids, payloads, strict=True))
    assert store.payloads([]) == {}
    for event, payload in zip(events, payloads, strict=True):
        assert isinstance(event, Event) and isinstance(event.chain, ChainLink)
        assert has_valid_signature(payload, event.chain.key)
