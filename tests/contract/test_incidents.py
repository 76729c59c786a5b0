"""What happens within minutes and metres is one incident; who is told, when, and why not."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select
from sqlalchemy.pool import StaticPool

from casebook.engine import open_engine
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence, are_near
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.tables import incident, occurrence
from casebook.tables import metadata
from contract import Location
from contract.severity import SEVERITIES, Severity, severity_rank

START = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)
RIDGE = Location(latitude=31.0, longitude=117.3)
POLICY = AlertPolicy(min_severity="warning", cooldown_minutes=30)


class Case:
    """A book, and what it holds; in memory where no database is named."""

    def __init__(self, url: str | None = None) -> None:
        self.options = IncidentOptions()
        if url is None:
            self._engine = create_engine("sqlite://", poolclass=StaticPool)
            metadata.create_all(self._engine)
        else:
            self._engine = open_engine(url)
        self.book = IncidentRepository(Database(self._engine), self.options, POLICY, ["test"])

    def record(self, *occurrences: Occurrence) -> list[Alert]:
        return self.book.record(occurrences)

    def homes(self) -> dict[tuple[str, str], str]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(occurrence.c.subject, occurrence.c.kind, occurrence.c.incident_id))
            return {(subject, kind): home for subject, kind, home in rows}

    def incidents(self) -> list[dict[str, object]]:
        with self._engine.connect() as connection:
            return [
                dict(row) for row in connection.execute(select(incident).order_by(incident.c.started_at)).mappings()
            ]

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def case(casebook_url: str) -> Iterator[Case]:
    opened = Case(casebook_url)
    yield opened
    opened.close()


def seen(
    minute: float,
    kind: str = "human",
    severity: Severity = "warning",
    station: str = "ridge-07",
    subject: str = "",
    delay_minutes: float = 0.1,
    location: Location | None = RIDGE,
) -> Occurrence:
    at = START + timedelta(minutes=minute)
    return Occurrence(
        subject=subject or f"{station}-{minute}",
        kind=kind,
        source="vision",
        station=station,
        at=at,
        received_at=at + timedelta(minutes=delay_minutes),
        location=location,
        severity=severity,
        confidence=0.7,
        rules=("rule",),
        late=delay_minutes > 60,
    )


def causes(alerts: Sequence[Alert]) -> list[str]:
    return [one.cause for one in alerts]


def test_what_comes_within_minutes_at_one_place_is_one_incident_and_one_alert(case: Case) -> None:
    assert causes(case.record(seen(0))) == ["first"]
    assert case.record(seen(5), seen(9), seen(18)) == []
    assert len(case.incidents()) == 1
    assert case.record(seen(29)) == []  # another incident, eleven minutes on: the cooldown holds it back
    assert len(case.incidents()) == 2


def test_what_is_within_metres_is_one_incident_and_what_is_further_another(case: Case) -> None:
    near_by, far = Location(latitude=31.005, longitude=117.3), Location(latitude=31.05, longitude=117.3)
    case.record(seen(0), seen(1, station="ridge-08", location=near_by))
    assert len(case.incidents()) == 1
    assert causes(case.record(seen(2, station="ridge-09", location=far))) == ["first"]
    assert len(case.incidents()) == 2
    case.record(seen(3, station="ridge-10", location=None))
    assert len(case.incidents()) == 3


def test_a_shot_after_a_person_alerts_again_and_a_worse_rule_too(case: Case) -> None:
    assert causes(case.record(seen(0))) == ["first"]
    assert causes(case.record(seen(1, "gunshot"))) == ["kind"]
    assert causes(case.record(seen(2, "human", "urgent"))) == ["severity"]
    assert case.record(seen(3, "gunshot", "urgent"), seen(4, "human", "urgent")) == []
    assert case.incidents()[0]["severity"] == "urgent"


def test_what_did_not_alert_spends_no_cooldown(case: Case) -> None:
    assert case.record(seen(0, severity="notice")) == []
    assert causes(case.record(seen(20))) == ["first"]
    assert case.record(seen(40)) == []  # held back by the alert at 20
    assert causes(case.record(seen(52))) == ["first"]  # and not by what was held back at 40


def test_a_worse_incident_alerts_through_the_cooldown(case: Case) -> None:
    case.record(seen(0))
    assert causes(case.record(seen(15, severity="urgent"))) == ["first"]


def test_what_was_held_back_alerts_when_the_cooldown_is_over_and_it_goes_on(case: Case) -> None:
    case.record(seen(0))
    assert case.record(seen(25)) == []
    assert causes(case.record(seen(32))) == ["first"]


def test_what_arrives_days_late_is_kept_as_late_and_alerts_nobody(case: Case) -> None:
    late = seen(0, severity="urgent", delay_minutes=3 * 24 * 60)
    assert case.record(late) == []
    assert case.incidents()[0]["late"] is True
    live = seen(3 * 24 * 60 + 1)
    assert causes(case.record(live)) == ["first"]  # nor does it hold back what is news
    assert case.incidents()[1]["late"] is False


def test_what_arrives_in_the_wrong_order_joins_what_is_there(case: Case) -> None:
    case.record(seen(12), seen(4, subject="before"))
    case.record(seen(8, delay_minutes=20))
    assert len(case.incidents()) == 1


def test_an_incident_ends_some_time_however_busy_the_road(case: Case) -> None:
    for minute in range(0, 300, 5):
        case.record(seen(minute))
    for one in case.incidents():
        lasted = one["ended_at"] - one["started_at"]  # type: ignore[operator]
        assert lasted <= case.options.longest
    assert len(case.incidents()) == 3


def test_a_shot_that_others_heard_joins_theirs_across_the_valley_and_makes_it_surer(case: Case) -> None:
    far = Location(latitude=31.03, longitude=117.3)
    first = seen(0, "gunshot", subject="first")
    case.record(first)
    other = replace(seen(0.1, "gunshot", subject="second", station="ridge-09", location=far), confidence=0.91)
    assert case.record(replace(other, witnesses=frozenset({"first"}))) == []
    assert len(case.incidents()) == 1
    assert case.incidents()[0]["confidence"] == 0.91
    assert case.record(replace(first, confidence=0.91)) == []  # surer, not worse: nobody is told twice


def test_a_finding_that_gets_worse_later_is_an_escalation(case: Case) -> None:
    case.record(seen(0, "gunshot", subject="shot"))
    worse = replace(seen(0, "gunshot", "urgent", subject="shot"), confidence=0.95, rules=("rule", "two-stations"))
    assert causes(case.record(worse)) == ["severity"]
    assert case.record(worse) == []


def test_two_processes_open_one_incident_for_one_thing(casebook_url: str) -> None:
    import threading

    engine = open_engine(casebook_url)
    books = [IncidentRepository(Database(engine), IncidentOptions(), POLICY) for _ in range(4)]
    alerts: list[Alert] = []
    gate = threading.Barrier(len(books))

    def take(number: int) -> None:
        gate.wait()
        for minute in range(5):
            alerts.extend(books[number].record([seen(minute, subject=f"{number}-{minute}")]))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(len(books))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert len(connection.execute(select(incident.c.id)).all()) == 1
    engine.dispose()
    assert causes(alerts) == ["first"]


@dataclass(frozen=True)
class Step:
    """One thing that happens, and how long it takes to arrive."""

    minute: int
    kind: str
    severity: Severity
    station: str
    delay_minutes: int


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, 90),
        st.sampled_from(["human", "vehicle", "gunshot"]),
        st.sampled_from(SEVERITIES),
        st.sampled_from(["ridge-07", "ridge-08", "far"]),
        st.sampled_from([0, 0, 0, 3, 30, 100, 5000]),
    ),
    max_size=25,
)


def played(history: Sequence[Step]) -> list[Occurrence]:
    """What arrives, in the order in which it arrives."""
    places = {"ridge-07": RIDGE, "ridge-08": None, "far": Location(latitude=32.0, longitude=118.0)}
    made = [
        seen(one.minute, one.kind, one.severity, one.station, f"event-{number}", one.delay_minutes, places[one.station])
        for number, one in enumerate(history)
    ]
    return sorted(made, key=lambda one: one.received_at)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_one_alert_an_incident_and_every_escalation_and_no_cooldown_spent_on_silence(history: list[Step]) -> None:
    case = Case()
    told: dict[str, list[Alert]] = defaultdict(list)  # by incident
    everything: list[Alert] = []
    for one in played(history):
        raised = case.record(one)
        home = case.homes()[one.subject, one.kind]
        before, alerts = told[home], [alert for alert in raised if alert.incident_id == home]
        assert len(alerts) == len(raised) <= 1
        news = not one.late and severity_rank(one.severity) >= severity_rank(POLICY.min_severity)
        if not before:
            held_back = [
                alert
                for alert in everything
                if (alert.station, alert.kind) == (one.station, one.kind)
                and severity_rank(alert.severity) >= severity_rank(one.severity)
                and one.received_at - alert.raised_at < POLICY.cooldown
            ]
            # Only an alert that was raised may hold one back.
            assert causes(raised) == (["first"] if news and not held_back else [])
        else:
            worse = all(severity_rank(one.severity) > severity_rank(alert.severity) for alert in before)
            new_kind = one.kind not in {alert.kind for alert in before}
            assert causes(raised) == ([] if not news else ["severity"] if worse else ["kind"] if new_kind else [])
        told[home].extend(raised)
        everything.extend(raised)
    case.close()


@settings(max_examples=60, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_everything_is_in_one_incident_near_something_in_it_and_comes_again_unnoticed(
    history: list[Step], order: object
) -> None:
    case, arrived = Case(), played(history)
    order.shuffle(arrived)  # type: ignore[attr-defined]
    for one in arrived:
        case.record(one)
    homes = case.homes()
    assert set(homes) == {(one.subject, one.kind) for one in arrived}
    members: dict[str, list[Occurrence]] = defaultdict(list)
    for one in arrived:
        others = members[homes[one.subject, one.kind]]
        assert not others or any(are_near(one, other, case.options) for other in others)
        others.append(one)
    kept = case.incidents()
    assert case.record(*arrived) == []
    assert (case.homes(), case.incidents()) == (homes, kept)
    for found in kept:
        inside = members[str(found["id"])]
        assert (found["started_at"], found["ended_at"]) == (min(m.at for m in inside), max(m.at for m in inside))
        assert found["severity"] == max((m.severity for m in inside), key=severity_rank)
    case.close()
