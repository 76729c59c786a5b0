"""Reading of records for statistics from InfluxDB, and the use of models.

Points of versions without the field ``animals`` count as one animal; those without ``untimed`` have a known hour. The
measurement ``model_use`` has a point for each day on which a version of a model examined captures of a sensor.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from contract.messages import ObservationType
from ingest.store.influxdb.conditions import all_of, any_of, bounds
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag, line
from ingest.store.influxdb.points import MILLISECOND_NS
from ingest.store.microseconds import DAY_US
from ingest.store.model_use import ModelKey, ModelUse, day_of
from ingest.store.records import RecordQuery, Records, sorted_records
from ingest.store.taxon_key import stored_names, taxon_key

_SPAN_NS = 60 * DAY_US * 1000  # of one query: limits the size of its answer
_TAGS = ("station", "sensor", "model", "version")
Taxon = tuple[str, ObservationType]


def read_records(link: InfluxConnection, query: RecordQuery) -> Records:
    """Return the records that meet a query; see ``Store.records``."""
    conditions = any_of("station", query.stations) + any_of("sensor", query.sensors)
    conditions += any_of("taxon", stored_names(query.taxa)) + any_of("observationType", query.observation_types)
    conditions.append('"leads" = 1')
    if query.min_confidence > 0:
        conditions.append(f'"certainty" >= {float(query.min_confidence)!r}')
    parts: list[tuple[Taxon, str, np.ndarray[Any, Any]]] = []
    for start, end in _spans(query):
        where = all_of([f"time >= {start}", f"time < {end}", *conditions])
        tables = link.tables(
            f'SELECT "leads", "animals", "untimed" FROM "detection" WHERE {where} '
            'GROUP BY "station", "taxon", "observationType"'
        )
        for table in tables:
            kind = msgspec.convert(table.tags["observationType"], ObservationType)
            taxon = taxon_key(from_tag(table.tags["taxon"]), None, kind), kind
            rows = [
                (time_ns // MILLISECOND_NS, 1 if animals is None else animals, untimed is None)
                for time_ns, _, animals, untimed in table.values
            ]
            parts.append((taxon, from_tag(table.tags["station"]), np.array(rows, np.int64)))
    taxa = sorted({taxon for taxon, _, _ in parts})
    stations = sorted({station for _, station, _ in parts})
    of_taxon, of_station = ({name: code for code, name in enumerate(names)} for names in (taxa, stations))
    codes = [np.full((len(rows), 2), (of_taxon[taxon], of_station[station])) for taxon, station, rows in parts]
    columns = np.hstack((np.concatenate(codes), np.concatenate([rows for _, _, rows in parts]))) if parts else None
    if columns is None:
        columns = np.zeros((0, 5), np.int64)
    taxon_codes, station_codes, time_ms, animals, hour_known = columns.T
    return sorted_records(taxa, stations, (taxon_codes, station_codes, time_ms, animals, hour_known.astype(bool)))


def _spans(query: RecordQuery) -> Iterator[tuple[int, int]]:
    first, before = bounds(query.start, query.end)
    for start in range(first, before, _SPAN_NS):
        yield start, min(start + _SPAN_NS, before)


def model_use_lines(uses: Mapping[ModelKey, tuple[int, int]]) -> Iterator[bytes]:
    """Yield the line-protocol lines of the first and last day of use of models."""
    for key, days in uses.items():
        for day in dict.fromkeys(days):
            yield line("model_use", dict(zip(_TAGS, key, strict=True)), {"used": 1}, day * DAY_US * 1000)


def read_model_use(link: InfluxConnection) -> list[ModelUse]:
    """Return the days of use of models, sorted."""
    names = ", ".join(f'"{name}"' for name in _TAGS)
    days: dict[ModelKey, list[int]] = {}
    for function in ("FIRST", "LAST"):
        for table in link.tables(f'SELECT {function}("used") FROM "model_use" GROUP BY {names}'):
            key = ModelKey(*(from_tag(table.tags[name]) for name in _TAGS))
            days.setdefault(key, []).append(table.values[0][0] // (DAY_US * 1000))
    return [ModelUse(*key, day_of(min(found)), day_of(max(found))) for key, found in sorted(days.items())]
