"""What every test may ask for: the shared data, a broker of its own, a word on a missing program."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.influx_server import Influx, programs
from tests.listening import listens
from tests.postgres_server import Postgres, program_folder
from tests.repository import REPOSITORY
from tests.s3_server import KEY, SECRET, S3Server

# A busy machine must not fail a test: no deadline on a single example.
hypothesis.settings.register_profile("wildpost", deadline=None)
hypothesis.settings.load_profile("wildpost")


def missing(what: str) -> None:
    """Fail in CI, skip elsewhere: a skipped test must never look like a passed one."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures, recordings and weights beside the checkout."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        missing(f"this test reads real pictures and recordings from {folder}, which is not there")
    return folder


def free_port() -> int:
    """Find a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A real broker on a free port, which a test may stop, kill and start again; it keeps its sessions on disk."""

    def __init__(self, program: str, folder: Path, settings: str = "allow_anonymous true\n") -> None:
        self.port = free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        # autosave after every change: what the broker has acknowledged must survive its own SIGKILL too
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(
            f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"autosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nuser root\n{settings}"
        )
        self._command = [program, "-c", str(self._settings)]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if listens(self.port):
                return
            if self._process.poll() is not None:
                raise RuntimeError(f"mosquitto ended with {self._process.returncode}; settings: {self._settings}")
            time.sleep(0.02)
        raise TimeoutError(f"mosquitto did not listen on {self.port} within 20 s")

    def save_seldom(self) -> None:
        """No more kills are to come: saving everything at every change takes longer the more waits."""
        text = self._settings.read_text()
        seldom = text.replace("autosave_on_changes true", "autosave_on_changes false")
        self._settings.write_text(seldom.replace("autosave_interval 1\n", "autosave_interval 600\n"))
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def mosquitto_program() -> str:
    """Return the path of the real broker."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("mosquitto is not installed (Debian: apt-get install mosquitto)")
    assert program is not None
    return program


@pytest.fixture
def mosquitto_with(tmp_path: Path) -> Iterator[Callable[[str], Mosquitto]]:
    """Start brokers with settings of the test's own."""
    program = mosquitto_program()
    started: list[Mosquitto] = []

    def start(settings: str) -> Mosquitto:
        broker = Mosquitto(program, tmp_path / f"broker-{len(started)}", settings)
        started.append(broker)
        return broker

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def mosquitto(mosquitto_with: Callable[[str], Mosquitto]) -> Mosquitto:
    """A real broker that lets anyone in."""
    return mosquitto_with("allow_anonymous true\n")


@pytest.fixture(scope="session")
def influx_programs() -> tuple[str, str]:
    """Where influxd and nginx are."""
    found = programs()
    if isinstance(found, str):
        missing(found)
    assert not isinstance(found, str)
    return found


@pytest.fixture(scope="session")
def influx(influx_programs: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """A real InfluxDB for all tests, each with a database of its own."""
    server = Influx(*influx_programs, tmp_path_factory.mktemp("influx") / "server")
    yield server
    server.stop()


@pytest.fixture
def own_influx(influx_programs: tuple[str, str], tmp_path: Path) -> Iterator[Callable[[bool], Influx]]:
    """Servers of the test's own, which it may kill."""
    started: list[Influx] = []

    def start(auth: bool) -> Influx:
        started.append(Influx(*influx_programs, tmp_path / f"influx{len(started)}", auth))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL for all tests, each with a database of its own."""
    found = program_folder()
    if isinstance(found, str):
        missing(found)
    assert isinstance(found, Path)
    server = Postgres(found, free_port())
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def casebook_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database for a casebook, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/casebook.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server for S3's protocol, and key and secret for it."""
    monkeypatch.setenv("WILDPOST_S3_KEY", KEY)
    monkeypatch.setenv("WILDPOST_S3_SECRET", SECRET)
    server = S3Server()
    yield server
    server.stop()
