"""Whatever comes in is stored or quarantined; nothing of it stops the intake."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from casebook.casebook import Casebook
from contract import Event, Malformed, SetAside, decode, encode, is_probe, new_event_id, topic_of
from contract.commands import Answer, MediaPart
from contract.examples import EVENT, EXAMPLES, SET_ASIDE
from contract.topics import KINDS
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import ReceivedMessage, read_batch
from ingest.rules.rule_set import Rule, RuleSet, RulesOptions
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery
from tests.keeping import keep

NOW = datetime(2026, 4, 12, 12, 0, tzinfo=UTC)
GOOD = [(topic_of("wildpost", record.station, kind), encode(record)) for kind, record in EXAMPLES.values()]


@contextmanager
def intake() -> Iterator[tuple[Intake, DuckDbStore, Casebook]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, casebook = DuckDbStore(folder / "d.duckdb"), Casebook(f"sqlite:///{folder}/c.sqlite")
        rules = RuleSet(RulesOptions(rule=(Rule(name="person", observation_types=("human",)),)), ())
        try:
            yield Intake(store, casebook, FolderMedia(folder / "media"), rules), store, casebook
        finally:
            store.close()
            casebook.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
damaged = st.builds(
    lambda good, at, junk: (good[0], good[1][: at % len(good[1])] + junk + good[1][at % len(good[1]) + len(junk) :]),
    st.sampled_from(GOOD),
    st.integers(min_value=0, max_value=10_000),
    st.binary(max_size=8),
)
# A good message with one field replaced by anything: the most likely to pass one check and fail the next.
replaced = st.builds(
    lambda good, pick, value: (
        good[0],
        msgspec.json.encode((fields := msgspec.json.decode(good[1])) | {sorted(fields)[pick % len(fields)]: value}),
    ),
    st.sampled_from([good for good in GOOD if good[1].startswith(b"{")]),
    st.integers(min_value=0, max_value=100),
    json_values.filter(lambda value: value == value),
)
topics = st.sampled_from([f"wildpost/v1/lake-07/{kind}" for kind in KINDS]) | st.text(max_size=60)
junk = st.tuples(topics, st.binary(max_size=300) | json_values.map(msgspec.json.encode))


UNASKED = "an answer, or a part of an original, that nobody waits for: dropped with a warning"


def identity(item: ReceivedMessage) -> object:
    """Name what a message is kept under: two reports of one id are one, whatever else they say."""
    try:
        record = decode(item.topic, item.payload)
    except Malformed:
        return item.topic, item.payload
    if isinstance(record, Answer | MediaPart):
        return UNASKED
    return record.report_id if isinstance(record, SetAside) else (item.topic, item.payload)


@settings(max_examples=60, deadline=None)
@given(st.lists(damaged | replaced | junk, max_size=40))
def test_every_message_is_stored_or_quarantined(messages: list[tuple[str, bytes]]) -> None:
    with intake() as (taking, store, casebook):
        batch = [ReceivedMessage(topic, payload, NOW) for topic, payload in messages]
        taken = keep(taking, read_batch(batch))
        # Each different message is accounted for; the one that the same batch holds twice, once.
        again = keep(taking, read_batch(batch))
        assert taken.received == again.received == len(messages)
        assert again.quarantined == again.flagged == 0
        assert taken.stored + taken.repeated + taken.media + casebook.totals().quarantined <= len(messages)
        told = {identity(item) for item in batch if not is_probe(item.topic, item.payload)} - {UNASKED}
        assert taken.stored + taken.repeated + taken.media + casebook.totals().quarantined >= len(told)
        assert len(casebook.quarantined(limit=1000)) == casebook.totals().quarantined
        assert len(store.events(EventQuery(limit=1000))) == sum(state.events for state in store.stations())


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(label=st.text(min_size=1, max_size=200), name=st.text(max_size=200), number=st.integers(0, 2**53))
@example(label="\ud83d", name="\0", number=2**53)
@example(label="\0", name="\udc00", number=0)
def test_any_text_a_valid_event_may_hold_is_stored(label: str, name: str, number: int) -> None:
    fields = msgspec.json.decode(encode(msgspec.structs.replace(EVENT, event_id=new_event_id(), sequence=number)))
    fields["detections"][0]["label"] = label.encode(errors="replace").decode()
    fields["media"][0]["name"] = name.encode(errors="replace").decode()
    with intake() as (taking, store, _):
        taken = keep(
            taking,
            read_batch([ReceivedMessage(topic_of("wildpost", "lake-07", "event"), msgspec.json.encode(fields), NOW)]),
        )
        assert (taken.stored, taken.quarantined, taken.flagged) == (1, 0, 1)
        (event,) = store.events(EventQuery())
        assert isinstance(event, Event)
        assert event.detections[0].label == fields["detections"][0]["label"]


@pytest.mark.parametrize("name", ["event", "status", "health", "effort", "setaside"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "0001-06-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_no_time_zone_can_show_is_set_aside_before_pages_and_rules_fall_over_it(
    name: str, moment: str
) -> None:
    kind, record = EXAMPLES[name]
    fields = msgspec.json.decode(encode(record))
    fields |= dict.fromkeys(fields.keys() & {"captured_at", "at", "start", "end"}, moment)
    with intake() as (taking, store, casebook):
        taken = keep(
            taking,
            read_batch([ReceivedMessage(topic_of("wildpost", "lake-07", kind), msgspec.json.encode(fields), NOW)]),
        )
        assert (taken.stored, taken.quarantined) == (0, 1)
        (item,) = casebook.quarantined()
        assert (item.reason, "expected a year from 2 to 9998" in item.detail) == ("shape", True)
        assert store.stations() == []


@pytest.mark.parametrize(
    ("moment", "listed"),
    [
        ("0002-01-01T00:00:00+23:59", NOW),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("9998-12-31T23:59:59-23:59", NOW),
    ],
)
def test_a_time_of_a_clock_gone_mad_is_kept_and_listed(moment: str, listed: datetime) -> None:
    fields = msgspec.json.decode(encode(EVENT)) | {"captured_at": moment}
    with intake() as (taking, store, _):
        taken = keep(
            taking,
            read_batch([ReceivedMessage(topic_of("wildpost", "lake-07", "event"), msgspec.json.encode(fields), NOW)]),
        )
        assert taken.stored == 1
        assert [state.last_event_at for state in store.stations()] == [listed]


def test_half_a_surrogate_pair_written_as_an_escape_is_no_crash() -> None:
    payload = encode(EVENT).replace(b'"label":"person"', b'"label":"\\ud83d"')
    with intake() as (taking, _, casebook):
        taken = keep(taking, read_batch([ReceivedMessage(topic_of("wildpost", "lake-07", "event"), payload, NOW)]))
        assert taken.stored + casebook.totals().quarantined == 1


def test_invalid_utf8_in_an_unknown_field_is_no_crash() -> None:
    payload = encode(EVENT)[:-1] + b',"later":"\xff\xfe"}'
    with intake() as (taking, store, casebook):
        taken = keep(taking, read_batch([ReceivedMessage(topic_of("wildpost", "lake-07", "event"), payload, NOW)]))
        assert taken.stored + casebook.totals().quarantined == 1
        assert len(store.events(EventQuery())) == taken.stored


def test_a_stations_report_of_a_broken_file_is_shown_with_the_name_and_once() -> None:
    message = ReceivedMessage(topic_of("wildpost", "lake-07", "setaside"), encode(SET_ASIDE), NOW)
    with intake() as (taking, _, casebook):
        assert keep(taking, read_batch([message, message])).quarantined == 1
        (item,) = casebook.quarantined()
        assert (item.source, item.id, item.name, item.detail, item.size, item.station) == (
            "station",
            SET_ASIDE.report_id,
            "野猪 0042.JPG",
            SET_ASIDE.reason,
            1024,
            "lake-07",
        )


def test_flags_missing_after_a_crash_are_raised_when_the_message_comes_again() -> None:
    message = ReceivedMessage(topic_of("wildpost", "lake-07", "event"), encode(EVENT), NOW)
    with intake() as (taking, store, casebook):
        keep(
            Intake(store, casebook, FolderMedia(Path(tempfile.mkdtemp())), RuleSet(RulesOptions(), ())),
            read_batch([message]),
        )
        assert casebook.totals().flags == 0  # as if killed after the store's commit
        taken = keep(taking, read_batch([message]))
        assert (taken.stored, taken.repeated, taken.flagged) == (0, 1, 1)
