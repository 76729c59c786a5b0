"""The server's view of the stations' chains: through the whole intake, in SQLite and in PostgreSQL."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.event_chain import MISSING_AFTER, ChainState, EventChains
from casebook.incidents.database import Database
from contract import Event, decode, encode, new_event_id, topic_of
from contract.event_chain import ChainLink, has_valid_signature
from contract.examples import EVENT
from contract.signing_key import open_key
from edge.event_chain import EventChain
from edge.outbox.outbox import Outbox, OutboxMessage
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import ReceivedMessage, read_batch
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.store.duckdb.store import DuckDbStore
from tests.keeping import keep

NOW = datetime(2026, 11, 27, tzinfo=UTC)
TOPIC = topic_of("wildpost", EVENT.station, "event")


class Server:
    """An intake with its databases, and the chain of a station."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(url)
        self.intake = Intake(self.store, self.casebook, FolderMedia(folder / "media"), RuleSet(RulesOptions(), ()))
        self.chains = EventChains(Database(self.casebook.engine))

    def receive(self, payloads: Sequence[bytes], at: datetime = NOW) -> None:
        batch = read_batch([ReceivedMessage(TOPIC, payload, at) for payload in payloads])
        assert not batch.unusable
        keep(self.intake, batch)

    def state(self, hours: float = 0) -> ChainState:
        return self.chains.states(NOW + MISSING_AFTER + timedelta(hours=hours))[EVENT.station]

    def sent(self, count: int, key: str = "chain.key", outbox: str = "outbox.sqlite") -> list[bytes]:
        """Let a station store events; return their payloads."""
        kept = Outbox(self.folder / outbox)
        chain = EventChain(open_key(self.folder / key), kept)
        payloads = []
        for number in range(count):
            event = msgspec.structs.replace(EVENT, event_id=new_event_id(), sequence=number)
            with chain.linked(event) as (payload, head):
                kept.commit([OutboxMessage(TOPIC, payload)], memory=head)
            payloads.append(payload)
        kept.close()
        return payloads

    def close(self) -> None:
        self.store.close()
        self.casebook.close()


@pytest.fixture
def server(tmp_path: Path, casebook_url: str) -> Iterator[Server]:
    one = Server(tmp_path, casebook_url)
    yield one
    one.close()


def test_a_signed_event_of_version_1_2_is_verified_for_good() -> None:
    payload = Path(__file__).with_name("chained-event.json").read_bytes()
    event = decode(TOPIC, payload)
    assert isinstance(event, Event) and isinstance(event.chain, ChainLink)
    assert event.chain.number == 7
    assert has_valid_signature(payload, event.chain.key)
    assert not has_valid_signature(payload.replace(b"0.", b"1.", 1), event.chain.key)


def test_a_whole_chain_is_sound_in_any_order_and_repeated(server: Server) -> None:
    payloads = server.sent(12)
    server.receive(payloads[6:])
    server.receive(payloads[::-2])
    server.receive(payloads)
    state = server.state(hours=100)
    assert (state.events, state.is_sound) == (12, True)
    assert state == ChainState(events=12, missing=0, altered=0, forked=0, keys=1)


def test_a_missing_event_is_told_when_later_ones_have_waited_and_no_more_when_it_comes(server: Server) -> None:
    payloads = server.sent(10)
    server.receive([*payloads[:4], *payloads[6:]])
    assert server.state(hours=-1).is_sound
    assert server.state(hours=1).missing == 2
    server.receive(payloads[4:5])
    assert server.state(hours=1).missing == 1
    server.receive(payloads[5:6], NOW + timedelta(days=30))
    assert server.state(hours=1000).is_sound


def test_an_event_that_was_altered_on_the_way_is_told_and_kept(server: Server) -> None:
    payloads = server.sent(4)
    altered = payloads[2].replace(b'"sequence":2', b'"sequence":9')
    assert altered != payloads[2]
    server.receive([payloads[0], payloads[1], altered, payloads[3]])
    assert (server.state(hours=1).altered, server.state(hours=1).missing) == (1, 1)
    server.receive([altered])
    assert server.state(hours=1).altered == 1, "counted once"
    assert sum(one.events for one in server.store.stations()) == 4


def test_events_without_a_signature_and_stations_without_a_chain(server: Server) -> None:
    server.receive([encode(msgspec.structs.replace(EVENT, event_id=new_event_id()))])
    assert server.chains.states(NOW) == {}
    payload = server.sent(1)[0]
    cut = payload[: payload.index(b',"signature"')] + b"}"
    server.receive([cut])
    assert server.state().altered == 1


def test_a_replaced_key_and_a_copied_card_are_told(server: Server) -> None:
    server.receive(server.sent(2))
    (server.folder / "copy.sqlite").write_bytes((server.folder / "outbox.sqlite").read_bytes())
    server.receive(server.sent(2))
    assert server.state().is_sound, "after a restart"
    copied = server.sent(3, outbox="copy.sqlite")
    server.receive(copied)
    assert server.state().forked == 2
    server.receive(server.sent(1, key="new.key", outbox="new.sqlite"))
    assert server.state().keys == 2


def test_a_new_outbox_of_the_same_station_is_sound(server: Server) -> None:
    server.receive(server.sent(3))
    server.receive(server.sent(3, outbox="new.sqlite"))
    assert server.state(hours=100) == ChainState(events=6, missing=0, altered=0, forked=0, keys=1)
