"""Every form the casebook ever had becomes today's, and no row is lost on the way."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect, select, text

import casebook.access.tables
import casebook.cases.tables
import casebook.engine
import casebook.incidents.tables
from casebook.casebook import Casebook
from casebook.engine import open_engine
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import IncidentRepository
from casebook.tables import metadata
from contract import Location
from contract.errors import StoreUnavailable

MIGRATIONS = Path(casebook.engine.__file__).parent / "migrations"
RELEASED = Path(__file__).with_name("casebook-0.1.0.sql").read_text(encoding="utf-8")


# Of tables that the first release had.
NEW_COLUMNS = {"sequence", "occurrences", "captures", "kinds", "withdraws", "actor_id"}
NEW_FLAG_COLUMNS = {"station", "at"}
OF_COMMANDS = {"station_command", "media_part", "reported_settings"}


def _is_new(table: str, column: str) -> bool:
    return column in NEW_COLUMNS or (table == "flag" and column in NEW_FLAG_COLUMNS)


def rows(url: str) -> dict[str, set[tuple[Any, ...]]]:
    """Read every table as it is, whatever the code knows of it, without columns that a step added."""
    engine = create_engine(url)
    found = MetaData()
    found.reflect(engine)
    with engine.connect() as connection:
        held = {
            name: {
                tuple(map(str, row))
                for row in connection.execute(select(*(one for one in table.c if not _is_new(name, one.name))))
            }
            for name, table in found.tables.items()
        }
    engine.dispose()
    return held


def bring_to(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    engine = create_engine(url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()


def fill_first_form(url: str) -> None:
    """Put what 0.1.0 held into a database of its form."""
    engine = create_engine(url)
    found = MetaData()
    found.reflect(engine)
    with closing(sqlite3.connect(":memory:")) as released, engine.begin() as connection:
        released.executescript(RELEASED)
        released.row_factory = sqlite3.Row
        for name in ("flag", "verdict", "quarantined", "media"):
            table = found.tables[name]
            for row in map(dict, released.execute(f"SELECT * FROM {name}")):  # noqa: S608, named here
                if name == "flag":
                    row["reason_values"] = json.loads(row["reason_values"])
                if name == "verdict":
                    row["applied"] = bool(row["applied"])
                    if "sequence" in table.c:
                        row["sequence"] = row["id"]
                connection.execute(table.insert().values(**row))
    engine.dispose()


@pytest.fixture
def released(tmp_path: Path) -> str:
    """A casebook that 0.1.0 made."""
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.executescript(RELEASED)
    return f"sqlite:///{tmp_path}/old.sqlite"


def test_a_casebook_of_the_first_release_loses_no_row(released: str) -> None:
    before = rows(released)
    assert sum(map(len, before.values())) == 10
    casebook = Casebook(released)
    assert casebook.totals().flags == 4
    assert len(casebook.unapplied_verdicts()) == 2
    assert casebook.verdict_history("01963f2e-0000-7000-8000-000000000001")[0].label == "獾"
    assert casebook.quarantined()[0].payload == b"\xff\0{'"
    casebook.close()
    after = rows(released)
    assert {name: after[name] for name in before} == before
    assert "incident" in after


def test_a_casebook_made_before_its_forms_were_numbered_is_recognised(released: str) -> None:
    engine = create_engine(released)
    with engine.begin() as connection:  # the tables of step 2, made without its number
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
    engine.dispose()
    bring_to(released, "0002")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("INSERT INTO heard VALUES ('ridge-07', 1775995200000000, NULL, NULL)"))
    engine.dispose()
    before = rows(released)
    Casebook(released).close()
    after = rows(released)
    assert {name: after[name] for name in before} == before
    assert after["alembic_version"] == {("0009",)}


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_from_every_form_to_the_newest_no_row_is_lost(casebook_url: str, revision: str) -> None:
    bring_to(casebook_url, revision)
    fill_first_form(casebook_url)
    before = rows(casebook_url)
    before.pop("alembic_version")
    assert len(before["flag"]) == 4
    Casebook(casebook_url).close()
    after = rows(casebook_url)
    assert {name: after[name] for name in before} == before


def test_a_casebook_without_corrected_clocks_gets_their_table_and_keeps_its_rows(casebook_url: str) -> None:
    bring_to(casebook_url, "0003")
    engine = create_engine(casebook_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO verdict (sequence, event_id, ordinal, outcome, observation_type, label, classified_by, "
                "decided_at, applied) VALUES (7, 'e', 0, 'confirmed', 'animal', 'boar', 'r', 7, :applied)"
            ),
            {"applied": True},
        )
    engine.dispose()
    before = rows(casebook_url)
    before.pop("alembic_version")
    assert "clock_shift" not in before and len(before["verdict"]) == 1
    Casebook(casebook_url).close()
    after = rows(casebook_url)
    assert {name: after[name] for name in before} == before
    assert after["clock_shift"] == set()


def test_verdicts_of_an_older_form_are_numbered_as_they_were_recorded(casebook_url: str) -> None:
    bring_to(casebook_url, "0002")
    engine = create_engine(casebook_url)
    with engine.begin() as connection:
        for number, decided in enumerate((1_000, 5_000, 400, 5_000, 9_000)):
            connection.execute(
                text(
                    "INSERT INTO verdict (event_id, ordinal, outcome, observation_type, label, classified_by, "
                    "decided_at, applied) VALUES ('e', :ordinal, 'confirmed', 'animal', 'boar', 'r', :at, :applied)"
                ),
                {"ordinal": number, "at": decided, "applied": True},
            )
    engine.dispose()
    casebook = Casebook(casebook_url)
    history = casebook.verdict_history("e")
    assert [(one.ordinal, one.sequence) for one in history] == [
        (0, 1_000),
        (1, 5_000),
        (2, 5_001),
        (3, 5_002),
        (4, 9_000),
    ]
    # Only those whose place in the order changed are applied to the detection store again.
    assert [one.ordinal for one in casebook.unapplied_verdicts()] == [2, 3]
    later = casebook.record_verdict(replace(history[0], decided_at=history[2].decided_at))
    assert later.sequence == 9_001
    casebook.close()


def test_incidents_of_an_older_form_get_their_totals_and_take_further_occurrences(casebook_url: str) -> None:
    bring_to(casebook_url, "0002")
    engine = create_engine(casebook_url)
    at = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)
    micro = int(at.timestamp() * 1_000_000)
    occurrences = [
        ("one", "human", "vision", "ridge", micro, 31.0, "warning"),
        ("one", "vehicle", "vision", "ridge", micro, 31.0, "urgent"),
        ("two", "human", "vision", "ridge", micro + 60_000_000, 31.0, "notice"),
        ("three", "silent", "health", "lake", micro - 60_000_000, None, "warning"),
    ]
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO incident (id, started_at, ended_at, updated_at, severity, confidence, told_kinds, late) "
                "VALUES ('i', :first, :last, :last, 'urgent', 0.9, '[]', :late)"
            ),
            {"first": micro - 60_000_000, "last": micro + 60_000_000, "late": False},
        )
        for subject, kind, source, station, moment, latitude, severity in occurrences:
            connection.execute(
                text(
                    "INSERT INTO happening (subject, kind, incident_id, source, station, at, received_at, latitude, "
                    "longitude, severity, confidence, reasons, rules, late) VALUES (:subject, :kind, 'i', :source, "
                    ":station, :at, :at, :latitude, :latitude, :severity, 0.9, '[]', '[]', :late)"
                ),
                {"subject": subject, "kind": kind, "source": source, "station": station, "at": moment}
                | {"latitude": latitude, "severity": severity, "late": False},
            )
    engine.dispose()
    casebook = Casebook(casebook_url)
    database = Database(casebook.engine)
    (found,) = IncidentReader(database).incidents(open_only=False)
    assert (found.occurrence_count, found.capture_count, found.stations) == (4, 2, ("lake", "ridge"))
    assert dict(found.severities) == {"silent": "warning", "human": "warning", "vehicle": "urgent"}
    assert found.kinds[0] == "silent"
    near = Occurrence(
        "four", "human", "vision", "other", at, at, Location(latitude=31.001, longitude=31.0), "warning", 0.5
    )
    IncidentRepository(database, IncidentOptions(), AlertPolicy()).record([near])
    (found,) = IncidentReader(database).incidents(open_only=False)
    assert (found.occurrence_count, found.capture_count, found.stations) == (5, 3, ("lake", "other", "ridge"))
    casebook.close()


def test_flags_of_an_older_form_get_the_station_and_time_of_their_occurrences(casebook_url: str) -> None:
    bring_to(casebook_url, "0003")
    engine = create_engine(casebook_url)
    with engine.begin() as connection:
        for event_id in ("with", "without"):
            connection.execute(
                text(
                    "INSERT INTO flag (event_id, rule, severity, reason_key, reason_values, raised_at, state) "
                    "VALUES (:event_id, 'people', 'urgent', 'human', '{}', 9000000, 'open')"
                ),
                {"event_id": event_id},
            )
        connection.execute(
            text(
                "INSERT INTO happening (subject, kind, incident_id, source, station, at, received_at, severity, "
                "confidence, reasons, rules, late) VALUES ('with', 'human', 'i', 'vision', 'ridge', 1000000, 9000000, "
                "'urgent', 0.9, '[]', '[]', :late)"
            ),
            {"late": False},
        )
    engine.dispose()
    casebook = Casebook(casebook_url)
    found = {flag.event_id: (flag.station, flag.at) for flag in casebook.flags()}
    second = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found == {"with": ("ridge", second), "without": ("", second.replace(second=9))}
    casebook.close()


def test_a_casebook_of_before_event_chains_gets_their_tables(casebook_url: str) -> None:
    bring_to(casebook_url, "0005")
    before = rows(casebook_url)
    Casebook(casebook_url).close()
    after = rows(casebook_url)
    assert after.keys() - before.keys() >= {"chain_run", "chain_fault"}


def test_a_casebook_of_before_accounts_gets_their_tables_and_keeps_its_verdicts(casebook_url: str) -> None:
    bring_to(casebook_url, "0003")
    fill_first_form(casebook_url)
    bring_to(casebook_url, "0006")
    before = rows(casebook_url)
    opened = Casebook(casebook_url)
    assert {one.classified_by for one in opened.unapplied_verdicts()} != {""}
    opened.close()
    after = rows(casebook_url)
    tables = {"account", "area", "access_session", "sign_in_failure", "audit_entry"}
    assert after.keys() - before.keys() >= tables
    assert after["verdict"] == before["verdict"]


def test_a_casebook_of_before_commands_gets_their_tables(casebook_url: str) -> None:
    bring_to(casebook_url, "0008")
    before = rows(casebook_url)
    Casebook(casebook_url).close()
    after = rows(casebook_url)
    assert after.keys() - before.keys() == OF_COMMANDS
    assert after["alembic_version"] == {("0009",)}


def test_a_casebook_of_before_cases_gets_their_tables_and_keeps_its_rows(casebook_url: str) -> None:
    bring_to(casebook_url, "0007")
    engine = create_engine(casebook_url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO chain_fault VALUES ('ridge-07', 'altered', 'e', 7)"))
    engine.dispose()
    before = rows(casebook_url)
    before.pop("alembic_version")
    Casebook(casebook_url).close()
    after = rows(casebook_url)
    assert {name: after[name] for name in before} == before
    added = {"case_file", "case_entry", "case_event", "case_incident", "case_media", "case_reminder"}
    assert after.keys() - before.keys() >= added


def test_the_steps_make_the_tables_that_the_code_knows(casebook_url: str) -> None:
    engine = open_engine(casebook_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_step_is_tried_above() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    steps = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert steps == ["0009", "0008", "0007", "0006", "0005", "0004", "0003", "0002", "0001"], (
        "a new step: try the way from the form before it, and freeze what was released"
    )


def test_a_step_that_fails_leaves_everything_as_it_was(casebook_url: str) -> None:
    bring_to(casebook_url, "0001")
    engine = create_engine(casebook_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sensor_gap (mine INTEGER)"))  # in the way of the last table of a step
    before = inspect(engine).get_table_names()
    with pytest.raises(StoreUnavailable, match="sensor_gap"):
        Casebook(casebook_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
    assert inspect(engine).get_table_names() == before
    engine.dispose()


def test_those_who_open_a_new_file_at_once_wait_for_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        for number in range(15):
            together = Barrier(6)

            def opened(url: str, together: Barrier = together) -> Casebook:
                together.wait(10)
                return Casebook(url)

            for casebook in threads.map(opened, [f"sqlite:///{tmp_path}/{number}.sqlite"] * 6):
                assert casebook.totals().flags == 0
                casebook.close()
