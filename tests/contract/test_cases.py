"""Cases from their opening to their closing, on SQLite and PostgreSQL: what is kept, and what is refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from casebook.casebook import Casebook
from casebook.cases.case_file import CaseConflict, HeldEvent, State
from casebook.cases.deadlines import CaseOptions, DeadlineRule
from casebook.cases.entry import (
    STEPS,
    CaseRefused,
    Change,
    Finding,
    FoundAnimals,
    SeizedItem,
    decode_entry,
    entry_sha256,
)
from casebook.cases.hold import held_media
from casebook.cases.repository import Cases
from casebook.incidents.database import Database
from casebook.records import MediaEntry
from contract.event_chain import ChainLink, has_valid_signature, payload_sha256
from contract.messages import Media
from ingest.media.port import MediaStore
from tests.cases import HOUR, NOW, SigningStation, deployment, opened_case

THUMBNAIL = Media(sha256="a" * 64, type="image/jpeg", size=10, role="thumbnail")


@pytest.fixture
def casebook(casebook_url: str) -> Iterator[Casebook]:
    opened = Casebook(casebook_url)
    yield opened
    opened.close()


@pytest.fixture
def cases(casebook: Casebook) -> Cases:
    return Cases(Database(casebook.engine))


@pytest.fixture
def station(tmp_path: Path) -> Iterator[SigningStation]:
    made = SigningStation(tmp_path / "station")
    yield made
    made.close()


def test_numbers_are_counted_within_a_year(cases: Cases) -> None:
    assert [opened_case(cases).number for _ in range(2)] == ["2026-LA-0001", "2026-LA-0002"]
    assert opened_case(cases, at=NOW.replace(year=2027)).number == "2027-LA-0001"


def test_cases_opened_at_once_get_numbers_of_their_own(cases: Cases) -> None:
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda _: opened_case(cases).number, range(12)))
    assert len(set(numbers)) == 12


def test_each_entry_names_the_hash_of_the_one_before(cases: Cases) -> None:
    number = opened_case(cases).number
    cases.add(number, Change(step="acknowledged"), "Wang", NOW + HOUR)
    cases.record_access(number, "viewed", "Zhou", NOW + HOUR)
    cases.add(number, Change(step="comment", text="夜里去看\0"), "Wang", NOW + 2 * HOUR)
    encoded = cases.encoded_entries(number)
    entries = [decode_entry(one) for one in encoded]
    assert [one.number for one in entries] == [1, 2, 3, 4]
    assert [one.previous for one in entries] == ["0" * 64, *map(entry_sha256, encoded[:-1])]
    assert entries == cases.entries(number)
    assert entries[3].text == "夜里去看\0"


def test_entries_added_at_once_stay_one_chain(cases: Cases) -> None:
    number = opened_case(cases).number

    def comment(index: int) -> None:
        cases.add(number, Change(step="comment", text=str(index)), f"ranger {index}", NOW)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(comment, range(16)))
    encoded = cases.encoded_entries(number)
    assert len(encoded) == 17
    previous = [decode_entry(one).previous for one in encoded]
    assert previous[1:] == list(map(entry_sha256, encoded[:-1]))


def test_a_case_goes_from_its_opening_to_its_closing(cases: Cases) -> None:
    number = opened_case(cases).number
    found = Finding(
        tools=(SeizedItem(name="捕鸟网", count=3),),
        animals=(FoundAnimals(name="画眉", alive=2, released=2), FoundAnimals(name="野猪", dead=1)),
        persons=2,
        vehicles=1,
    )
    for step, more in (
        ("acknowledged", {}),
        ("assigned", {"team": "北片二组"}),
        ("on_site", {}),
        ("finding", {"finding": found}),
        ("outcome", {"outcome": "administrative"}),
        ("closed", {}),
    ):
        cases.add(number, Change(step=step, **more), "Zhou", NOW + HOUR)  # type: ignore[arg-type]
    case = cases.case(number)
    assert case is not None
    assert (case.state, case.step, case.outcome, case.team) == ("closed", "closed", "administrative", "北片二组")
    assert next(one.finding for one in cases.entries(number) if one.step == "finding") == found
    assert (case.due_at, case.due_name) == (None, "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change(step="closed"), "outcome"),
        (Change(step="outcome"), "outcome"),
        (Change(step="assigned"), "team"),
        (Change(step="finding"), "finding"),
        (Change(step="finding", finding=Finding()), "finding"),
        (Change(step="comment", text=" "), "text"),
        (Change(step="opened", kind="hunting"), "first"),
        (Change(step="reopened"), "open"),
        (Change(step="linked"), "linked"),
        (Change(step="acknowledged", text="x" * 4001), "unknown"),
        (Change(step="assigned", team="x" * 201), "unknown"),
    ],
)
def test_a_step_that_lacks_something_is_refused_and_not_recorded(cases: Cases, change: Change, reason: str) -> None:
    number = opened_case(cases).number
    with pytest.raises(CaseRefused) as refused:
        cases.add(number, change, "Zhou", NOW)
    assert refused.value.reason == reason
    assert len(cases.entries(number)) == 1
    assert cases.add(number, Change(step="acknowledged"), "Zhou", NOW).number == 2


def test_a_closed_case_takes_only_notes_until_it_is_reopened_and_then_needs_an_outcome_again(cases: Cases) -> None:
    number = opened_case(cases).number
    cases.add(number, Change(step="closed", outcome="unfounded"), "Zhou", NOW)
    cases.add(number, Change(step="comment", text="again seen"), "Zhou", NOW)
    notes = ("comment", "linked", "viewed", "exported")
    for step in STEPS:
        if step not in (*notes, "opened", "reopened"):
            with pytest.raises(CaseRefused) as refused:
                cases.add(number, Change(step=step, team="a", outcome="warned", text="a"), "Zhou", NOW)
            assert refused.value.reason == "closed"
    cases.add(number, Change(step="reopened", text="new evidence"), "Zhou", NOW)
    with pytest.raises(CaseRefused, match="outcome"):
        cases.add(number, Change(step="closed"), "Zhou", NOW)


def test_a_case_that_does_not_exist_is_named(cases: Cases) -> None:
    with pytest.raises(CaseRefused, match="2026-LA-0099"):
        cases.add("2026-LA-0099", Change(step="acknowledged"), "Zhou", NOW)
    with pytest.raises(CaseRefused, match="2026-LA-0099"):
        cases.record_access("2026-LA-0099", "exported", "Zhou", NOW)
    assert cases.case("2026-LA-0099") is None


def test_who_acts_on_an_old_view_of_the_case_learns_what_others_did(cases: Cases) -> None:
    case = opened_case(cases)
    cases.add(case.number, Change(step="assigned", team="one"), "Wang", NOW, seen=case.version)
    cases.record_access(case.number, "viewed", "Chen", NOW)
    with pytest.raises(CaseConflict) as conflict:
        cases.add(case.number, Change(step="assigned", team="two"), "Zhou", NOW, seen=case.version)
    assert [(one.step, one.actor, one.team) for one in conflict.value.entries] == [("assigned", "Wang", "one")]
    again = cases.case(case.number)
    assert again is not None and again.team == "one"
    cases.add(case.number, Change(step="assigned", team="two"), "Zhou", NOW, seen=again.version)


def test_of_two_people_at_once_one_is_told_of_the_other(cases: Cases) -> None:
    case = opened_case(cases)

    def assign(team: str) -> bool:
        try:
            cases.add(case.number, Change(step="assigned", team=team), team, NOW, seen=case.version)
        except CaseConflict:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(assign, ("one", "two"))) == [False, True]


def test_views_are_recorded_once_in_ten_minutes_for_each_person_and_change_nothing(cases: Cases) -> None:
    case = opened_case(cases)
    for minutes, actor in ((0, "Zhou"), (9, "Zhou"), (9, "Wang"), (11, "Zhou")):
        cases.record_access(case.number, "viewed", actor, NOW + timedelta(minutes=minutes))
    cases.record_access(case.number, "exported", "Zhou", NOW)
    steps = [(one.step, one.actor) for one in cases.entries(case.number)][1:]
    assert steps == [("viewed", "Zhou"), ("viewed", "Wang"), ("viewed", "Zhou"), ("exported", "Zhou")]
    assert cases.case(case.number) == case


def test_messages_of_linked_captures_are_kept_byte_for_byte(cases: Cases, station: SigningStation) -> None:
    first, second = station.signed((THUMBNAIL,)), station.signed()
    case = opened_case(cases, HeldEvent(first, deployment()))
    cases.add(case.number, Change(step="linked"), "Zhou", NOW, events=[HeldEvent(first), HeldEvent(second)])
    held = cases.events_of(case.number)
    assert [one.payload for one in held] == [first, second]
    assert [bool(one.deployment) for one in held] == [True, False]
    for one in held:
        link = one.event.chain
        assert isinstance(link, ChainLink) and has_valid_signature(one.payload, link.key)
    linked = cases.entries(case.number)[1].events
    assert [one.sha256 for one in linked] == [payload_sha256(second)], "the first is linked already"
    assert cases.numbers_of(event_ids=[held[1].event.event_id]) == [case.number]


def test_media_of_a_case_are_held_also_when_they_arrive_later_and_when_it_is_closed(
    casebook: Casebook, cases: Cases, station: SigningStation
) -> None:
    database = Database(casebook.engine)
    payload = station.signed((THUMBNAIL,))
    event_id = HeldEvent(payload).event.event_id
    original = MediaEntry(event_id, "b" * 64, "image/jpeg", "original", 10, station.name, NOW)
    other = MediaEntry("0195d0a1-0000-7000-8000-0000000000aa", "c" * 64, "image/jpeg", "clip", 10, station.name, NOW)
    casebook.add_media([original, other])
    asked = [letter * 64 for letter in "abcd"]
    assert held_media(database, asked) == set()
    number = opened_case(cases, HeldEvent(payload)).number
    assert held_media(database, asked) == {"a" * 64, "b" * 64}
    cases.add(number, Change(step="closed", outcome="unfounded"), "Zhou", NOW)
    assert held_media(database, asked) == {"a" * 64, "b" * 64}


def test_the_media_store_has_no_deletion_that_could_overlook_the_hold() -> None:
    methods = {name for name in vars(MediaStore) if not name.startswith("_")}
    assert methods == {"put", "put_all", "open", "names"}, "a new deletion must ask casebook.cases.hold.held_media"


def test_incidents_are_linked_once(cases: Cases) -> None:
    number = opened_case(cases).number
    cases.add(number, Change(step="linked", incidents=("one", "two")), "Zhou", NOW)
    cases.add(number, Change(step="linked", incidents=("two",), text="again"), "Zhou", NOW)
    assert cases.incidents_of(number) == ["one", "two"]
    assert cases.numbers_of(incident_ids=["two", "three"]) == [number]


def test_open_cases_are_listed_by_deadline_and_closed_ones_by_their_last_change(casebook: Casebook) -> None:
    rule = DeadlineRule(name="report", start="on_site", ends=("finding",), hours=24)
    cases = Cases(Database(casebook.engine), CaseOptions(deadlines=(rule,)))
    numbers = [opened_case(cases).number for _ in range(5)]
    for index, hours in ((3, 0), (1, 5)):
        cases.add(numbers[index], Change(step="on_site"), "Zhou", NOW + hours * HOUR)
    cases.add(numbers[0], Change(step="closed", outcome="unfounded"), "Zhou", NOW + HOUR)
    cases.add(numbers[4], Change(step="closed", outcome="warned"), "Zhou", NOW + 2 * HOUR)
    by_deadline = [numbers[3], numbers[1], numbers[2]]
    assert [one.number for one in cases.listing("open", 9)] == by_deadline
    assert [one.number for one in cases.listing("open", 9, overdue_at=NOW + 25 * HOUR)] == by_deadline[:1]
    assert [one.number for one in cases.listing("closed", 9)] == [numbers[4], numbers[0]]
    states: tuple[State, ...] = ("open", "closed")
    for state in states:
        after, listed = None, []
        for _ in range(9):
            page = cases.listing(state, 1, after)
            listed += page
            after = page[-1].key if page else after
        assert listed == cases.listing(state, 9)
