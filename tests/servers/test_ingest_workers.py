"""`wildpost ingest` as its operator runs it: alone, with workers that share, killed, stuck, stopped."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from contract import encode, new_event_id, topic_of
from contract.examples import EVENT, STATUS
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.influxdb.connection import InfluxOptions
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import EventQuery
from tests.conftest import free_port
from tests.eventually import eventually

WILDPOST = [sys.executable, "-m", "wildpost"]


def messages(count: int) -> tuple[set[str], list[tuple[str, bytes]]]:
    events = [msgspec.structs.replace(EVENT, event_id=new_event_id()) for _ in range(count)]
    return {one.event_id for one in events}, [
        (topic_of("wildpost", one.station, "event"), encode(one)) for one in events
    ]


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def counted(port: int, name: str) -> float:
    _, text = ask(port, "metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))


class Ingest:
    """The command, running."""

    def __init__(self, folder: Path, broker: int, settings: str, *words: str) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        file = folder / "server.toml"
        file.write_text(f"[ingest]\nport = {self.port}\n[broker]\nport = {broker}\n{settings}")
        command = [*WILDPOST, "ingest", str(file), "--data", str(folder), *words]
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def wait_until_connected(self, workers: int) -> None:
        def connected() -> bool:
            assert self.process.poll() is None, self.process.communicate()[0]
            try:
                found = json.loads(ask(self.port, "healthz")[1])["workers"]
            except urllib.error.URLError:
                return False
            return [one["connected"] for one in found] == [True] * workers

        eventually(connected, f"{workers} workers are at the broker")

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said
        return said


@contextmanager
def ingesting(folder: Path, broker: int, settings: str, *words: str) -> Iterator[Ingest]:
    started = Ingest(folder, broker, settings, *words)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.communicate()


def test_one_worker_stores_counts_and_stops_in_peace_with_nothing_lost(
    mosquitto: Any, publisher_to: Callable[[int], Any], tmp_path: Path
) -> None:
    ids, sent = messages(600)
    with ingesting(tmp_path / "data", mosquitto.port, "", "--log-format", "json") as running:
        running.wait_until_connected(1)
        publisher = publisher_to(mosquitto.port)
        publisher.publish([*sent[:300], *sent[:10], ("wildpost/v1/ridge-07/event", b"{")])
        eventually(lambda: counted(running.port, "wildpost_messages_received_total") == 311, "all are durable")
        assert counted(running.port, "wildpost_records_stored_total") == 300
        assert counted(running.port, "wildpost_records_repeated_total") == 10
        assert 'wildpost_messages_quarantined_total{reason="syntax"' in ask(running.port, "metrics")[1]
        assert counted(running.port, "wildpost_store_seconds_count") >= 1
        assert ask(running.port, "healthz")[0] == 200
        publisher.publish(sent[300:])
        said = running.stop()  # in the middle of it
    lines = [json.loads(line) for line in said.splitlines()]
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in lines)
    assert lines[-1]["message"].startswith("stopped")
    with ingesting(tmp_path / "data", mosquitto.port, "") as again:
        again.wait_until_connected(1)
        eventually(lambda: counted(again.port, "wildpost_messages_in_flight") == 0, "what was left has come")
        again.stop()
    store = DuckDbStore(tmp_path / "data" / "detections.duckdb")
    stored = [event.event_id for event in store.events(EventQuery(limit=1000))]
    store.close()
    assert len(stored) == len(set(stored))
    assert set(stored) == ids


def test_several_workers_on_one_duckdb_file_are_refused_with_the_mend(mosquitto: Any, tmp_path: Path) -> None:
    with ingesting(tmp_path / "data", mosquitto.port, "", "--workers", "2") as refused:
        said, _ = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 1
    assert "one writer" in said
    assert "influxdb" in said
    assert "Traceback" not in said


def test_a_commit_that_hangs_makes_healthz_503_until_it_goes_on(
    mosquitto: Any, publisher_to: Callable[[int], Any], tmp_path: Path
) -> None:
    with ingesting(tmp_path / "data", mosquitto.port, "stuck_after_s = 2\n") as running:
        running.wait_until_connected(1)
        other = sqlite3.connect(tmp_path / "data" / "casebook.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")  # a backup gone wrong: whoever wants to write waits, and goes on waiting
        try:
            publisher_to(mosquitto.port).publish([("wildpost/v1/ridge-07/event", b"{")])
            eventually(lambda: ask(running.port, "healthz")[0] == 503, "the loop is seen to hang")
            assert "no heartbeat" in ask(running.port, "healthz")[1]
        finally:
            other.execute("ROLLBACK")
            other.close()
        eventually(lambda: ask(running.port, "healthz")[0] == 200, "it goes on")
        eventually(lambda: counted(running.port, "wildpost_messages_quarantined_total") == 1, "and nothing is lost")
        running.stop()


def test_a_worker_that_is_killed_is_named_until_it_has_run_again_for_a_while(mosquitto: Any, tmp_path: Path) -> None:
    with ingesting(tmp_path / "data", mosquitto.port, 'client_id = "wildpost-server"\n') as running:
        running.wait_until_connected(1)
        assert json.loads(ask(running.port, "healthz")[1])["status"] == "ok"
        os.kill(children(running.process.pid)[-1], signal.SIGKILL)

        def health() -> dict[str, Any]:
            found: dict[str, Any] = json.loads(ask(running.port, "healthz")[1])
            return found

        eventually(lambda: health()["status"] == "hindered", "the loss of the worker to be shown")
        assert (
            "worker wildpost-server failed and continues after a pause: it ended with exit code -9"
            in (health()["problem"])
        )
        running.wait_until_connected(1)
        text = ask(running.port, "metrics")[1]
        assert 'wildpost_restarts_total{part="worker wildpost-server",worker=""} 1.0' in text
        assert text.count("# TYPE wildpost_restarts_total") <= 1
        eventually(lambda: health()["status"] == "ok", "it to have run for a while")
        running.stop()


def test_two_workers_share_one_is_killed_one_retires_and_nothing_is_lost_or_doubled(
    mosquitto: Any, influx: Any, publisher_to: Callable[[int], Any], tmp_path: Path
) -> None:
    database = influx.new_database()
    settings = f'[store]\nkind = "influxdb"\n[store.influxdb]\nurl = "{influx.url}"\ndatabase = "{database}"\n'
    ids, sent = messages(900)
    publisher = publisher_to(mosquitto.port)
    with ingesting(tmp_path / "data", mosquitto.port, settings, "--workers", "2") as running:
        running.wait_until_connected(2)
        publisher.publish([*sent[:300], (topic_of("wildpost", STATUS.station, "status"), encode(STATUS))])
        eventually(lambda: counted(running.port, "wildpost_records_stored_total") == 301, "both store")
        text = ask(running.port, "metrics")[1].splitlines()
        shares = [float(line.split()[-1]) for line in text if line.startswith("wildpost_events_total")]
        assert len(shares) == 2
        assert all(share > 0 for share in shares), shares
        victim = children(running.process.pid)[-1]
        os.kill(victim, signal.SIGKILL)
        publisher.publish(sent[300:600])
        eventually(lambda: counted(running.port, "wildpost_worker_starts") == 3, "another takes its place")
        running.wait_until_connected(2)
        running.stop()
    publisher.publish(sent[600:])  # the broker keeps some for a worker that is not started again
    with ingesting(tmp_path / "data", mosquitto.port, settings, "--workers", "1") as fewer:
        eventually(lambda: stored(influx.url, database) == ids, "all are stored, those for workers that retired too")
        eventually(lambda: json.loads((tmp_path / "data" / "workers.json").read_text()) == {"names": {}}, "they retire")
        fewer.stop()


def stored(url: str, database: str) -> set[str]:
    store = InfluxDbStore(InfluxOptions(url=url, database=database))
    try:
        found = [event.event_id for event in store.events(EventQuery(limit=2000))]
    finally:
        store.close()
    assert len(found) == len(set(found)), "stored twice"
    return set(found)


def children(process: int) -> list[int]:
    """The workers of a command: its children that run our code."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process)], capture_output=True, text=True, check=True
    )
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "spawn_main" in line]
