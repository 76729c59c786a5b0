"""The databases that a benchmark runs on."""

from collections.abc import Sequence
from pathlib import Path

from bench.report import Report
from tests.influx_server import Influx, programs


def available_stores(chosen: Sequence[str] | None, report: Report) -> list[str]:
    """Return the chosen stores (None: both) whose programs are installed; report the missing ones."""
    found = programs()
    if isinstance(found, str):
        report.missing["InfluxDB"] = found
    return [kind for kind in chosen or ("duckdb", "influxdb") if kind == "duckdb" or not isinstance(found, str)]


def open_influx(folder: Path) -> Influx:
    """Start an InfluxDB.

    Raises:
        FileNotFoundError: its programs are not installed.
    """
    found = programs()
    if isinstance(found, str):
        raise FileNotFoundError(found)
    return Influx(*found, folder)
