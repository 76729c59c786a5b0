"""Modes of everything that the server, a station and their commands write, under the widest and narrowest umask."""

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import soundfile

from contract import encode, topic_of
from contract.examples import EVENT, MEDIA_CONTENT
from tests.eventually import eventually
from tests.servers.conftest import Publisher

WILDPOST = [sys.executable, "-m", "wildpost"]
STATION = """
[station]
name = "lake-07"
deployment = "lake-07-2026a"
[broker]
port = {port}
[[sensors]]
name = "card"
source = "folder"
folder = "sounds"
detectors = ["threat"]
"""


def readable_by_others(folder: Path) -> list[str]:
    return [
        f"{stat.filemode(path.lstat().st_mode)} {path}"
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077
    ]


def with_umask(mask: int, *words: object, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*WILDPOST, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=mask, **more
    )


def done(mask: int, *words: object) -> str:
    process = with_umask(mask, *words)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def waiting(outbox: Path) -> int:
    if not outbox.exists():
        return 0
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as connection, suppress(sqlite3.OperationalError):
        return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])
    return 0


@pytest.mark.parametrize("command", ["serve", "ingest"])
@pytest.mark.parametrize("mask", [0, 0o077])
def test_a_running_server_writes_nothing_that_others_can_read(
    command: str, mask: int, mosquitto: Any, publisher_to: Callable[[int], Publisher], tmp_path: Path
) -> None:
    data, settings = tmp_path / "parent" / "data", tmp_path / "server.toml"
    settings.write_text(f"[broker]\nport = {mosquitto.port}\n[web]\nport = 0\n[ingest]\nport = 0\n")
    process = with_umask(mask, command, settings, "--data", data)
    try:
        eventually(lambda: (data / "backup.socket").exists() or process.poll() is not None, "the server is up")
        publisher_to(mosquitto.port).publish(
            [
                (topic_of("wildpost", EVENT.station, "event"), encode(EVENT)),
                (topic_of("wildpost", EVENT.station, "media"), encode(MEDIA_CONTENT)),
                (topic_of("wildpost", EVENT.station, "event"), b"not an event"),
            ]
        )
        eventually(lambda: any((data / "media").rglob("[0-9a-f]" * 64)), "the thumbnail is stored")
        if command == "serve":
            eventually((data / "server.json").exists, "the pages are up")
            page = json.loads((data / "server.json").read_text())["url"]
            with urllib.request.urlopen(page, timeout=10) as answer:
                assert answer.status == 200
        assert readable_by_others(tmp_path / "parent") == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    assert readable_by_others(tmp_path / "parent") == []
    assert (data / "detections.duckdb").exists()


def test_data_that_an_earlier_version_left_readable_is_restricted_at_the_start(mosquitto: Any, tmp_path: Path) -> None:
    data, settings = tmp_path / "data", tmp_path / "server.toml"
    (data / "media" / "ab").mkdir(parents=True)
    (data / "media" / "ab" / ("ab" * 32)).write_bytes(b"picture")
    duckdb.connect(str(data / "detections.duckdb")).close()
    for path in (data, *data.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    settings.write_text(f"[broker]\nport = {mosquitto.port}\n[web]\nport = 0\n")
    process = with_umask(0o022, "serve", settings, "--data", data)
    try:
        eventually(lambda: (data / "backup.socket").exists() or process.poll() is not None, "the server is up")
        assert readable_by_others(data) == []
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert "could be read by other users; now only their owner can" in said


@pytest.mark.parametrize("mask", [0, 0o077])
def test_a_station_and_its_bundles_are_for_their_owner_only(mask: int, mosquitto: Any, tmp_path: Path) -> None:
    settings, data, stick = tmp_path / "station.toml", tmp_path / "data", tmp_path / "stick"
    settings.write_text(STATION.format(port=mosquitto.port))
    (tmp_path / "sounds").mkdir()
    noise = np.random.default_rng(14).normal(0, 0.1, 32_000 * 4).astype(np.float32)
    soundfile.write(tmp_path / "sounds" / "20260412_061500.wav", noise, 32_000)
    process = with_umask(mask, "station", "run", settings, "--data", data)
    outbox = data / "stations" / "lake-07" / "outbox.sqlite"
    try:
        eventually(lambda: process.poll() is not None or waiting(outbox) > 1, "the sound is analysed")
        assert readable_by_others(data) == []
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()
    stick.mkdir(mode=0o700)
    done(mask, "station", "export", settings, "--to", stick, "--data", data)
    assert [path.suffix for path in stick.iterdir()] == [".tar"]
    assert readable_by_others(stick) == []
    assert readable_by_others(data) == []


@pytest.mark.parametrize("mask", [0, 0o077])
def test_the_files_of_a_new_broker_have_the_modes_that_mosquitto_needs(mask: int, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    done(mask, "broker", "init", folder, "--host", "broker.example")
    done(mask, "broker", "add-station", folder, "lake-07")
    modes = {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    private = {name: mode for name, mode in modes.items() if name.startswith("handover") or name.endswith(".key")}
    assert not [name for name, mode in private.items() if mode & 0o007]
    assert modes["ca.key"] == modes["handover/lake-07/wildpost.env"] == 0o600
    assert modes["mosquitto.conf"] == 0o644
    assert all(modes[name] == 0o600 for name in ("broker.key", "dynamic-security.json", "admin.password"))
