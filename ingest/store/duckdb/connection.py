"""Connections to DuckDB files that never download anything."""

from pathlib import Path

import duckdb


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file with the download and loading of extensions switched off.

    By default, DuckDB downloads an extension from its own host if a query, or a file such as one from a backup, needs
    it. Source: DuckDB manual, "Autoloading Extensions".

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(str(path), read_only=read_only, config=config)
