"""Decisions can be withdrawn one after the other, and nobody overwrites a decision unseen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from casebook.casebook import Casebook
from casebook.flag_queue import FlagQueue
from casebook.flags import Flag
from casebook.incidents.database import Database
from casebook.verdicts import Verdict, VerdictConflict, latest_sequences
from contract.severity import Severity

NOON = datetime(2026, 4, 12, 12, 0, tzinfo=UTC)
DISMISSED = Verdict("event-1", 0, "dismissed", "blank", "boar", None, "wang", NOON)
CONFIRMED = replace(DISMISSED, outcome="confirmed", observation_type="animal", decided_at=NOON + timedelta(minutes=1))


@pytest.fixture
def casebook(casebook_url: str) -> Iterator[Casebook]:
    opened = Casebook(casebook_url)
    yield opened
    opened.close()


def in_force(casebook: Casebook) -> list[Verdict]:
    return casebook.verdicts_of(["event-1"]).get("event-1", [])


def withdraw(casebook: Casebook, *decisions: Verdict) -> list[Verdict]:
    return casebook.withdraw_verdicts("event-1", [one.sequence for one in decisions], "li", NOON + timedelta(hours=1))


def test_a_withdrawn_decision_is_no_longer_valid_and_stays_in_the_history(casebook: Casebook) -> None:
    first = casebook.record_verdict(DISMISSED)
    (withdrawal,) = withdraw(casebook, first)
    assert in_force(casebook) == []
    assert (withdrawal.outcome, withdrawal.withdraws, withdrawal.classified_by) == ("withdrawn", first.sequence, "li")
    assert casebook.verdict_history("event-1") == [first, withdrawal]
    assert casebook.unapplied_verdicts() == [first, withdrawal]


def test_withdrawing_one_decision_after_the_other_makes_the_one_before_valid(casebook: Casebook) -> None:
    first, second = casebook.record_verdict(DISMISSED), casebook.record_verdict(CONFIRMED)
    (withdrawal,) = withdraw(casebook, second)
    assert in_force(casebook) == [first]
    assert (withdrawal.outcome, withdrawal.observation_type) == ("dismissed", "blank")
    withdraw(casebook, first)
    assert in_force(casebook) == []


def test_withdrawing_an_earlier_decision_leaves_the_later_one_valid(casebook: Casebook) -> None:
    first, second = casebook.record_verdict(DISMISSED), casebook.record_verdict(CONFIRMED)
    (withdrawal,) = withdraw(casebook, first)
    assert in_force(casebook) == [second]
    assert withdrawal.outcome == "confirmed"


def test_a_decision_is_withdrawn_once(casebook: Casebook) -> None:
    first = casebook.record_verdict(DISMISSED)
    assert withdraw(casebook, first)[0].sequence == withdraw(casebook, first)[0].sequence
    assert len(casebook.verdict_history("event-1")) == 2
    assert casebook.withdraw_verdicts("event-1", [12345], "li", NOON) == []
    assert casebook.withdraw_verdicts("another", [first.sequence], "li", NOON) == []


def test_a_decision_after_a_withdrawal_counts(casebook: Casebook) -> None:
    withdraw(casebook, casebook.record_verdict(DISMISSED))
    again = casebook.record_verdict(CONFIRMED)
    assert in_force(casebook) == [again]


def test_who_did_not_see_the_decision_of_another_overwrites_nothing(casebook: Casebook) -> None:
    first = casebook.record_verdicts([DISMISSED], {})[0]
    mine = [replace(CONFIRMED, classified_by="li"), replace(CONFIRMED, classified_by="li", ordinal=1)]
    with pytest.raises(VerdictConflict) as conflict:
        casebook.record_verdicts(mine, {0: 0, 1: 0})
    assert conflict.value.latest == (first,)
    assert casebook.verdict_history("event-1") == [first], "neither of the two was recorded"
    assert len(casebook.record_verdicts(mine, {0: first.sequence})) == 2
    assert latest_sequences(casebook.verdict_history("event-1"))[0] > first.sequence


def test_a_request_sent_again_is_recorded_once(casebook: Casebook) -> None:
    first = casebook.record_verdicts([DISMISSED], {})[0]
    again = casebook.record_verdicts([replace(DISMISSED, decided_at=NOON + timedelta(seconds=9))], {})[0]
    assert again.sequence == first.sequence
    assert len(casebook.verdict_history("event-1")) == 1


def test_of_many_who_decide_at_once_one_is_recorded(casebook: Casebook) -> None:
    def decide(number: int) -> bool:
        try:
            casebook.record_verdicts([replace(DISMISSED, classified_by=f"ranger {number}")], {})
        except VerdictConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(decide, range(16))) == 1
    assert len(casebook.verdict_history("event-1")) == 1


def test_flags_closed_by_a_withdrawn_decision_are_opened_again(casebook: Casebook) -> None:
    casebook.add_flags([Flag("event-1", "people", "urgent", "human", NOON)])
    casebook.close_flags("event-1", "wang", NOON)
    assert casebook.reopen_flags("event-1") == 1
    assert casebook.flags() == [Flag("event-1", "people", "urgent", "human", NOON)]


def flag(event_id: str, severity: Severity, minute: int, rule: str = "a", station: str = "lake") -> Flag:
    at = NOON + timedelta(minutes=minute)
    return Flag(event_id, rule, severity, "human", NOON, station=station, at=at)


def test_an_event_is_in_the_queue_once_under_its_highest_severity(casebook: Casebook) -> None:
    queue = FlagQueue(Database(casebook.engine))
    casebook.add_flags([flag("a", "warning", 1), flag("a", "urgent", 1, "b"), flag("b", "warning", 2)])
    casebook.add_flags([flag("b", "warning", 2, "b"), flag("c", "warning", 3, station="ridge"), flag("d", "notice", 4)])
    casebook.add_flags([flag("e", "warning", 5)])
    casebook.close_flags("e", "wang", NOON)
    assert [one.event_id for one in queue.events("urgent", 9)] == ["a"]
    assert [one.event_id for one in queue.events("warning", 9)] == ["c", "b"]
    assert [one.event_id for one in queue.events("warning", 9, stations=("ridge",))] == ["c"]
    first = queue.events("warning", 1)[0]
    assert [one.event_id for one in queue.events("warning", 9, after=first.key)] == ["b"]
    assert [one.event_id for one in queue.events("warning", 9, end=first.at)] == ["b"]
    assert [one.event_id for one in queue.events("warning", 9, start=first.at)] == ["c"]
    assert queue.severities_of(["a", "b", "e"]) == {"a": "urgent", "b": "warning"}
    assert queue.all_event_ids() == {"a", "b", "c", "d"}
