"""Every filter of the queue finds its captures at once, however many others lie before them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event as listen

from casebook.casebook import Casebook
from casebook.flags import Flag
from casebook.verdicts import Verdict
from contract import Event, encode, new_event_id
from contract.examples import EVENT
from contract.severity import Severity
from ingest.drawing.drawings import Drawings
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from review.options import ReviewOptions
from review.page import Site
from review.queue import Filters, next_undecided, parse_cursor, queue_page

NOON = datetime(2026, 5, 31, 4, tzinfo=UTC)
MANY = 2_100


class Counted:
    """A site with many captures, and the number of statements that a page takes."""

    def __init__(self, folder: Path) -> None:
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook("sqlite://")
        self.site = Site(
            self.store, self.casebook, FolderMedia(folder / "media"), ReviewOptions(page_size=5), Drawings(None)
        )
        self.statements = 0
        listen.listen(self.casebook.engine, "before_cursor_execute", self._count)
        read = self.store._read

        def counted(sql: str, values: list[object]) -> list[tuple[object, ...]]:
            self.statements += 1
            return read(sql, values)

        self.store._read = counted  # type: ignore[method-assign]

    def _count(self, *_: object) -> None:
        self.statements += 1

    def captures(self, count: int, label: str = "boar", hours: int = 0, station: str = "lake") -> list[Event]:
        boar = msgspec.structs.replace(
            EVENT.detections[0], label=label, scientific_name=None, observation_type="animal"
        )
        found = (boar,) if label else ()
        start = NOON + timedelta(hours=hours)
        return [
            msgspec.structs.replace(
                EVENT, event_id=new_event_id(), station=station, detections=found,
                captured_at=start - timedelta(seconds=number),
            )
            for number in range(count)
        ]  # fmt: skip

    def write(self, *groups: Sequence[Event]) -> None:
        events = [event for group in groups for event in group]
        self.store.write([Received(event, encode(event), NOON + timedelta(days=9)) for event in events])

    def decide(self, events: Sequence[Event]) -> None:
        verdicts = self.casebook.record_verdicts(
            [
                Verdict(one.event_id, one.detections[0].ordinal, "confirmed", "animal", "x", None, "r", NOON)
                for one in events
            ]
        )
        self.store.apply_verdicts([replace(one, label=events[0].detections[0].label) for one in verdicts])

    def flag(self, events: Sequence[Event], severity: Severity) -> None:
        self.casebook.add_flags(
            [
                Flag(one.event_id, severity, severity, "animal", NOON, {"label": "x", "confidence": "0.9"},
                     station=one.station, at=one.captured_at)
                for one in events
            ]
        )  # fmt: skip

    def page(self, filters: Filters) -> list[str]:
        self.statements = 0
        return [card.event.event_id for card in queue_page(self.site, filters).cards]


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    made = Counted(tmp_path)
    yield made
    made.store.close()
    made.casebook.close()


def ids(events: Sequence[Event]) -> list[str]:
    return [event.event_id for event in events]


def test_a_decided_capture_behind_many_undecided_ones_is_on_the_first_page(counted: Counted) -> None:
    many, old = counted.captures(MANY), counted.captures(1, hours=-50)
    counted.write(many, old)
    counted.decide(old)
    assert counted.page(Filters(show="reviewed")) == ids(old)
    assert counted.statements < 15


@pytest.mark.parametrize("filters", [Filters(), Filters(station="lake"), Filters(taxon="boar"), Filters(kind="animal")])
def test_an_undecided_capture_behind_many_decided_ones_is_on_the_first_page(counted: Counted, filters: Filters) -> None:
    many, old = counted.captures(MANY), counted.captures(1, hours=-50)
    counted.write(many, old)
    counted.decide(many)
    assert counted.page(replace(filters, show="unreviewed")) == ids(old)
    assert counted.statements < 15


@pytest.mark.parametrize(
    ("filters", "group"),
    [
        (Filters(taxon="野猪"), "boar"),
        (Filters(taxon="wild_boar"), "boar"),
        (Filters(kind="blank"), ""),
        (Filters(station="ridge"), "ridge"),
        (Filters(day=(NOON - timedelta(hours=50)).date()), "day"),
        (Filters(show="notice"), "notice"),
        (Filters(show="flagged", taxon="badger"), "badger"),
    ],
)
def test_every_filter_finds_its_capture_behind_many_flagged_and_unflagged_ones(
    counted: Counted, filters: Filters, group: str
) -> None:
    urgent, plain = counted.captures(MANY, "fox", hours=1), counted.captures(MANY, "fox")
    groups = {
        "boar": counted.captures(1, "wild boar", hours=-9),
        "": counted.captures(1, "", hours=-9),
        "ridge": counted.captures(1, "fox", hours=-9, station="ridge"),
        "day": counted.captures(1, "fox", hours=-50),
        "notice": counted.captures(1, "fox", hours=-9),
        "badger": counted.captures(1, "badger", hours=-9),
    }
    counted.write(urgent, plain, *groups.values())
    counted.flag(urgent, "urgent")
    counted.flag(groups["notice"], "notice")
    counted.flag(groups["badger"], "warning")
    assert counted.page(filters) == ids(groups[group])
    assert counted.statements < 60


def test_the_queue_is_in_order_of_severity_and_time_and_every_capture_is_on_one_page(counted: Counted) -> None:
    groups = [counted.captures(7, hours=-4 + number) for number in range(4)]
    counted.write(*groups)
    for group, severity in zip(groups, ("urgent", "warning", "notice"), strict=False):
        counted.flag(group, severity)  # type: ignore[arg-type]
    counted.flag(groups[0][:2], "notice")
    expected = [event_id for group in groups for event_id in ids(group)]
    seen, after = list[str](), ""
    while after is not None:
        page = queue_page(counted.site, Filters(after=parse_cursor(after)))
        seen += [card.event.event_id for card in page.cards]
        after = page.next or None  # type: ignore[assignment]
    assert seen == expected
    first = counted.site.listed_event(groups[0][0].event_id)
    assert first
    assert next_undecided(counted.site, first, "u") == groups[0][1].event_id


def test_more_captures_take_few_more_statements(counted: Counted) -> None:
    taken = []
    for round_number in range(2):
        urgent = counted.captures(500 * 8**round_number, "fox", hours=10 + round_number)
        counted.write(urgent)
        counted.flag(urgent, "urgent")
        if not round_number:
            counted.write(counted.captures(1))
        counted.page(Filters(show="unreviewed", after=parse_cursor(f"n~2000-01-01T00:00:00+00:00~{new_event_id()}")))
        taken.append(counted.statements)
    assert taken[1] - taken[0] < 25, "the number of captures grew nine-fold"
