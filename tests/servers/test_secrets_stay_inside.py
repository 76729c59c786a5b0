"""Marked secrets in every setting of a real server and station: no log, page, metric, argument or error has them."""

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from contract import encode, new_event_id, topic_of
from contract.examples import EVENT, MEDIA_CONTENT
from tests.conftest import free_port
from tests.eventually import eventually
from tests.servers.conftest import Publisher
from tests.servers.test_serve import running

MARK = "MARKED"
VARIABLES = {
    "RESERVE_BROKER": f"{MARK}-broker-password",
    "RESERVE_INFLUX": f"{MARK}-influx-token",
    "RESERVE_CASEBOOK": f"{MARK}-casebook/password",
    "RESERVE_S3_ID": f"{MARK}S3KEYID",
    "RESERVE_S3": f"{MARK}/s3+secret",
    "WILDPOST_ALERT_RANGERS": f"json://ranger:{MARK}-alert@127.0.0.1:{{port}}/hook?+X-Token={MARK}-header-token-1",
}
SERVER = """
[broker]
port = {broker}
username = "wildpost-ingest"
password_variable = "RESERVE_BROKER"
[web]
port = 0
[ingest]
port = 0
[media]
url = "s3://bucket/prefix"
endpoint = "http://127.0.0.1:{echo}"
key_variable = "RESERVE_S3_ID"
secret_variable = "RESERVE_S3"
timeout_s = 2
[[alerts.apprise]]
name = "rangers"
url_variable = "WILDPOST_ALERT_RANGERS"
[[rules.rule]]
name = "person"
severity = "urgent"
observation_types = ["human"]
[rules]
zones = "zones.geojson"
"""
STORES = """
[store]
kind = "influxdb"
secret_variable = "RESERVE_INFLUX"
[store.influxdb]
url = "http://127.0.0.1:{echo}"
timeout_s = 2
"""
CASEBOOK = """
[casebook]
url = "postgresql+psycopg://wildpost@127.0.0.1:{closed}/wildpost"
secret_variable = "RESERVE_CASEBOOK"
"""
STATION = """
[station]
name = "lake-07"
deployment = "lake-07-2026a"
[broker]
port = {broker}
username = "lake-07"
password_variable = "RESERVE_BROKER"
[[sensors]]
name = "trail"
source = "camera"
detectors = ["vision"]
[sensors.camera]
device = "{device}"
"""


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers every request with an error that repeats the request with all its headers."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = f"unauthorized: {self.requestline} {dict(self.headers)}".encode()
        self.send_response(401, body.decode()[:200].replace("\n", " "))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    do_POST = do_PUT = do_HEAD = do_DESCRIBE = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def echo() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environment(echo: int) -> dict[str, str]:
    return os.environ | {name: value.replace("{port}", str(echo)) for name, value in VARIABLES.items()}


def wildpost(environment: dict[str, str], *words: object) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "wildpost", *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    return f"{words}: {ran.stdout}{ran.stderr}"


def arguments_of(process: psutil.Process) -> str:
    return " ".join(" ".join(one.cmdline()) for one in (process, *process.children(recursive=True)))


def test_a_server_whose_services_refuse_it_repeats_no_secret(
    echo: int, environment: dict[str, str], mosquitto: Any, publisher_to: Callable[[int], Publisher],
    tmp_path: Path,
) -> None:  # fmt: skip
    data, settings = tmp_path / "data", tmp_path / "server.toml"
    settings.write_text(SERVER.format(broker=mosquitto.port, echo=echo))
    (tmp_path / "zones.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    words = [sys.executable, "-m", "wildpost", "serve", str(settings), "--data", str(data)]
    seen = ""
    with running(words, data, environment) as (process, url):

        def page(path: str) -> str:
            try:
                with urllib.request.urlopen(url + path, timeout=20) as answer:
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                return str(error.read().decode())

        event = msgspec.structs.replace(EVENT, event_id=new_event_id(), captured_at=datetime.now(UTC))
        publisher_to(mosquitto.port).publish([(topic_of("wildpost", event.station, "event"), encode(event))])
        eventually(lambda: "rangers" in json.loads(page("healthz"))["problem"], "the alert is refused")
        publisher_to(mosquitto.port).publish([(topic_of("wildpost", EVENT.station, "media"), encode(MEDIA_CONTENT))])
        eventually(lambda: "media" in json.loads(page("healthz"))["problem"], "the bucket refuses the thumbnail")
        pages = ("", "healthz", "metrics", "trends", "stations", "quarantine", "incidents", "api/events", "nowhere")
        seen += "".join(page(path) for path in (*pages, f"events/{event.event_id}"))
        seen += arguments_of(psutil.Process(process.pid))
        seen += wildpost(environment, "doctor", "--server", settings, "--data", data)
        seen += wildpost(environment, "alerts", "test", settings)
        seen += wildpost(environment, "backup", tmp_path / "b.tar", settings, "--data", data, "--unencrypted")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert "NOT sent" in seen
    assert MARK not in seen + said
    assert all(MARK.encode() not in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_databases_that_refuse_the_server_repeat_no_secret(
    echo: int, environment: dict[str, str], mosquitto: Any, tmp_path: Path
) -> None:
    said = ""
    (tmp_path / "zones.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    for number, more in enumerate((STORES.format(echo=echo), CASEBOOK.format(closed=free_port()))):
        settings = tmp_path / f"server-{number}.toml"
        settings.write_text(SERVER.format(broker=mosquitto.port, echo=echo) + more)
        for command in ("serve", "ingest", "doctor", "trends"):
            target = ["--server", settings] if command == "doctor" else [] if command == "trends" else [settings]
            said += wildpost(environment, command, *target, "--data", tmp_path / f"data-{number}")
    assert "was answered with 401" in said
    assert "casebook postgresql" in said
    assert MARK not in said


def test_an_unexpected_error_of_the_command_has_no_secret_in_its_traceback(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import sys, os, threading; from wildpost.cli import main, doctor\n"
        "def run(arguments):\n"
        "    def fail(): raise KeyError(os.environ['RESERVE_CASEBOOK_PASSWORD'])\n"
        "    thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()\n"
        "doctor.run = run\n"
        "sys.argv = ['wildpost', 'doctor']; sys.exit(main.main())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment | {"RESERVE_CASEBOOK_PASSWORD": f"{MARK}-x"},
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.count("KeyError: '***'") == 2
    assert MARK not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "device", [f"http://admin:{MARK}-camera@127.0.0.1:{{echo}}/x.mjpg", f"http://admin:{MARK}/c@m@127.0.0.1:{{echo}}/x"]
)
def test_a_station_sends_and_logs_no_secret(
    device: str, echo: int, environment: dict[str, str], mosquitto: Any, tmp_path: Path
) -> None:
    data, settings, log = tmp_path / "data", tmp_path / "station.toml", tmp_path / "log"
    settings.write_text(STATION.format(broker=mosquitto.port, device=device.format(echo=echo)))
    words = [sys.executable, "-m", "wildpost", "station", "run", str(settings), "--data", str(data)]
    with log.open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            eventually(
                lambda: process.poll() is not None or "cannot be opened" in log.read_text(), "the camera refuses"
            )
            seen = arguments_of(psutil.Process(process.pid))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    seen += log.read_text() + wildpost(environment, "station", "check", settings, "--data", data)
    assert "cannot be opened" in seen
    assert MARK not in seen
    assert all(MARK.encode() not in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_a_password_in_place_of_the_name_of_its_file_is_not_repeated(tmp_path: Path) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(f'[broker]\nport = {free_port()}\nusername = "x"\npassword_file = "{MARK}"\n[web]\nport = 0\n')
    said = wildpost(dict(os.environ), "serve", settings, "--data", tmp_path / "data")
    assert "password_file" in said
    assert MARK not in said
