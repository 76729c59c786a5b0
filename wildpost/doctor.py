"""Diagnoses an installation: missing or broken parts, and how to fix them."""

import importlib.util
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.registry import WeightsError, WeightsMismatch, find_weights, load_registry

if TYPE_CHECKING:
    from casebook.engine import CasebookOptions
    from ingest.media.s3 import MediaOptions
    from wildpost.server.stores import StoreOptions

MIN_FREE_BYTES = 2_000_000_000  # with less, a station's outbox or a server's media will soon fill the disk

STATION = ("numpy", "cv2", "openvino", "onnxruntime", "ai_edge_litert", "soundfile", "soxr", "paho")
SERVER = (
    "duckdb",
    "influxdb_client",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "obstore",
    "pyrage",
    "fastapi",
    "uvicorn",
    "jinja2",
    "babel",
    "shapely",
    "paho",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Result of one check of the installation.

    Attributes:
        state: good, missing (a station or a server cannot run here), or broken.
        subject: What was checked.
        detail: What was found.
        remedy: How to fix it; "" if nothing needs to be done.
    """

    state: Literal["good", "missing", "broken"]
    subject: str
    detail: str
    remedy: str = ""


def diagnose(folder: Path, broker: tuple[str, int] | None, server: Path | None = None) -> Iterator[Diagnosis]:
    """Check all parts of the installation and yield one result for each check.

    Args:
        folder: The data folder.
        broker: Host and port of an MQTT broker to connect to; None: no check.
        server: Settings of a server whose broker and stores to check; None: no check.
    """
    yield _python()
    yield from _packages("station", STATION)
    yield from _packages("server", SERVER)
    yield _free_space(folder)
    yield from _databases(folder)
    yield from _weights(folder)
    yield _clock()
    if broker is not None:
        yield _broker(*broker)
    if server is not None:
        yield from _server(server, folder, broker is None)


def _python() -> Diagnosis:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info < (3, 14):
        return Diagnosis("good", "Python", version)
    return Diagnosis(
        "broken", "Python", f"{version}; 3.11 to 3.13 are tested", "make PYTHON=python3.12, or another tested version"
    )


def _packages(extra: str, names: tuple[str, ...]) -> Iterator[Diagnosis]:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        remedy = f"uv sync --extra {extra}   (or requirements-{extra}.txt of the release: docs/how-to/deploy.md)"
        yield Diagnosis("missing", f"packages of a {extra}", f"not installed: {', '.join(missing)}", remedy)
    else:
        yield Diagnosis("good", f"packages of a {extra}", "all installed")


def _free_space(folder: Path) -> Diagnosis:
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    if free < MIN_FREE_BYTES:
        return Diagnosis("broken", "disk space", detail, "delete files, or move the data folder: WILDPOST_DATA=DIR")
    return Diagnosis("good", "disk space", detail)


def _databases(folder: Path) -> Iterator[Diagnosis]:
    if importlib.util.find_spec("duckdb"):
        yield from map(_duckdb, sorted(folder.rglob("*.duckdb")))
    for file in sorted(folder.rglob("*.sqlite")):
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
                answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            answer = str(error)
        if answer == "ok":
            yield Diagnosis("good", f"database {file.name}", "intact")
        else:
            yield Diagnosis("broken", f"database {file.name}", answer, _restore(file))


def _duckdb(file: Path) -> Diagnosis:
    """Check that a DuckDB file of detections can be opened.

    A file that a running server has locked is good too.
    """
    from contract.errors import StoreUnavailable
    from ingest.store.duckdb.store import DuckDbStore  # not installed on a station

    subject = f"database {file.name}"
    try:
        with closing(DuckDbStore(file, read_only=True)) as store:
            return Diagnosis("good", subject, f"can be opened; {len(store.stations())} stations known")
    except StoreUnavailable as error:
        if "Conflicting lock" in str(error):
            return Diagnosis("good", subject, "in use by a server")
        return Diagnosis("broken", subject, str(error), _restore(file))


def _restore(file: Path) -> str:
    return f"stop Wildpost, keep a copy of {file}, restore a backup"


def _weights(folder: Path) -> Iterator[Diagnosis]:
    for name, entry in load_registry().items():
        remedy = f"wildpost models pull {name}" if entry.url else "uv sync --extra station"
        try:
            yield Diagnosis("good", f"weights {name}", str(find_weights(entry, folder / "models")))
        except WeightsMismatch as error:
            yield Diagnosis("broken", f"weights {name}", str(error), f"remove the file, then: {remedy}")
        except WeightsError as error:
            yield Diagnosis("missing", f"weights {name}", str(error), remedy)


def _clock() -> Diagnosis:
    if Path("/run/systemd/timesync/synchronized").exists():
        return Diagnosis("good", "clock", "synchronised")
    remedy = "timedatectl set-ntp true; without a network, use a GPS or RTC module"
    return Diagnosis("missing", "clock", "not synchronised by systemd-timesyncd", remedy)


def _broker(host: str, port: int) -> Diagnosis:
    """Check that the broker's port accepts a TCP connection.

    The credentials are not checked here; `serve` and `station check` check them.
    """
    try:
        with socket.create_connection((host, port), timeout=5):
            return Diagnosis("good", "broker", f"{host}:{port} answers")
    except OSError as error:
        remedy = "check that Mosquitto runs and its port is open (apt-get install mosquitto)"
        return Diagnosis("broken", "broker", f"{host}:{port}: {error}", remedy)


def _server(path: Path, folder: Path, try_broker: bool) -> Iterator[Diagnosis]:
    from wildpost.settings.loader import SettingsError, load_settings
    from wildpost.settings.server import ServerSettings  # needs packages that a station lacks

    try:
        settings = load_settings(path, ServerSettings)
    except SettingsError as error:
        yield Diagnosis("broken", "settings", str(error), "docs/how-to/serve.md")
        return
    if try_broker:
        yield _broker(settings.broker.host, settings.broker.port)
    yield _store(settings.store, folder)
    yield _casebook(settings.casebook, folder)
    yield _media(settings.media, folder)


def _store(options: "StoreOptions", folder: Path) -> Diagnosis:
    from contract.errors import StoreUnavailable
    from wildpost.server.stores import check_writing, open_store

    if options.kind == "duckdb":  # _databases has checked the files of the data folder
        exists = (folder / "detections.duckdb").exists()
        note = "" if exists else ": will be created at the first start"
        return Diagnosis("good", "detection store", f"DuckDB in {folder}{note}")
    try:
        with closing(open_store(options, folder)) as store:
            check_writing(options)
            return Diagnosis("good", "detection store", f"answers; {len(store.stations())} stations known")
    except StoreUnavailable as error:
        return Diagnosis("broken", "detection store", str(error), "docs/how-to/influxdb.md")


def _casebook(options: "CasebookOptions", folder: Path) -> Diagnosis:
    from casebook.engine import describe_schema
    from contract.errors import StoreUnavailable

    if not options.url:
        return Diagnosis("good", "casebook", f"SQLite in {folder}")
    try:
        return Diagnosis("good", "casebook", f"{options.url} answers; {describe_schema(options.url_in(folder))}")
    except StoreUnavailable as error:
        return Diagnosis("broken", "casebook", str(error), "docs/how-to/postgresql.md")


def _media(options: "MediaOptions", folder: Path) -> Diagnosis:
    from contract.errors import StoreUnavailable
    from wildpost.server.stores import open_media

    if not options.url:
        return Diagnosis("good", "media", f"files in {folder}/media")
    try:
        next(open_media(options, folder).names(), None)
    except (StoreUnavailable, OSError) as error:
        return Diagnosis("broken", "media", str(error), "docs/how-to/object-store.md")
    return Diagnosis("good", "media", f"{options.url} answers")
