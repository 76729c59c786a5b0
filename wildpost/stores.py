"""Opens the stores of detections and media that the settings name."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from ingest.media.folder import FolderMedia
from ingest.media.port import MediaStore
from ingest.media.s3 import MediaOptions, S3Media
from ingest.store.duckdb import DuckDbStore
from ingest.store.influx_link import InfluxOptions
from ingest.store.port import Store


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where detections are kept.

    Attributes:
        kind: "duckdb": a file in the data folder, for one machine and one process; "influxdb": a server, for many.
        influxdb: How to reach that server.
        secret_variable: Name of the environment variable that holds its token or password; it never stands in settings.
    """

    kind: Literal["duckdb", "influxdb"] = "duckdb"
    influxdb: InfluxOptions = InfluxOptions()
    secret_variable: str = "WILDPOST_INFLUXDB_SECRET"  # noqa: S105, its name


def open_store(options: StoreOptions, folder: Path) -> Store:
    """Open it.

    Raises:
        StoreUnavailable: it does not answer, does not let us in, or another process has the file.
    """
    if options.kind == "influxdb":
        from ingest.store.influxdb import InfluxDbStore

        return InfluxDbStore(options.influxdb, os.environ.get(options.secret_variable, ""))
    return DuckDbStore(folder / "detections.duckdb")


def open_media(options: MediaOptions, folder: Path) -> MediaStore:
    """Open the place for media: a folder in the data folder, or a bucket.

    Raises:
        OSError: the folder cannot be made, or a bucket is named without a key and secret in the environment.
    """
    return S3Media(options) if options.url else FolderMedia(folder / "media")
