"""Statements that write and read verdicts in the casebook database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, insert, literal, select, text

from casebook.portions import portions
from casebook.tables import verdict
from casebook.verdicts import Verdict, VerdictConflict, latest_sequences, verdicts_in_force

_COLUMNS = [name for name in Verdict.__slots__ if name != "sequence"]
_ATTEMPTS = 5  # of a withdrawal, while others decide on the same detection


def insert_verdicts(
    connection: Connection, decisions: Sequence[Verdict], seen: Mapping[int, int] | None = None
) -> list[Verdict]:
    """Insert verdicts in order and return them with their ``sequence``.

    A verdict equal to the latest on its detection is not stored again.

    Args:
        connection: Transaction, which must be rolled back after an error.
        decisions: The verdicts.
        seen: By ordinal, the sequence of the latest verdict that the decider knew; 0 or none: no verdict. None: the
            verdicts are recorded whatever others decided.

    Raises:
        VerdictConflict: there is a later verdict of other content or by another person.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE verdict IN SHARE ROW EXCLUSIVE MODE"))  # one sequence at a time
    recorded: list[Verdict] = []
    conflicts: list[Verdict] = []
    for one in decisions:
        expected = None if seen is None else seen.get(one.ordinal, 0)
        sequence = _insert(connection, one, expected)
        if sequence is not None:
            recorded.append(replace(one, sequence=sequence))
            continue
        latest = _latest(connection, one)
        if latest is None or (latest.content, latest.person) != (one.content, one.person):
            conflicts += [latest] if latest else []
        else:  # the answer to the first request was lost
            recorded.append(latest)
    if conflicts:
        raise VerdictConflict(conflicts)
    return recorded


def _insert(connection: Connection, decision: Verdict, expected: int | None) -> int | None:
    """Insert one verdict and return its sequence; None if the latest sequence is not the expected one."""
    known = _latest(connection, decision)
    if known is not None and known == decision:
        return known.sequence
    # In one statement with the insertion, so that no other process can take the same sequence in SQLite.
    highest = select(func.coalesce(func.max(verdict.c.sequence), 0)).scalar_subquery()
    now = replace(decision, sequence=0).order
    values = [literal(getattr(decision, name), verdict.c[name].type) for name in _COLUMNS]
    row = select(*values, literal(False), case((highest >= now, highest + 1), else_=now))
    if expected is not None:
        same = (verdict.c.event_id == decision.event_id, verdict.c.ordinal == decision.ordinal)
        latest = select(func.coalesce(func.max(verdict.c.sequence), 0)).where(*same).scalar_subquery()
        row = row.where(latest == expected)
    query = insert(verdict).from_select([*_COLUMNS, "applied", "sequence"], row)
    found = connection.execute(query.returning(verdict.c.sequence)).scalar()
    return None if found is None else int(found)


def withdraw_verdict(
    connection: Connection, event_id: str, sequence: int, by: str, at: datetime, actor_id: str = ""
) -> Verdict | None:
    """Insert the withdrawal of a decision and return it; return None if there is no such decision.

    The withdrawal of a decision that is withdrawn already is returned without a second one.

    Raises:
        VerdictConflict: others keep deciding on the same detection.
    """
    for _ in range(_ATTEMPTS):
        history = read_history(connection, event_id)
        decision = next((one for one in history if one.sequence == sequence and not one.withdraws), None)
        if decision is None:
            return None
        done = next((one for one in history if one.withdraws == sequence), None)
        if done is not None:
            return done
        rest = verdicts_in_force(one for one in history if one.sequence != sequence).get(decision.ordinal)
        valid = replace(decision, outcome="withdrawn") if rest is None else rest
        withdrawal = replace(valid, classified_by=by, actor_id=actor_id, decided_at=at, sequence=0, withdraws=sequence)
        latest = latest_sequences(history)[decision.ordinal]
        found = _insert(connection, withdrawal, latest)
        if found is not None:
            return replace(withdrawal, sequence=found)
    raise VerdictConflict([history[-1]])


def _latest(connection: Connection, of: Verdict) -> Verdict | None:
    query = select(verdict).where(verdict.c.event_id == of.event_id, verdict.c.ordinal == of.ordinal)
    row = connection.execute(query.order_by(verdict.c.sequence.desc()).limit(1)).mappings().first()
    return None if row is None else verdict_of_row(row)


def read_histories(connection: Connection, event_ids: Iterable[str]) -> dict[str, list[Verdict]]:
    """Return every verdict on the given events in the order of recording, by event id."""
    found: dict[str, list[Verdict]] = defaultdict(list)
    for ids in portions(event_ids):
        query = select(verdict).where(verdict.c.event_id.in_(ids)).order_by(verdict.c.sequence)
        for row in connection.execute(query).mappings():
            found[row["event_id"]].append(verdict_of_row(row))
    return dict(found)


def read_history(connection: Connection, event_id: str) -> list[Verdict]:
    """Return every verdict on one event in the order of recording."""
    return read_histories(connection, [event_id]).get(event_id, [])


def verdict_of_row(row: Any) -> Verdict:
    """Convert a row of the table ``verdict``."""
    return Verdict(**{name: row[name] for name in Verdict.__slots__})
