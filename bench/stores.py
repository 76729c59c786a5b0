"""Choice and start of the databases on which a benchmark runs."""

from collections.abc import Sequence
from pathlib import Path

from bench.report import Report
from tests.influx_server import Influx, programs


def available_stores(chosen: Sequence[str] | None, report: Report) -> list[str]:
    """Return the chosen stores that are installed; None chooses all. Record missing programs in the report."""
    found = programs()
    if isinstance(found, str):
        report.missing["InfluxDB"] = found
    return [kind for kind in chosen or ("duckdb", "influxdb") if kind == "duckdb" or not isinstance(found, str)]


def open_influx(folder: Path) -> Influx:
    """Start an InfluxDB server that stores its files in a folder.

    Raises:
        FileNotFoundError: its programs are not installed.
    """
    found = programs()
    if isinstance(found, str):
        raise FileNotFoundError(found)
    return Influx(*found, folder)
