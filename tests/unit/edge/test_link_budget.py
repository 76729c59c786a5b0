"""Media wait while the budget of the link is used up and in quiet hours, by the local time of the station."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.check.link import link_budget
from edge.link_budget import LinkBudget, LinkOptions, Usage, held_media, hold, remembered_usage, waiting_topics
from edge.outbox.outbox import Outbox, OutboxMessage

CHINA = timezone(timedelta(hours=8))
NOON = datetime(2026, 11, 28, 12, tzinfo=CHINA)
TOPICS = waiting_topics("wildpost", "lake-07")
DAY, MONTH = LinkOptions(megabytes_per_day=1), LinkOptions(megabytes_per_month=10)
NIGHT = LinkOptions(quiet_hours=("22:00-06:00", "12:30-13:00"))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "outbox.sqlite")) as opened:
        yield opened


def at(hour: int, minute: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute)


def used(day_bytes: int = 0, month_bytes: int = 0) -> Usage:
    return Usage("2026-11-28", day_bytes, "2026-11", month_bytes)


def test_the_defaults_hold_nothing() -> None:
    assert hold(LinkOptions(), used(10**12, 10**12), NOON) is None


def test_a_used_up_day_ends_at_local_midnight_and_a_month_with_the_next() -> None:
    assert hold(DAY, used(999_999), NOON) is None
    assert hold(DAY, used(1_000_000), NOON) == ("day", datetime(2026, 11, 29, tzinfo=CHINA))
    assert hold(MONTH, used(0, 10_000_000), NOON) == ("month", datetime(2026, 12, 1, tzinfo=CHINA))
    december = NOON.replace(month=12, day=31)
    assert hold(MONTH, Usage("2026-12-31", 0, "2026-12", 10**8), december) == (
        "month",
        datetime(2027, 1, 1, tzinfo=CHINA),
    )
    assert hold(DAY, used(10**9), NOON + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("hour", "minute", "until"),
    [(21, 59, None), (22, 0, 30), (23, 59, 30), (0, 0, 6), (5, 59, 6), (6, 0, None), (12, 29, None), (12, 30, 13)],
)
def test_quiet_hours_may_pass_midnight(hour: int, minute: int, until: int | None) -> None:
    found = hold(NIGHT, used(), at(hour, minute))
    expected = None if until is None else at(0) + timedelta(hours=until)
    assert (found.until if found else None) == expected


def test_the_reason_that_lasts_longest_is_named() -> None:
    both = LinkOptions(megabytes_per_day=1, quiet_hours=("11:00-13:00",))
    found = hold(both, used(10**6), NOON)
    assert found is not None and found.reason == "day"


@pytest.mark.parametrize("span", ["22-06", "24:00-06:00", "22:00-22:00", "22:60-06:00", ""])
def test_a_time_that_is_none_is_refused(span: str) -> None:
    with pytest.raises(ValueError, match="quiet_hours"):
        LinkOptions(quiet_hours=(span,))


def test_a_clock_that_goes_back_gives_no_new_budget() -> None:
    usage = used(500).with_sent(datetime(1970, 1, 1, tzinfo=CHINA), 7)
    assert (usage.day, usage.day_bytes, usage.month_bytes) == ("2026-11-28", 507, 7)
    assert usage.with_sent(NOON + timedelta(days=1), 3).day_bytes == 3


def test_the_usage_outlives_the_station_and_is_stored_at_most_every_half_minute(outbox: Outbox) -> None:
    now_s = 0.0
    budget = LinkBudget(DAY, CHINA, TOPICS, outbox, lambda: NOON.astimezone(UTC), lambda: now_s)
    budget.count(400_000)
    budget.save()
    assert remembered_usage(outbox) == Usage()
    now_s = 30.0
    budget.save()
    budget.count(600_000)
    budget.save()
    assert remembered_usage(outbox).day_bytes == 400_000
    assert budget.paused_topics() == TOPICS
    budget.save(at_once=True)
    again = LinkBudget(DAY, CHINA, TOPICS, outbox, lambda: NOON.astimezone(UTC))
    assert again.paused_topics() == TOPICS


def test_health_and_check_say_how_much_waits_and_until_when(outbox: Outbox, tmp_path: Path) -> None:
    outbox.commit(
        [OutboxMessage(topic, b"x" * size, media=True) for topic, size in zip(TOPICS, (100, 50), strict=True)]
    )
    outbox.commit([OutboxMessage("wildpost/v1/lake-07/event", b"e" * 1000)])
    held = held_media(hold(NIGHT, used(), at(23)), outbox, TOPICS)
    assert held is not None
    assert (held.reason, held.messages, held.size, held.until.hour) == ("quiet hours", 2, 150, 6)
    finding = link_budget(tmp_path, NIGHT, at(23), "wildpost", "lake-07")
    assert finding is not None and finding.state == "works"
    assert "2 media, 0.0 MB, wait until 2026-11-29 06:00: quiet hours" in finding.found
    assert link_budget(tmp_path, LinkOptions(), at(23), "wildpost", "lake-07") is None
    free = link_budget(tmp_path, NIGHT, at(12), "wildpost", "lake-07")
    assert free is not None and free.found.endswith("; media are sent")
