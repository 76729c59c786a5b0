"""Looks over a machine: what is missing or broken, and the mend."""

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

ROOM_BYTES = 2_000_000_000  # less than this and a station's outbox or a server's media soon have no room

STATION = ("numpy", "cv2", "openvino", "onnxruntime", "ai_edge_litert", "soundfile", "soxr", "paho")
SERVER = (
    "duckdb",
    "influxdb_client",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "obstore",
    "fastapi",
    "uvicorn",
    "jinja2",
    "plotly",
    "babel",
    "shapely",
    "paho",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at.

    Attributes:
        state: good, or missing (one of the two roles cannot work), or broken.
        what: The thing.
        detail: What was found.
        mend: What to do, empty where nothing is to be done.
    """

    state: Literal["good", "missing", "broken"]
    what: str
    detail: str
    mend: str = ""


def look_over(folder: Path, broker: tuple[str, int] | None, server: Path | None = None) -> Iterator[Diagnosis]:
    """Look at everything in turn.

    Args:
        folder: The data folder.
        broker: Host and port of an MQTT broker to reach; None: not asked for.
        server: Settings of a server whose broker and stores to try; None: not asked for.
    """
    yield _python()
    yield from _packages("station", STATION)
    yield from _packages("server", SERVER)
    yield from _room(folder)
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
        "broken", "Python", f"{version}; tested are 3.11 to 3.13", "make PYTHON=python3.12, or another of them"
    )


def _packages(extra: str, names: tuple[str, ...]) -> Iterator[Diagnosis]:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        mend = f"uv sync --extra {extra}   (or: pip install 'wildpost[{extra}]')"
        yield Diagnosis("missing", f"packages of a {extra}", f"not installed: {', '.join(missing)}", mend)
    else:
        yield Diagnosis("good", f"packages of a {extra}", "all there")


def _room(folder: Path) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    if free < ROOM_BYTES:
        yield Diagnosis("broken", "room on the disk", detail, "make room, or move the folder: WILDPOST_DATA=DIR")
    else:
        yield Diagnosis("good", "room on the disk", detail)


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
            yield Diagnosis("good", f"database {file.name}", "whole")
        else:
            mend = f"stop Wildpost, keep a copy of {file}, restore a backup"
            yield Diagnosis("broken", f"database {file.name}", answer, mend)


def _duckdb(file: Path) -> Diagnosis:
    """Open a file of detections, unless a server has it open, which is as good."""
    from contract.errors import StoreUnavailable
    from ingest.store.duckdb.store import DuckDbStore  # a station has none of this

    what = f"database {file.name}"
    try:
        with closing(DuckDbStore(file, read_only=True)) as store:
            return Diagnosis("good", what, f"opens; {len(store.stations())} stations heard of")
    except StoreUnavailable as error:
        if "Conflicting lock" in str(error):
            return Diagnosis("good", what, "a server has it open")
        return Diagnosis("broken", what, str(error), f"stop Wildpost, keep a copy of {file}, restore a backup")


def _weights(folder: Path) -> Iterator[Diagnosis]:
    for name, entry in load_registry().items():
        mend = f"wildpost models pull {name}" if entry.url else "uv sync --extra station"
        try:
            yield Diagnosis("good", f"weights {name}", str(find_weights(entry, folder / "models")))
        except WeightsMismatch as error:
            yield Diagnosis("broken", f"weights {name}", str(error), f"remove the file, then: {mend}")
        except WeightsError as error:
            yield Diagnosis("missing", f"weights {name}", str(error), mend)


def _clock() -> Diagnosis:
    if Path("/run/systemd/timesync/synchronized").exists():
        return Diagnosis("good", "clock", "synchronised")
    mend = "timedatectl set-ntp true; a GPS or RTC module where there is no network"
    return Diagnosis("missing", "clock", "no sign of synchronisation", mend)


def _broker(host: str, port: int) -> Diagnosis:
    """See whether something answers there; whether it lets us in, `serve` and `station check` say."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return Diagnosis("good", "broker", f"{host}:{port} answers")
    except OSError as error:
        mend = "is Mosquitto running, and its port open? (apt-get install mosquitto)"
        return Diagnosis("broken", "broker", f"{host}:{port}: {error}", mend)


def _server(path: Path, folder: Path, try_broker: bool) -> Iterator[Diagnosis]:
    from wildpost.settings.loader import SettingsError, load_settings
    from wildpost.settings.server import ServerSettings  # a station has none of this

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

    if options.kind == "duckdb":  # the databases of the data folder were looked at already
        there = (folder / "detections.duckdb").exists()
        return Diagnosis("good", "detection store", f"DuckDB in {folder}{'' if there else ': made at the first start'}")
    try:
        with closing(open_store(options, folder)) as store:
            check_writing(options)
            return Diagnosis("good", "detection store", f"answers; {len(store.stations())} stations heard of")
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
