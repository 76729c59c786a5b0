"""Backups of a real server that is receiving from a real broker, and what comes back of them."""

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from contract import encode, new_event_id, topic_of
from contract.errors import StoreUnavailable
from contract.examples import EVENT, MEDIA_CONTENT, STATUS
from contract.messages import Event
from tests.eventually import eventually
from tests.servers.conftest import Publisher
from wildpost.backup.snapshot_server import RemoteSnapshot
from wildpost.cli.main import main

WILDPOST = [sys.executable, "-m", "wildpost"]
SETTINGS = """
[broker]
port = {port}
batch_messages = 20
[web]
port = 0
[rules]
zones = "zones.geojson"
[[rules.rule]]
name = "person"
severity = "warning"
observation_types = ["human"]
"""
ZONES = '{"type": "FeatureCollection", "features": []}'
Opened = Callable[[int], Publisher]


def told(*words: object) -> int:
    return main([*map(str, words)])


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Any) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "zones.geojson").write_text(ZONES)
    (folder / "server.toml").write_text(SETTINGS.format(port=mosquitto.port))
    return folder / "server.toml"


@contextmanager
def serving(command: str, settings: Path, data: Path) -> Iterator[subprocess.Popen[str]]:
    words = [*WILDPOST, command, str(settings), "--data", str(data)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        eventually(lambda: (data / "backup.socket").exists() or process.poll() is not None, "the server is up")
        assert process.poll() is None, process.communicate()[0]
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def health(data: Path) -> dict[str, Any]:
    place = data / "server.json"
    eventually(place.exists, "the pages are up")
    with urllib.request.urlopen(f"{json.loads(place.read_text())['url']}healthz", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def seen(number: int) -> tuple[list[str], list[tuple[str, bytes]]]:
    """Events, each with a person, and for each a thumbnail of its own and its station's word that it is there."""
    ids, messages = [], []
    for _ in range(number):
        event: Event = msgspec.structs.replace(EVENT, event_id=new_event_id())
        data = f"\xff\xd8 thumbnail of {event.event_id}".encode("latin-1") * 50
        content = msgspec.structs.replace(
            MEDIA_CONTENT, event_id=event.event_id, data=data, sha256=hashlib.sha256(data).hexdigest()
        )
        ids.append(event.event_id)
        messages.append((topic_of("wildpost", event.station, "event"), encode(event)))
        messages.append((topic_of("wildpost", event.station, "media"), encode(content)))
        messages.append((topic_of("wildpost", event.station, "status"), encode(STATUS)))
    return ids, messages


def stored(data: Path) -> set[str]:
    with duckdb.connect(str(data / "detections.duckdb"), read_only=True) as connection:
        return {row[0] for row in connection.execute("SELECT event_id FROM event").fetchall()}


def asked(data: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(data / "casebook.sqlite")) as connection:
        return [row[0] for row in connection.execute(sql)]


def media(data: Path) -> set[str]:
    return {path.name for path in (data / "media").rglob("*") if path.is_file()}


def test_a_backup_of_a_server_that_is_writing_is_of_one_moment_and_a_server_goes_on_from_it(
    mosquitto: Any, publisher_to: Opened, settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, restored, archive = tmp_path / "data", tmp_path / "restored", tmp_path / "all.tar"
    data.mkdir()
    before, messages = seen(100)
    after: list[str] = []
    enough = threading.Event()
    publishers = [publisher_to(mosquitto.port) for _ in range(2)]

    def keep_publishing() -> None:
        while not enough.wait(0.05):
            ids, more = seen(5)
            publishers[1].publish(more)
            after.extend(ids)

    with serving("serve", settings, data) as process:
        publishers[0].publish(messages)
        eventually(lambda: asked(data, "SELECT count(*) FROM flag") == [100], "the first are stored and flagged")
        flow = threading.Thread(target=keep_publishing)
        flow.start()
        try:
            eventually(lambda: len(after) > 10, "more comes")
            for _ in range(20):  # a backup may be done before the next message comes
                archive.unlink(missing_ok=True)
                capsys.readouterr()
                at_begin = len(after)
                assert told("backup", archive, settings, "--data", data, "--unencrypted") == 0
                at_end = len(after)
                if at_end > at_begin:
                    break
            eventually(lambda: len(after) > at_end + 10, "more comes after it")
        finally:
            enough.set()
            flow.join()
        assert at_end > at_begin, "nothing came in while the backup was made"
        everything = set(before) | set(after)
        eventually(lambda: asked(data, "SELECT count(*) FROM flag") == [len(everything)], "the server has gone on")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert stored(data) == everything
    assert not list(data.glob(".backup-*"))

    assert told("restore", archive, "--data", restored) == 0
    kept = stored(restored)
    assert set(before) <= kept < everything
    # One moment: each event has its flag and nothing has a flag without its event; and no media are missing.
    assert set(asked(restored, "SELECT event_id FROM flag")) == kept
    assert set(asked(restored, "SELECT sha256 FROM media")) <= media(restored)
    said = capsys.readouterr().out
    assert f"event {len(kept)}" in said
    assert "verified" in said
    assert (restored / "installation.json").read_text() == (data / "installation.json").read_text()
    assert (restored / "settings" / "server.toml").read_text() == settings.read_text()
    assert (restored / "settings" / "zones.geojson").read_text() == ZONES

    more, messages = seen(5)
    with serving("serve", settings, restored):
        assert health(restored)["events"] == health(restored)["flags"] == len(kept)
        publishers[0].publish(messages)
        eventually(lambda: health(restored)["flags"] == len(kept) + 5, "it receives")
    assert stored(restored) == kept | set(more)


def test_ingest_without_pages_is_backed_up_too_while_it_runs_and_after_it_was_killed(
    mosquitto: Any, publisher_to: Opened, settings: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    settings.write_text(settings.read_text() + "[ingest]\nport = 0\n")
    ids, messages = seen(20)
    with serving("ingest", settings, data) as process:
        publisher_to(mosquitto.port).publish(messages)
        eventually(lambda: asked(data, "SELECT count(*) FROM flag") == [20], "all is stored")
        assert told("backup", tmp_path / "running.tar", settings, "--data", data, "--unencrypted") == 0
        process.kill()  # its socket and its write-ahead logs stay behind
        process.wait()
        eventually(lambda: free(data), "its worker is gone")
    assert told("backup", tmp_path / "killed.tar", "--data", data, "--unencrypted") == 0
    for name in ("running", "killed"):
        assert told("restore", tmp_path / f"{name}.tar", "--data", tmp_path / name) == 0
        assert stored(tmp_path / name) == set(ids)
        assert media(tmp_path / name) == media(data)


def free(data: Path) -> bool:
    try:
        stored(data)
    except duckdb.IOException:
        return False
    return True


def test_whoever_asks_for_a_copy_and_goes_or_sleeps_does_not_hold_up_the_server(
    mosquitto: Any, publisher_to: Opened, settings: Path, tmp_path: Path
) -> None:
    data = tmp_path / ("long" * 30) / ("longer" * 20)  # longer than the address of a socket may be
    data.mkdir(parents=True)
    with serving("serve", settings, data) as process:
        assert (data / "backup.socket").stat().st_mode & 0o777 == 0o600
        RemoteSnapshot(data).close()
        held_copy(data).close()
        written = held_copy(data)
        path, _ = written.write()
        assert path.exists()
        written.close()
        eventually(lambda: not path.exists(), "the server has cleared up")

        asleep = held_copy(data)  # and never a word again
        second = RemoteSnapshot(data)
        with pytest.raises(StoreUnavailable, match="another backup of this server is running"):
            second.hold()
        second.close()
        _, messages = seen(3)
        publisher_to(mosquitto.port).publish(messages)
        eventually(lambda: health(data)["flags"] == 3, "it receives again")
        with pytest.raises(StoreUnavailable, match=r"did not copy|disconnected"):
            asleep.write()
        asleep.close()

        waiting = held_copy(data)
        waiting.write()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, "a server that is told to stop waits for nobody"
        waiting.close()
    assert not [*data.glob(".backup-*"), *data.glob("backup.socket")]


def held_copy(data: Path) -> RemoteSnapshot:
    """Ask until the server is done with the one before."""
    held: list[RemoteSnapshot] = []

    def ask() -> bool:
        copy = RemoteSnapshot(data)
        try:
            copy.hold()
        except StoreUnavailable:
            copy.close()
            return False
        held.append(copy)
        return True

    eventually(ask, "the server holds a moment")
    return held[0]
