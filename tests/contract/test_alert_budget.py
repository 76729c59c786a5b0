"""How many alerts one station and all stations may raise in an hour, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from casebook.engine import open_engine
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.repository import IncidentRepository
from casebook.incidents.tables import occurrence
from contract.severity import Severity

START = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)
POLICY = AlertPolicy(min_severity="notice", cooldown_minutes=0, station_alerts_per_hour=5, alerts_per_hour=12)


@pytest.fixture
def engine(casebook_url: str) -> Iterator[Engine]:
    opened = open_engine(casebook_url)
    yield opened
    opened.dispose()


def repository(engine: Engine) -> IncidentRepository:
    return IncidentRepository(Database(engine), IncidentOptions(), POLICY, ["test"])


def heard(number: int, station: str = "stolen", minute: float = 0, severity: Severity = "warning") -> Occurrence:
    """A sound of a kind that the incident does not have yet, which is an escalation."""
    at = START + timedelta(minutes=minute)
    return Occurrence(
        f"{station}-{number}-{minute}", f"kind-{number}", "sound", station, at, at, None, severity, 0.9, rules=("rule",)
    )


def causes(repository: IncidentRepository, *occurrences: Occurrence) -> list[str]:
    return [raised.cause for one in occurrences for raised in repository.record([one])]


def test_beyond_the_limit_one_alert_says_that_the_rest_is_held_back(engine: Engine) -> None:
    assert causes(repository(engine), *(heard(number) for number in range(30))) == ["first", *["kind"] * 4, "held"]
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(occurrence)).scalar_one() == 30


def test_the_limit_holds_after_a_restart(engine: Engine) -> None:
    causes(repository(engine), *(heard(number) for number in range(10)))
    assert causes(repository(engine), heard(11), heard(12)) == []


def test_another_station_is_not_held_back(engine: Engine) -> None:
    incidents = repository(engine)
    causes(incidents, *(heard(number) for number in range(30)))
    assert causes(incidents, heard(1, station="honest")) == ["first"]


def test_an_urgent_alert_is_raised_though_warnings_are_held_back(engine: Engine) -> None:
    incidents = repository(engine)
    causes(incidents, *(heard(number) for number in range(30)))
    assert causes(incidents, heard(31, severity="urgent")) == ["severity"]


def test_after_an_hour_the_station_may_alert_again(engine: Engine) -> None:
    incidents = repository(engine)
    causes(incidents, *(heard(number) for number in range(30)))
    assert causes(incidents, heard(1, minute=61)) == ["first"]


def test_while_alerts_are_held_back_one_alert_an_hour_says_so(engine: Engine) -> None:
    incidents = repository(engine)
    told = [cause for minute in range(0, 180, 2) for cause in causes(incidents, heard(minute, minute=minute))]
    assert told.count("held") == 3


def test_many_flooding_stations_are_held_back_together_but_no_station_with_few_alerts(engine: Engine) -> None:
    incidents = repository(engine)
    flood = [heard(number, station=f"stolen-{thief}") for number in range(5) for thief in range(8)]
    assert len([cause for cause in causes(incidents, *flood) if cause != "held"]) == 8 * 3
    assert causes(incidents, *(heard(number, station="honest") for number in range(3))) == ["first", "kind", "kind"]


def test_alerts_before_a_step_of_the_clock_do_not_count_for_ever(engine: Engine) -> None:
    incidents = repository(engine)
    causes(incidents, *(heard(number, minute=24 * 60) for number in range(10)))
    assert causes(incidents, heard(1)) == ["first"]


def test_an_alert_that_was_held_back_starts_no_cooldown(engine: Engine) -> None:
    policy = AlertPolicy(min_severity="notice", cooldown_minutes=600, station_alerts_per_hour=5)
    incidents = IncidentRepository(Database(engine), IncidentOptions(), policy, ["test"])
    causes(incidents, *(heard(number) for number in range(6)))  # kind-5 is held back
    late = replace(heard(5, minute=70), subject="later")
    assert causes(incidents, late) == ["first"]
