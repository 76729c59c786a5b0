"""Flags, verdicts, quarantine and media survive, once each, in SQLite and in PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from casebook.casebook import Casebook
from casebook.flags import Flag
from casebook.records import CasebookTotals, MediaEntry, Quarantined
from casebook.verdicts import Verdict
from contract.errors import StoreUnavailable

NOON = datetime(2026, 4, 12, 12, 0, tzinfo=UTC)
FLAG = Flag("event-1", "person", "warning", "human", NOON, {"label": "person", "zone_zh": "湖"}, "lake-west")
VERDICT = Verdict("event-1", 0, "corrected", "animal", "badger", "Meles leucurus", "ranger", NOON)
ITEM = Quarantined("q-1", "message", NOON, "wildpost/v1/a/event", "a", "syntax", "what", b"\xff\0{", 3)
MEDIA = MediaEntry("event-1", "a" * 64, "image/jpeg", "thumbnail", 100, "lake-07", NOON)


@pytest.fixture
def url(casebook_url: str) -> str:
    return casebook_url


@pytest.fixture
def casebook(url: str) -> Iterator[Casebook]:
    opened = Casebook(url)
    yield opened
    opened.close()


def test_everything_is_there_after_opening_again(casebook: Casebook, url: str) -> None:
    casebook.add_flags([FLAG])
    casebook.record_verdict(VERDICT)
    casebook.quarantine(ITEM)
    casebook.add_media([MEDIA])
    casebook.close()
    again = Casebook(url)
    assert again.flags() == [FLAG]
    assert again.verdicts_of(["event-1"]) == {"event-1": [VERDICT]}
    assert again.quarantined() == [ITEM]
    assert again.media_of(["event-1", "event-2"]) == {"event-1": [MEDIA]}
    assert again.totals() == CasebookTotals(flags=1, open_flags=1, verdicts=1, quarantined=1, media=1)
    again.close()


def test_a_flag_raised_again_is_kept_once_even_when_it_was_closed(casebook: Casebook) -> None:
    assert casebook.add_flags([FLAG, replace(FLAG, rule="anywhere")]) == 2
    assert casebook.close_flags("event-1", "ranger", NOON) == 2
    assert casebook.add_flags([replace(FLAG, raised_at=NOON + timedelta(hours=1))]) == 0
    assert casebook.flags(open_only=True) == []
    closed = casebook.flags_of(["event-1"])["event-1"]
    assert [(flag.rule, flag.state, flag.closed_by, flag.closed_at) for flag in closed] == [
        ("anywhere", "closed", "ranger", NOON),
        ("person", "closed", "ranger", NOON),
    ]  # fmt: skip
    assert casebook.close_flags("event-1", "another", NOON) == 0


def test_flags_are_paged_newest_first(casebook: Casebook) -> None:
    flags = [replace(FLAG, event_id=f"event-{n}", raised_at=NOON + timedelta(minutes=n // 2)) for n in range(7)]
    casebook.add_flags(flags)
    pages: list[Flag] = []
    for _ in range(3):
        pages += casebook.flags(limit=3, after=pages[-1].key if pages else None)
    assert pages == sorted(flags, key=lambda flag: flag.key, reverse=True)


def test_the_verdict_recorded_last_counts_though_the_clock_was_set_back_and_earlier_ones_are_kept(
    casebook: Casebook,
) -> None:
    later = replace(
        VERDICT, outcome="dismissed", observation_type="blank", decided_at=NOON - timedelta(days=400), label="blank"
    )
    other = replace(VERDICT, ordinal=1)
    recorded = casebook.record_verdicts([VERDICT, other, later])
    assert casebook.verdicts_of(["event-1"]) == {"event-1": [later, other]}
    assert casebook.verdict_history("event-1") == [VERDICT, other, later]
    assert [one.sequence - recorded[0].sequence for one in recorded] == [0, 1, 2]
    assert recorded[0].sequence == VERDICT.order


def test_after_a_clock_of_2099_the_next_verdict_counts(casebook: Casebook) -> None:
    wrong = casebook.record_verdict(replace(VERDICT, decided_at=datetime(2099, 1, 1, tzinfo=UTC)))
    right = casebook.record_verdict(replace(VERDICT, outcome="confirmed"))
    assert right.sequence == wrong.sequence + 1
    assert casebook.verdicts_of(["event-1"]) == {"event-1": [right]}


def test_two_different_verdicts_of_one_moment_are_both_kept(casebook: Casebook) -> None:
    second = replace(VERDICT, outcome="confirmed")
    casebook.record_verdicts([VERDICT, second, VERDICT])
    assert casebook.verdict_history("event-1") == [VERDICT, second, VERDICT]


def test_a_verdict_recorded_twice_is_kept_once(casebook: Casebook) -> None:
    assert casebook.record_verdict(VERDICT).sequence == casebook.record_verdict(VERDICT).sequence
    assert casebook.totals().verdicts == 1


def test_verdicts_recorded_at_once_get_different_sequences(casebook: Casebook) -> None:
    with ThreadPoolExecutor(4) as threads:
        recorded = list(threads.map(lambda n: casebook.record_verdict(replace(VERDICT, ordinal=n)), range(20)))
    assert len({one.sequence for one in recorded}) == 20


def test_verdicts_wait_until_the_store_has_them(casebook: Casebook) -> None:
    first = casebook.record_verdict(VERDICT)
    later = casebook.record_verdict(replace(VERDICT, decided_at=NOON + timedelta(minutes=1)))
    assert casebook.unapplied_verdicts() == [first, later]
    casebook.mark_applied([first])
    assert casebook.unapplied_verdicts() == [later]


def test_quarantined_records_are_paged_newest_first_and_kept_once(casebook: Casebook) -> None:
    items = [replace(ITEM, id=f"q-{n}", at=NOON + timedelta(minutes=n // 2)) for n in range(5)]
    assert casebook.quarantine(*items) == 5
    assert casebook.quarantine(items[0]) == 0
    first = casebook.quarantined(limit=2)
    assert first + casebook.quarantined(after=first[-1].key) == sorted(items, key=lambda item: item.key, reverse=True)


def test_more_ids_than_one_statement_takes_are_no_trouble(casebook: Casebook) -> None:
    casebook.add_flags([FLAG])
    assert casebook.flags_of(["event-1", *(f"other-{n}" for n in range(40_000))]) == {"event-1": [FLAG]}


def test_a_casebook_of_a_later_version_is_not_touched(casebook: Casebook, url: str) -> None:
    casebook.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreUnavailable, match="version 9999, and this Wildpost reads up to 0"):
        Casebook(url)


def test_words_of_any_length_and_with_nul_are_kept(casebook: Casebook) -> None:
    long = replace(ITEM, topic="t" * 70_000, detail="a\0b", name="\0" * 3)
    assert casebook.quarantine(long) == 1
    assert casebook.quarantine(long) == 0
    assert casebook.quarantined() == [replace(long, detail="a\u2400b", name="\u2400" * 3)]
    casebook.record_verdict(replace(VERDICT, classified_by="r" * 500))
    assert casebook.unapplied_verdicts()[0].classified_by == "r" * 500


def test_casebooks_opened_at_once_make_their_tables_once(casebook_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: Casebook(casebook_url), range(6)))
    opened[0].add_flags([FLAG])
    assert opened[-1].flags() == [FLAG]
    for one in opened:
        one.close()


def test_a_casebook_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "casebook.sqlite").write_text("not a database, " * 100)
    with pytest.raises(StoreUnavailable, match=r"casebook\.sqlite.*not a database"):
        Casebook(f"sqlite:///{tmp_path}/casebook.sqlite")


def many(station: str, count: int) -> list[Quarantined]:
    return [
        replace(ITEM, id=f"{station}-{number:04}", station=station, at=NOON + timedelta(seconds=number))
        for number in range(count)
    ]


def test_the_oldest_records_of_a_station_leave_the_quarantine_beyond_its_limit(casebook: Casebook) -> None:
    casebook.quarantine(*many("stolen", 30), *many("honest", 3))
    assert casebook.prune_quarantine(station_limit=10, limit=100) == {"stolen": 20}
    left = [item.id for item in casebook.quarantined(limit=100)]
    assert sorted(one for one in left if one.startswith("stolen")) == [
        f"stolen-{number:04}" for number in range(20, 30)
    ]
    assert sum(one.startswith("honest") for one in left) == 3


def test_beyond_the_limit_for_all_the_stations_with_most_records_lose_them(casebook: Casebook) -> None:
    casebook.quarantine(*many("stolen-1", 9), *many("stolen-2", 8), *many("honest", 3))
    assert casebook.prune_quarantine(station_limit=10, limit=12) == {"stolen-1": 5, "stolen-2": 3}
    assert casebook.prune_quarantine(station_limit=10, limit=12) == {}
    assert casebook.totals().quarantined == 12


def test_a_record_put_again_is_replaced(casebook: Casebook) -> None:
    casebook.put_quarantined(ITEM)
    casebook.put_quarantined(replace(ITEM, detail="more", size=7, at=NOON + timedelta(hours=1)))
    (kept,) = casebook.quarantined()
    assert (kept.detail, kept.size, kept.at) == ("more", 7, NOON + timedelta(hours=1))
