"""What a batch may leave in quarantine and in the media store, with real stores."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from casebook.casebook import Casebook
from contract import MediaContent, encode, new_event_id, topic_of
from contract.examples import EVENT
from ingest.budgets.batch_limits import EXCERPT_BYTES, BatchLimits
from ingest.budgets.options import EXCERPTS, BudgetOptions
from ingest.budgets.tally import BudgetTally
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import Batch, ReceivedMessage, read_batch
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.store.duckdb.store import DuckDbStore

OPTIONS = BudgetOptions(quarantine_per_hour=5, unclaimed_megabytes=1)
NOW = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)


class Case:
    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{folder}/casebook.sqlite")
        self.media_folder = folder / "media"
        self.tally = BudgetTally(CollectorRegistry())
        self.overloaded: list[str] = []
        self.limits = BatchLimits(
            OPTIONS,
            self.store,
            self.casebook,
            self.tally,
            lambda station, _: self.overloaded.append(station),
            self.clock,
        )
        media, rules = FolderMedia(self.media_folder), RuleSet(RulesOptions(), ())
        self.intake = Intake(self.store, self.casebook, media, rules, limits=self.limits)

    def note_overload(self, station: str, at: datetime) -> None:
        self.overloaded.append(station)

    def clock(self) -> float:
        return self.now

    def process(self, batch: Batch) -> None:
        self.intake.conclude(batch, self.intake.store(batch))

    def stored_media(self) -> int:
        return sum(1 for path in self.media_folder.rglob("*") if path.is_file())


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    opened = Case(tmp_path)
    yield opened
    opened.store.close()
    opened.casebook.close()


def garbage(count: int, station: str = "stolen", start: int = 0) -> Batch:
    messages = [
        ReceivedMessage(topic_of("wildpost", station, "event"), b"\xff" * 5_000 + str(number).encode(), NOW)
        for number in range(start, start + count)
    ]
    return read_batch(messages)


def clips(count: int, station: str = "stolen") -> Batch:
    messages = []
    for number in range(count):
        data = b"\xff\xd8\xff" + bytes(99_000) + str(number).encode()
        content = MediaContent(
            event_id=new_event_id(),
            station=station,
            sha256=hashlib.sha256(data).hexdigest(),
            type="image/jpeg",
            role="thumbnail",
            data=data,
        )
        messages.append(ReceivedMessage(topic_of("wildpost", station, "media"), encode(content), NOW))
    return read_batch(messages)


def test_some_unreadable_messages_are_kept_whole_more_with_their_first_bytes_and_the_rest_is_counted(
    case: Case,
) -> None:
    case.process(garbage(100))
    kept = case.casebook.quarantined(limit=1000)
    assert sorted(len(item.payload) for item in kept) == [EXCERPT_BYTES] * 5 * EXCERPTS + [5_001] * 5
    assert {item.size for item in kept} == {5_001, 5_002}
    assert case.tally.take()["stolen"].unreadable == 100 - 5 - 5 * EXCERPTS


def test_another_station_has_a_budget_of_its_own(case: Case) -> None:
    case.process(garbage(100))
    case.process(garbage(5, "honest"))
    kept = case.casebook.quarantined(limit=1000)
    assert [len(item.payload) for item in kept if item.station == "honest"] == [5_001] * 5


def test_a_batch_that_is_stored_again_counts_once(case: Case) -> None:
    batch = garbage(5)
    for _ in range(20):
        case.intake.store(batch)
    case.process(batch)
    assert [len(item.payload) for item in case.casebook.quarantined()] == [5_001] * 5


def test_media_without_an_event_are_kept_up_to_the_limit_and_counted_beyond_it(case: Case) -> None:
    case.process(clips(30))
    assert case.stored_media() == 10
    assert case.tally.take()["stolen"].unclaimed == 20


def test_media_of_an_event_in_the_same_batch_are_kept_beyond_the_limit(case: Case) -> None:
    case.process(clips(30))
    thumbnail = b"\xff\xd8\xff" + bytes(1000)
    content = MediaContent(
        event_id=EVENT.event_id,
        station="stolen",
        sha256=hashlib.sha256(thumbnail).hexdigest(),
        type="image/jpeg",
        role="thumbnail",
        data=thumbnail,
    )
    messages = [
        ReceivedMessage(topic_of("wildpost", "stolen", "media"), encode(content), NOW),
        ReceivedMessage(topic_of("wildpost", EVENT.station, "event"), encode(EVENT), NOW),
    ]
    case.process(read_batch(messages))
    assert case.stored_media() == 11


def test_what_was_dropped_is_one_record_for_each_station_and_hour_and_raises_an_alert(case: Case) -> None:
    case.process(garbage(100))
    case.limits.report(NOW)
    case.process(garbage(100, start=100))
    case.limits.report(NOW)
    (summary,) = [item for item in case.casebook.quarantined(limit=1000) if item.reason == "budget"]
    assert summary.station == "stolen"
    assert summary.detail.startswith("180 unreadable messages (0.9 MB) and 0 media")
    assert case.overloaded == ["stolen", "stolen"]


def test_a_month_of_held_back_messages_raises_no_alert(case: Case) -> None:
    case.tally.add("returning", held_back=50_000, held_back_bytes=2_000_000_000)
    case.limits.report(NOW)
    assert case.overloaded == []


def test_names_of_stations_in_the_metrics_are_bounded(case: Case) -> None:
    for number in range(3000):
        case.tally.add(f"name-{number}", unreadable=1)
    assert len(case.tally._names) <= 501
