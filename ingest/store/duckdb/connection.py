"""Connections to DuckDB files that never download anything, within limits of memory and temporary files."""

from pathlib import Path

import duckdb

# DuckDB takes up to 80 % of the memory by default, but shares the machine with the broker and the other parts of the
# server. What does not fit is written to temporary files beside the database.
MEMORY_LIMIT = "25%"  # of the machine's memory, or of the control group's
TEMPORARY_FILES_LIMIT = "4GB"  # by default 90 % of the free disk, which the media need


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file with the download and loading of extensions switched off.

    By default, DuckDB downloads an extension from its own host if a query, or a file such as one from a backup, needs
    it. Source: DuckDB manual, "Autoloading Extensions"; for the limits, "Limits" and "Tuning Workloads".

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": MEMORY_LIMIT,
        "max_temp_directory_size": TEMPORARY_FILES_LIMIT,
    }
    return duckdb.connect(str(path), read_only=read_only, config=config)
