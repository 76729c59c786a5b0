"""Opens the stores of detections and media that the settings name."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from ingest.media.folder import FolderMedia
from ingest.media.port import MediaStore
from ingest.media.s3 import MediaOptions, S3Media
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.influxdb.connection import InfluxOptions
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
        from ingest.store.influxdb.store import InfluxDbStore

        return InfluxDbStore(options.influxdb, os.environ.get(options.secret_variable, ""))
    return DuckDbStore(folder / "detections.duckdb")


def check_writing(options: StoreOptions) -> None:
    """See whether an InfluxDB has the path by which detections are written: it may answer queries and have none.

    Raises:
        StoreUnavailable: it has not, or does not let us write.
    """
    from contract.errors import StoreUnavailable
    from ingest.store.influxdb.connection import InfluxConnection

    link = InfluxConnection(options.influxdb, os.environ.get(options.secret_variable, ""))
    try:
        link.write([b"# wildpost asks whether it may write"])  # a comment: nothing is stored
    except StoreUnavailable as error:
        if "answered with 404" in str(error):
            other = "v1" if options.influxdb.write_path == "v2" else "v2"
            raise StoreUnavailable(
                f'{error}. Has it the other path? [store.influxdb] write_path = "{other}"'
            ) from error
        if "answered with 400" not in str(error):  # some versions mind that nothing is in it
            raise
    finally:
        link.close()


def open_media(options: MediaOptions, folder: Path) -> MediaStore:
    """Open the place for media: a folder in the data folder, or a bucket.

    Raises:
        OSError: the folder cannot be made, or a bucket is named without a key and secret in the environment.
    """
    return S3Media(options) if options.url else FolderMedia(folder / "media")
