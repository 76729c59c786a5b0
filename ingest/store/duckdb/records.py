"""Reading of records for statistics from a DuckDB store, and the use of models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from contract.messages import ObservationType
from ingest.store.duckdb.columns import INTEGER, TEXT, as_table, to_columns
from ingest.store.duckdb.conditions import all_of, any_of, within
from ingest.store.model_use import ModelKey, ModelUse, day_of
from ingest.store.records import MAX_ANIMALS, RecordKeys, RecordQuery, Records, sorted_records
from ingest.store.taxon_key import stored_names, taxon_key

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]
ReadColumns = Callable[[str, list[Any]], Mapping[str, NDArray[Any]]]
_ANIMALS = f"least(animals, {MAX_ANIMALS})"


def read_records(read: Read, read_columns: ReadColumns, query: RecordQuery, detection: str) -> Records:
    """Return the records that meet a query; see ``Store.records``.

    Args:
        read: Runs one SQL query and returns its rows.
        read_columns: Runs one SQL query and returns its columns.
        query: The query.
        detection: Table of detections, or a subquery for it.
    """
    conditions, values = within(query.start, query.end)
    wanted = {"station": query.stations, "sensor": query.sensors, "counts_as": stored_names(query.taxa)}
    any_of(conditions, values, wanted | {"counts_as_type": query.observation_types})
    conditions += ["leads", "counts_as IS NOT NULL"]
    if query.min_confidence > 0:
        conditions.append("certainty >= ?")
        values.append(query.min_confidence)
    where = f"FROM {detection} WHERE {all_of(conditions)}"
    stations = [name for (name,) in read(f"SELECT DISTINCT station {where} ORDER BY station", values)]
    stored = [
        (name, msgspec.convert(kind, ObservationType))
        for name, kind in read(f"SELECT DISTINCT counts_as, counts_as_type {where}", values)
    ]
    accepted = {(name, kind): (taxon_key(name, None, kind), kind) for name, kind in stored}
    taxa = sorted(set(accepted.values()))
    if not taxa:
        none = np.zeros(0, np.int64)
        return sorted_records((), (), (none, none, none, none, none.astype(bool)))
    codes = {key: taxa.index(name) for key, name in accepted.items()}
    joined, names = _joined(codes, stations)
    source = f"FROM (SELECT * {where}) {joined}"
    try:
        keys = RecordKeys(query, len(taxa), len(stations))
    except OverflowError:
        columns = read_columns(
            f"SELECT t.code AS taxon, s.code AS station, listed_us // 1000 AS time_ms, {_ANIMALS} AS animals, "
            f"hour_known {source}",
            values + names,
        )
        taxon, station, time_ms, animals, hour_known = columns.values()
        return sorted_records(taxa, stations, (taxon, station, time_ms, animals, hour_known))
    packed = read_columns(
        f"SELECT (t.code::BIGINT << {keys.taxon_shift}) + (s.code::BIGINT << {keys.station_shift}) "
        f"+ ((listed_us // 1000 - {keys.start_ms}) << 9) + ({_ANIMALS} << 1) + hour_known::BIGINT AS packed {source}",
        values + names,
    )["packed"]
    return keys.unpack(np.array(packed, np.int64), taxa, stations)


def _joined(taxa: Mapping[tuple[str, str], int], stations: Sequence[str]) -> tuple[str, list[Any]]:
    """Return SQL that joins the codes of taxa and stations, and its parameters."""
    of_taxa = ", ".join(["(?, ?, ?)"] * len(taxa))
    of_stations = ", ".join(["(?, ?)"] * len(stations))
    values: list[Any] = [value for (name, kind), code in taxa.items() for value in (name, kind, code)]
    values += [value for code, name in enumerate(stations) for value in (name, code)]
    return (
        f"JOIN (VALUES {of_taxa}) t(name, kind, code) ON counts_as = t.name AND counts_as_type = t.kind "
        f"JOIN (VALUES {of_stations}) s(name, code) ON station = s.name",
        values,
    )


def write_model_use(connection: duckdb.DuckDBPyConnection, uses: Mapping[ModelKey, tuple[int, int]]) -> None:
    """Extend the days of use of models; a batch without a new model or day only reads."""
    stations = sorted({key.station for key in uses})
    rows = connection.execute("SELECT * FROM model_use WHERE list_contains(?::VARCHAR[], station)", [stations])
    known = {ModelKey(*row[:4]): row[4:] for row in rows.fetchall()}
    extended = [(*key, *days) for key, days in uses.items() if key not in known or not _covers(known[key], days)]
    if not extended:
        return
    names = {"station": TEXT, "sensor": TEXT, "model": TEXT, "version": TEXT}
    columns = to_columns(extended, names | {"first": INTEGER, "last": INTEGER})
    with as_table(connection, "used", columns):
        connection.execute(
            "INSERT INTO model_use SELECT * FROM used ON CONFLICT DO UPDATE SET "
            "first_day = least(first_day, excluded.first_day), last_day = greatest(last_day, excluded.last_day)"
        )


def _covers(known: tuple[int, int], days: tuple[int, int]) -> bool:
    return known[0] <= days[0] and days[1] <= known[1]


def read_model_use(read: Read, model_use: str | None) -> list[ModelUse]:
    """Return the days of use of models, sorted; empty for a read-only file without them."""
    if model_use is None:
        return []
    rows = read(f"SELECT * FROM {model_use} ORDER BY station, sensor, model, version", [])
    return [
        ModelUse(station, sensor, model, version, day_of(first), day_of(last))
        for station, sensor, model, version, first, last in rows
    ]
