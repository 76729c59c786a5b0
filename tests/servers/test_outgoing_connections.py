"""A running server and a running station connect to the broker and the services in their settings, and nowhere else."""

import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from contract import encode, topic_of
from contract.examples import MEDIA_CONTENT
from tests.conftest import Mosquitto, missing
from tests.eventually import eventually
from tests.flow.test_station_once import command as station_command
from tests.flow.test_station_once import lens_and_ear
from tests.influx_server import Influx
from tests.outgoing_connections import Contact, Observer, can_trace
from tests.postgres_server import Postgres
from tests.repository import REPOSITORY
from tests.s3_server import S3Server
from tests.servers.conftest import Publisher
from tests.servers.listeners import Webhook, listening
from tests.servers.test_alerts_command import SETTINGS, environment, person, wildpost
from tests.servers.test_serve import health, page, running

ELSEWHERE = Contact("192.0.2.1", 443)  # an address that belongs to nobody (RFC 5737)
CONNECTS = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    probe.connect({tuple(ELSEWHERE)!r})
"""


@pytest.fixture
def observer(tmp_path: Path) -> Observer:
    folder = tmp_path / "observed"
    folder.mkdir()
    return Observer(folder, can_trace())


@pytest.mark.parametrize("traces", [False, True], ids=["audit events", "strace"])
def test_a_connection_to_another_machine_is_noticed(traces: bool, tmp_path: Path) -> None:
    if traces and shutil.which("strace") is None:
        missing("strace is not installed (Debian: apt-get install strace)")
    if traces and not can_trace():
        pytest.skip("strace may not trace here; the audit events remain")
    observer = Observer(tmp_path, traces)
    # strace alone must notice it too: -I leaves sitecustomize out
    command = [sys.executable, *(["-I"] if traces else []), "-c", CONNECTS]
    subprocess.run(observer.command(command), env=observer.environment(), check=True)
    assert observer.outside() == {ELSEWHERE}


SERVICES = """
[store]
kind = "influxdb"
[store.influxdb]
url = "{influx.url}"
database = "{database}"
[casebook]
url = "{casebook}"
[media]
url = "s3://{bucket}/media"
endpoint = "{s3.endpoint}"
"""


@pytest.fixture(params=["one machine", "all services"])
def services(request: pytest.FixtureRequest, influx: Influx, postgres: Postgres, s3: S3Server) -> tuple[str, set[int]]:
    """Settings of the databases, and the ports of those that are servers."""
    if request.param == "one machine":
        return "", set()
    database, casebook = influx.new_database(), postgres.database()
    settings = SERVICES.format(influx=influx, database=database, casebook=casebook, s3=s3, bucket=s3.bucket())
    return settings, {urlsplit(influx.url).port or 0, postgres.port, urlsplit(s3.endpoint).port or 0}


def test_a_server_that_receives_shows_and_alerts_contacts_only_the_services_in_its_settings(
    mosquitto: Mosquitto, webhook: Webhook, observer: Observer, services: tuple[str, set[int]], tmp_path: Path
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(SETTINGS.format(port=mosquitto.port) + services[0])
    command = observer.command(wildpost("serve", str(settings), "--data", str(tmp_path / "data")))
    added = observer.environment() | _added(environment(webhook.port))
    with running(command, tmp_path / "data", added) as (server, url):
        event = person(1)
        content = msgspec.structs.replace(MEDIA_CONTENT, event_id=event.event_id, station=event.station)
        publisher = Publisher(mosquitto.port)
        publisher.publish([(topic_of("wildpost", event.station, "event"), encode(event))])
        publisher.publish([(topic_of("wildpost", event.station, "media"), encode(content))])
        publisher.close()
        eventually(lambda: webhook.taken and health(url)["media"] == 1, "the alert arrives, the picture is stored")
        for path in ("", "incidents", "stations", "trends", "quarantine", f"events/{event.event_id}"):
            assert "野哨" in page(url + path)
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert observer.outside() == set()
    # psycopg and obstore are C and Rust, which Python's audit events do not see
    expected = {mosquitto.port, webhook.port} | (services[1] if observer.traces else set())
    assert expected <= {one.port for one in observer.contacted()}


def test_a_station_that_detects_contacts_its_broker_only(
    mosquitto: Mosquitto, observer: Observer, shared_data: Path, tmp_path: Path
) -> None:
    sensors = lens_and_ear(tmp_path, shared_data)
    # The package that pip installs with OpenVINO, and the lock file excludes: an import of it is noticed.
    telemetry = observer.folder / "openvino_telemetry"
    telemetry.mkdir()
    (telemetry / "__init__.py").write_text(CONNECTS)
    command = observer.command(station_command(tmp_path, mosquitto.port, *sensors))
    with listening(mosquitto.port, "wildpost/#"):
        ended = subprocess.run(
            command, env=observer.environment(), capture_output=True, text=True, check=False, timeout=240
        )
    assert ended.returncode == 0, ended.stderr
    assert observer.outside() == set()
    assert observer.identifiers() == []
    assert mosquitto.port in {one.port for one in observer.contacted()}


def test_the_lock_file_holds_no_telemetry_package() -> None:
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text())
    names = {package["name"] for package in lock["package"]}
    unwanted = {
        "openvino-telemetry",
        "opentelemetry-sdk",
        "sentry-sdk",
        "posthog",
        "huggingface-hub",
        "wandb",
        "segment",
    }
    assert {"openvino", "duckdb", "ultralytics"} <= names
    assert names & unwanted == set()


@pytest.mark.parametrize(
    ("imported", "only_in"),
    [
        (r"(import|from) openvino\b", "models/runtime_imports.py"),
        (r"import onnxruntime\b", "models/runtime_imports.py"),
        (r"duckdb\.connect\(", "ingest/store/duckdb/connection.py"),
    ],
)
def test_a_library_that_must_be_silenced_is_opened_in_one_place(imported: str, only_in: str) -> None:
    packages = [
        path
        for path in REPOSITORY.iterdir()
        if (path / "__init__.py").is_file() and path.name not in ("tests", "bench")
    ]
    files = [file for package in packages for file in package.rglob("*.py")]
    found = [file.relative_to(REPOSITORY).as_posix() for file in files if re.search(imported, file.read_text())]
    assert found == [only_in]


def _added(environment: dict[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in ("ALERT_RANGERS", "PYTHONUNBUFFERED")}
