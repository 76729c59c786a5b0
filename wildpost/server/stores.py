"""Opens the detection store and media store that the settings name."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from contract.redaction import VariableName
from ingest.media.folder import FolderMedia
from ingest.media.port import MediaStore
from ingest.media.s3 import MediaOptions, S3Media
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.influxdb.connection import InfluxOptions
from ingest.store.port import Store


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the detection store.

    Attributes:
        kind: "duckdb": a file in the data folder, for one machine and one process; "influxdb": a server, for several.
        influxdb: Connection to the InfluxDB server.
        secret_variable: Name of the environment variable of its token or password, which is never in the settings.
    """

    kind: Literal["duckdb", "influxdb"] = "duckdb"
    influxdb: InfluxOptions = InfluxOptions()
    secret_variable: VariableName = "WILDPOST_INFLUXDB_SECRET"  # noqa: S105, a variable name


def open_store(options: StoreOptions, folder: Path) -> Store:
    """Open the detection store that the settings name, DuckDB or InfluxDB.

    Raises:
        StoreUnavailable: it does not answer, refuses the credentials, or another process has locked the file.
    """
    if options.kind == "influxdb":
        from ingest.store.influxdb.store import InfluxDbStore

        return InfluxDbStore(options.influxdb, os.environ.get(options.secret_variable, ""))
    return DuckDbStore(folder / "detections.duckdb")


def check_writing(options: StoreOptions) -> None:
    """Check that the InfluxDB server accepts writes through the configured write API, v1 or v2.

    A server that answers queries may lack that path.

    Raises:
        StoreUnavailable: the write path does not exist, or writing is not permitted.
    """
    from contract.errors import StoreUnavailable
    from ingest.store.influxdb.connection import InfluxConnection

    link = InfluxConnection(options.influxdb, os.environ.get(options.secret_variable, ""))
    try:
        link.write([b"# wildpost checks the write path"])  # a comment line: nothing is stored
    except StoreUnavailable as error:
        if "answered with 404" in str(error):
            other = "v1" if options.influxdb.write_path == "v2" else "v2"
            raise StoreUnavailable(
                f'{error}. Try the other write path: [store.influxdb] write_path = "{other}"'
            ) from error
        if "answered with 400" not in str(error):  # some versions answer 400 to a request without points
            raise
    finally:
        link.close()


def open_media(options: MediaOptions, folder: Path) -> MediaStore:
    """Open the media store: a folder in the data folder, or an S3 bucket.

    Raises:
        OSError: the folder cannot be created, or the bucket's key and secret are not in the environment.
    """
    return S3Media(options) if options.url else FolderMedia(folder / "media")
