"""The audit log is append-only, and a chain of hashes shows what was done to it from outside."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, text, update

from casebook.access.actor import Actor
from casebook.access.audit import FIRST, MAX_TEXT, AuditLog
from casebook.access.tables import audit_entry
from casebook.incidents.database import Database
from contract.errors import StoreUnavailable

LI = Actor("7", "李敏", "县林业局", address="192.0.2.7")


@pytest.fixture
def log(database: Database) -> AuditLog:
    made = AuditLog(database)
    made.append(LI, "signed in")
    made.append(LI, "decided", "event-1: confirmed")
    made.append(LI, "exported", "/trends.csv?days=7", "monthly summary")
    return made


def from_outside(database: Database, statement: object) -> None:
    """Change the table as somebody with the database's password can: the triggers are no lock against that."""
    with database.begin() as connection:
        if connection.dialect.name == "sqlite":
            for event in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_entry_{event}"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_entry_append_only ON audit_entry"))
        connection.execute(statement)  # type: ignore[call-overload]


def test_entries_have_the_columns_of_an_access_register_and_newest_come_first(log: AuditLog) -> None:
    newest, middle, first = log.entries()
    assert (newest.action, newest.content, newest.reason) == ("exported", "/trends.csv?days=7", "monthly summary")
    assert (middle.name, middle.unit, middle.address, middle.actor_id) == ("李敏", "县林业局", "192.0.2.7", "7")
    assert (first.sequence, first.previous, middle.previous) == (1, FIRST, first.digest)
    assert log.entries(limit=1, before=newest.sequence) == [middle]
    assert list(log.oldest_first()) == [first, middle, newest]


def test_a_whole_log_is_sound_and_an_empty_one_too(database: Database, log: AuditLog) -> None:
    checked = log.check()
    assert (checked.entries, checked.digest, checked.problem) == (3, log.entries()[0].digest, "")
    assert log.check((2, log.entries()[1].digest)).problem == ""
    assert AuditLog(database).check((4, "f" * 64)).problem == "the log ends before the noted entry"


@pytest.mark.parametrize("event", ["update", "delete"])
def test_the_database_refuses_to_change_or_delete_an_entry(database: Database, log: AuditLog, event: str) -> None:
    statement = update(audit_entry).values(name="Wang") if event == "update" else delete(audit_entry)
    with pytest.raises(StoreUnavailable, match="append-only"), database.begin() as connection:
        connection.execute(statement)
    assert log.check().entries == 3


@pytest.mark.parametrize("column", ["name", "unit", "address", "action", "content", "reason", "actor_id"])
def test_an_altered_entry_is_named(database: Database, log: AuditLog, column: str) -> None:
    from_outside(database, update(audit_entry).where(audit_entry.c.sequence == 2).values(**{column: "other"}))
    assert (log.check().entries, log.check().problem) == (1, "entry 2 was altered")


def test_a_removed_entry_is_named(database: Database, log: AuditLog) -> None:
    from_outside(database, delete(audit_entry).where(audit_entry.c.sequence == 2))
    assert log.check().problem == "entry 2 is missing; the next one is 3"


def test_an_entry_with_a_digest_that_fits_it_does_not_fit_the_next_one(database: Database, log: AuditLog) -> None:
    first = log.entries()[-1]
    made = type(first)(**{name: getattr(first, name) for name in type(first).__slots__} | {"name": "Wang"})
    values = {"name": "Wang", "digest": made.computed_digest()}
    from_outside(database, update(audit_entry).where(audit_entry.c.sequence == 1).values(**values))
    assert log.check().problem == "entry 2 does not follow the entry before"


def test_a_cut_end_and_a_rewritten_chain_show_by_a_noted_digest_only(database: Database, log: AuditLog) -> None:
    noted = (3, log.entries()[0].digest)
    from_outside(database, delete(audit_entry).where(audit_entry.c.sequence == 3))
    assert log.check().problem == ""
    assert log.check(noted).problem == "the log ends before the noted entry"
    log.append(LI, "signed out")
    assert log.check().problem == ""
    assert "not the noted one" in log.check(noted).problem


def test_entries_written_at_once_form_one_chain(log: AuditLog) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: log.append(LI, "viewed", f"event-{number}"), range(20)))
    assert (log.check().entries, log.check().problem) == (23, "")


@pytest.mark.parametrize("content", ["nul \0", "lone \ud800", "x" * (MAX_TEXT + 1), "换行\n", '"\\'])
def test_texts_of_any_kind_are_kept_so_that_the_chain_fits(log: AuditLog, content: str) -> None:
    log.append(LI, "viewed", content)
    assert log.check().problem == ""
    assert len(log.entries()[0].content) <= MAX_TEXT
