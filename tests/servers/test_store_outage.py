"""A verdict that the detection store does not take at first is counted later, without a restart of the server."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from casebook.casebook import Casebook
from casebook.verdicts import Verdict
from contract import encode
from contract.examples import EVENT
from ingest.store.counts import CountQuery
from ingest.store.influxdb.connection import InfluxOptions
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import Received
from tests.conftest import free_port
from tests.eventually import eventually
from tests.influx_server import Influx

NOW = datetime(2026, 6, 1, tzinfo=UTC)
THAT_DAY = CountQuery.in_utc(EVENT.captured_at - timedelta(days=1), EVENT.captured_at + timedelta(days=1))
ADMIN = {"u": "admin", "p": "admin-password"}


@contextmanager
def running(folder: Path, command: str, settings: str) -> Iterator[None]:
    """Run `wildpost serve` or `wildpost ingest`; it has to end in order when it is told to."""
    (folder / "server.toml").write_text(settings)
    words = [sys.executable, "-m", "wildpost", command, "server.toml", "--data", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "WILDPOST_INFLUXDB_SECRET": "ranger-password"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(words, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment) as process,
    ):
        try:
            yield
            assert process.poll() is None, (folder / "log").read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert process.returncode == 0, (folder / "log").read_text()


def asked(url: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    host = urllib.parse.urlsplit(url)
    headers = {"Origin": f"{host.scheme}://{host.netloc}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except urllib.error.URLError:
        return 0, {}


def administer(influx: Influx, statement: str) -> None:
    address = f"{influx.direct_url}/query?{urllib.parse.urlencode(ADMIN)}"
    with urllib.request.urlopen(address, urllib.parse.urlencode({"q": statement}).encode(), timeout=30) as answer:
        assert "error" not in json.load(answer)["results"][0]


def test_a_decision_on_the_pages_while_the_store_takes_no_writes_is_counted_later(
    mosquitto: Any, own_influx: Callable[[bool], Influx], tmp_path: Path
) -> None:
    influx = own_influx(True)
    administer(influx, "CREATE USER admin WITH PASSWORD 'admin-password' WITH ALL PRIVILEGES")
    administer(influx, "CREATE DATABASE wildpost")
    administer(influx, "CREATE USER ranger WITH PASSWORD 'ranger-password'")
    administer(influx, "GRANT ALL ON wildpost TO ranger")
    store = InfluxDbStore(InfluxOptions(url=influx.url, username="ranger"), "ranger-password")
    store.write([Received(EVENT, encode(EVENT), NOW)])
    store.close()
    settings = (
        f'[broker]\nport = {mosquitto.port}\n[web]\nport = 0\n[store]\nkind = "influxdb"\n'
        f'[store.influxdb]\nurl = "{influx.url}"\nusername = "ranger"\n'
    )
    day = EVENT.captured_at.date()
    period = f"from={day - timedelta(days=1)}&to={day + timedelta(days=1)}"
    with running(tmp_path, "serve", settings):
        eventually((tmp_path / "server.json").exists, "the server to serve")
        pages = json.loads((tmp_path / "server.json").read_text())["url"]

        def taxa() -> list[str]:
            return [one["taxon"] for one in asked(f"{pages}api/trends?{period}")[1]["taxa"]]

        before = taxa()
        assert before
        administer(influx, "REVOKE WRITE ON wildpost FROM ranger")
        code, answer = asked(f"{pages}verdicts", {"event_id": EVENT.event_id, "outcome": "dismissed"})
        assert code == 200, answer
        eventually(lambda: asked(f"{pages}healthz")[1]["status"] == "hindered", "/healthz to report it")
        assert "verdicts are not counted yet" in asked(f"{pages}healthz")[1]["problem"]
        assert taxa() == before

        administer(influx, "GRANT ALL ON wildpost TO ranger")
        eventually(lambda: taxa() == [], "the verdict to count")
        eventually(lambda: asked(f"{pages}healthz")[1]["status"] == "ok", "/healthz to report that all is well")


def test_a_verdict_recorded_while_influxdb_restarts_is_handed_over_by_an_intake_without_pages(
    mosquitto: Any, own_influx: Callable[[bool], Influx], tmp_path: Path
) -> None:
    influx, port = own_influx(False), free_port()
    store = InfluxDbStore(InfluxOptions(url=influx.url))
    store.write([Received(EVENT, encode(EVENT), NOW)])
    settings = (
        f'[broker]\nport = {mosquitto.port}\n[ingest]\nport = {port}\n[store]\nkind = "influxdb"\n'
        f'[store.influxdb]\nurl = "{influx.url}"\n'
    )

    def health() -> dict[str, Any]:
        return asked(f"http://127.0.0.1:{port}/healthz")[1]

    with running(tmp_path, "ingest", settings):
        eventually(lambda: [one["connected"] for one in health().get("workers", [])] == [True], "it to receive")
        influx.kill()
        casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
        for detection in EVENT.detections:
            casebook.record_verdict(
                Verdict(EVENT.event_id, detection.ordinal, "dismissed", "blank", "blank", None, "ranger", NOW)
            )
        eventually(lambda: "verdicts are not counted yet" in health()["problem"], "/healthz to report it")
        assert health()["status"] == "hindered"

        influx.start()
        eventually(lambda: not casebook.unapplied_verdicts(), "the verdicts to be handed over")
        assert store.count(THAT_DAY) == []
        eventually(lambda: health()["status"] == "ok", "/healthz to report that all is well")
        casebook.close()
    store.close()
