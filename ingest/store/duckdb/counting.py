"""Counting of detections in a DuckDB store per local day and hour, and the update of counts after a verdict."""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from casebook.verdicts import Verdict
from ingest.store.counts import CountQuery, TaxonCount
from ingest.store.duckdb.columns import BOOLEAN, INTEGER, TEXT, as_table, to_columns
from ingest.store.duckdb.conditions import all_of, any_of, within
from ingest.store.duckdb.tables import events_decided_sql, verdicts_applied_sql
from ingest.store.microseconds import DAY_US, EPOCH, HOUR_US, MICROSECOND, microseconds
from ingest.store.tally import Tally
from ingest.store.taxon_key import stored_names, taxon_key

_VERDICT = {"event_id": TEXT, "ordinal": INTEGER, "outcome": TEXT, "taxon": TEXT, "observation_type": TEXT}
_VERDICT |= {"classified_by": TEXT, "decided_us": INTEGER, "sequence": INTEGER}
_JUDGED = {"event_id": TEXT, "decided": BOOLEAN, "blank": BOOLEAN}
Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]


def count(read: Read, query: CountQuery, detection: str = "detection") -> list[TaxonCount]:
    """Count detections with one SQL query, which the function ``read`` runs; see ``Store.count``.

    ``detection`` is the table of detections or a subquery for it.
    """
    conditions, values = within(query.start, query.end)
    any_of(conditions, values, {"station": query.stations, "counts_as": stored_names(query.taxa)})
    conditions.append("counts_as IS NOT NULL")
    if query.min_confidence > 0:
        conditions.append("certainty >= ?")
        values.append(query.min_confidence)
    # One statement, so that days and hours come from one snapshot while others write.
    rows = read(
        "WITH found AS (SELECT counts_as, counts_as_type, leads, hour_known, "
        f"{_since_first_midnight(query)} AS local_us FROM {detection} WHERE {all_of(conditions)}) "
        f"SELECT counts_as, counts_as_type, true, (local_us // {DAY_US})::INTEGER AS slot, count(*), "
        "count(*) FILTER (leads) FROM found GROUP BY counts_as, counts_as_type, slot UNION ALL "
        f"SELECT counts_as, counts_as_type, false, (local_us // {HOUR_US} % 24)::INTEGER AS slot, count(*), 0 "
        "FROM found WHERE hour_known GROUP BY counts_as, counts_as_type, slot",
        values,
    )
    tally = Tally(query.days)
    for taxon, kind, of_day, slot, detections, events in rows:
        if of_day:
            tally.add_day(taxon, kind, slot, detections)
            tally.add_captures(taxon, kind, events)
        else:
            tally.add_hour(taxon, kind, slot, detections)
    return tally.totals()


def _since_first_midnight(query: CountQuery) -> str:
    """Return a SQL expression for local time in microseconds since the start of the query's first local day.

    The expression is never negative.
    """
    midnight_us = (query.first - EPOCH.date()).days * DAY_US
    shifts = [period.offset // MICROSECOND - midnight_us for period in query.periods]
    if len(shifts) == 1:
        return f"listed_us + {shifts[0]}"
    ends = [microseconds(period.end) for period in query.periods[:-1]]
    earlier = " ".join(f"WHEN listed_us < {end} THEN {shift}" for end, shift in zip(ends, shifts, strict=False))
    return f"listed_us + CASE {earlier} ELSE {shifts[-1]} END"


def write_verdicts(connection: duckdb.DuckDBPyConnection, verdicts: Sequence[Verdict]) -> None:
    """Insert verdicts, or replace earlier ones on the same detections, in one statement; see ``recount``."""
    latest: dict[tuple[str, int], Verdict] = {}
    for one in sorted(verdicts, key=lambda verdict: verdict.order):
        latest[one.event_id, one.ordinal] = one
    rows = [
        (
            *(one.event_id, one.ordinal, one.outcome),
            taxon_key(one.label, one.scientific_name, one.observation_type),
            *(one.observation_type, one.classified_by, microseconds(one.decided_at), one.order),
        )
        for one in latest.values()
    ]
    with as_table(connection, "given_verdict", to_columns(rows, _VERDICT)):
        connection.execute(
            "INSERT INTO verdict SELECT * FROM given_verdict ON CONFLICT (event_id, ordinal) DO UPDATE SET "
            "outcome = excluded.outcome, taxon = excluded.taxon, observation_type = excluded.observation_type, "
            "classified_by = excluded.classified_by, decided_us = excluded.decided_us, "
            "sequence = excluded.sequence WHERE excluded.sequence > verdict.sequence"
        )


def recount(connection: duckdb.DuckDBPyConnection, event_ids: Sequence[str]) -> None:
    """Apply the stored verdicts on the given events to the stored detections of these events.

    The ids of events that are not stored yet are inserted into the table ``judged_before``.
    """
    marks = ", ".join("?" * len(event_ids))
    known = connection.execute(
        f"SELECT event_id, captured_us FROM event WHERE event_id IN ({marks})", list(event_ids)
    ).fetchall()
    for event_id in set(event_ids).difference(event_id for event_id, _ in known):
        connection.execute("INSERT INTO judged_before VALUES (?) ON CONFLICT DO NOTHING", [event_id])
    if not known:
        return
    # Detections have no index; their time, by which the table is roughly sorted, limits the scan.
    times = f"captured_us IN ({', '.join(str(time_us) for time_us in {time_us for _, time_us in known})})"
    machine = f"(SELECT * FROM detection WHERE {times} AND event_id IN ({marks}))"
    verdicts = f"(SELECT * FROM verdict WHERE event_id IN ({marks}))"
    connection.execute(
        "UPDATE detection SET counts_as = updated.counts_as, counts_as_type = updated.counts_as_type, "
        "certainty = updated.certainty, leads = updated.leads, animals = updated.animals "
        "FROM (SELECT *, count(*) OVER (PARTITION BY event_id, counts_as, counts_as_type) AS animals "
        f"FROM ({verdicts_applied_sql(machine, verdicts)})) updated WHERE detection.{times} "
        "AND detection.captured_us = updated.captured_us AND detection.event_id = updated.event_id "
        "AND detection.ordinal = updated.ordinal",
        [*event_ids, *event_ids],
    )
    # After the update above, since it needs "counts_as".
    found = connection.execute(events_decided_sql(machine, verdicts), [*event_ids, *event_ids]).fetchall()
    with as_table(connection, "judged", to_columns(found, _JUDGED)):
        connection.execute(
            "UPDATE event SET decided = judged.decided, blank = judged.blank FROM judged "
            "WHERE event.event_id = judged.event_id"
        )
    for value in (True, False):
        ids = [event_id for event_id, decided, _ in found if decided == value]
        if ids:
            connection.execute(
                f"UPDATE detection SET decided = ? WHERE {times} AND event_id IN ({', '.join('?' * len(ids))})",
                [value, *ids],
            )
