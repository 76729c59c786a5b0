"""The containers: the compose file is one that Docker takes and names what there is; the image's steps give a server.

No Docker runs here: the Dockerfile's own steps are run in a folder instead, and what they install is started and asked.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from casebook.engine import CasebookOptions
from contract.server_users import ACCOUNT
from tests.conftest import free_port, mosquitto_program
from tests.eventually import eventually
from tests.flow.test_extras import uv
from tests.listening import listens
from tests.repository import REPOSITORY
from wildpost.broker.configuration import Listeners
from wildpost.broker.folder import BrokerFolder
from wildpost.cli.main import parser
from wildpost.server.stores import StoreOptions
from wildpost.settings.data_folder import VARIABLE
from wildpost.settings.loader import load_settings
from wildpost.settings.server import IngestOptions, ServerSettings, WebOptions

COMPOSE = REPOSITORY / "configs" / "compose.yaml"
SETTINGS = REPOSITORY / "configs" / "compose" / "server.toml"
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
FILE: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = ("server", "ingest")
PINNED = r"docker\.io/[a-z-]+/[a-z-]+:\d[a-z0-9.-]+@sha256:[0-9a-f]{64}"
KNOWN_VARIABLES = {
    VARIABLE,
    StoreOptions().secret_variable,
    CasebookOptions().secret_variable,
    "WILDPOST_INFLUXDB_URL",  # in configs/grafana
}


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"{name} is not installed: uv sync"
    return found


def test_the_compose_file_is_as_the_specification_has_it() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_hadolint_has_no_complaint_about_the_dockerfile() -> None:
    checked = subprocess.run(
        [tool("hadolint"), str(REPOSITORY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_it_names_only_what_there_is() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.M))
    assert {one["build"]["target"] for one in SERVICES.values() if "build" in one} <= stages
    sources = [volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])]
    assert {source for source in sources if source[0] not in "./"} == set(FILE["volumes"])
    for source in sources:
        assert not source.startswith(".") or (COMPOSE.parent / source).is_dir(), source
    assert {secret for one in SERVICES.values() for secret in one.get("secrets", [])} == set(FILE["secrets"])
    for one in SERVICES.values():
        assert set(one.get("depends_on", {})) <= set(SERVICES)
    named = set(re.findall(r"WILDPOST_[A-Z_]+", COMPOSE.read_text() + DOCKERFILE + SETTINGS.read_text()))
    assert named <= KNOWN_VARIABLES


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_service_is_started_again_watched_and_has_no_password_of_its_own(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "devices" not in service
    assert int(service["user"].partition(":")[0]) > 0
    assert service["pids_limit"] <= 512
    assert re.fullmatch(r"[1-4]g|512m", service["mem_limit"])
    for mount in service["tmpfs"]:
        assert {"noexec", "nosuid", "nodev"} <= set(re.split("[:,]", mount)), mount
        assert "size=" in mount
    assert "/tmp" in {mount.partition(":")[0] for mount in service["tmpfs"]}  # noqa: S108, a path in the container
    assert not any("docker.sock" in str(volume) for volume in service["volumes"])
    assert "build" in service or re.fullmatch(PINNED, service["image"]), "an image needs its version and digest"
    for variable, value in service.get("environment", {}).items():
        secret = re.search("PASSWORD|TOKEN|SECRET", variable)
        assert not secret or (variable.endswith("_FILE") and value.startswith("/run/secrets/")), variable
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "only the broker is open to other machines"


def test_our_services_start_commands_that_wildpost_has_and_ask_the_ports_it_answers_on() -> None:
    for name, port in zip(OURS, (WebOptions().port, IngestOptions().port), strict=True):
        assert callable(parser().parse_args(SERVICES[name]["command"]).run)
        assert SERVICES[name]["network_mode"] == "host"
        assert f"//127.0.0.1:{port}/healthz" in SERVICES[name]["healthcheck"]["test"][-1]
    assert not re.search(r"^USER (root|0)\b", DOCKERFILE, re.M)
    users = {SERVICES[name]["user"] for name in ("broker", *OURS)}
    assert set(re.findall(r"^USER (\d+:\d+)$", DOCKERFILE, re.M)) == users


def test_base_images_are_named_by_digest() -> None:
    stages = dict(reversed(found) for found in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.M))
    assert len(stages) == len(re.findall("^FROM", DOCKERFILE, re.M))
    for image in stages.values():
        assert image in stages or re.fullmatch(PINNED, image), image


def test_newer_digests_are_written_into_both_files(tmp_path: Path) -> None:
    # There is no registry here: a program stands in for docker and answers as `docker buildx imagetools inspect` does.
    digest = f"sha256:{'5' * 64}"
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f"#!/bin/sh\necho {digest}\n")
    docker.chmod(0o755)
    for name in (".ci/base-images", "Dockerfile", "configs/compose.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    run = partial(
        subprocess.run, env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}, capture_output=True, check=False
    )
    script = str(tmp_path / ".ci" / "base-images")
    assert run([script, "--check"]).returncode == 1
    assert (tmp_path / "Dockerfile").read_text() == DOCKERFILE
    assert run([script]).returncode == 0
    for name in ("Dockerfile", "configs/compose.yaml"):
        assert set(re.findall(r"@(sha256:\w+)", (tmp_path / name).read_text())) == {digest}
    assert run([script, "--check"]).returncode == 0


def test_the_broker_finds_what_broker_init_wrote(tmp_path: Path) -> None:
    BrokerFolder(tmp_path / "broker").create(["localhost"])
    written = (tmp_path / "broker" / "mosquitto.conf").read_text()
    listens, keeps = (
        re.search(r"^listener (\d+)$", written, re.M),
        re.search(r"^persistence_location (\S+)/$", written, re.M),
    )
    assert listens and keeps
    broker = SERVICES["broker"]
    assert broker["network_mode"] == "host"
    assert listens[1] in broker["healthcheck"]["test"]
    assert f"broker:{keeps[1]}" in broker["volumes"]
    assert keeps[1] in DOCKERFILE
    started = re.search(r'^CMD \["mosquitto", "-c", "(/\S+)/mosquitto.conf"\]$', DOCKERFILE, re.M)
    assert started
    assert f"{started[1]}:{started[1]}:ro" in broker["volumes"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image's build stage installs, by its own commands, from what .dockerignore lets in."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "source"
    source.mkdir()
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    entries = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    assert entries
    copied, everything, *more = re.findall(r"^COPY (.+) \./?$", DOCKERFILE, re.M)
    steps = re.findall(r"^RUN (uv sync .+)$", DOCKERFILE, re.M)
    assert (everything, more, len(steps)) == (".", [], 2)
    for step, given in zip(steps, (copied.split(), entries), strict=True):
        for name in given:
            (source / name).parent.mkdir(exist_ok=True)
            if (REPOSITORY / name).is_dir():
                shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(REPOSITORY / name, source / name)
        words = [
            word for word in step.split()[1:] if word != "--no-cache"
        ]  # the image wants none, a test is glad of it
        built = subprocess.run(
            [uv(), *words, "--python", sys.executable],
            cwd=source,
            env={name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
            | {"UV_PROJECT_ENVIRONMENT": str(folder / "opt")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
    shutil.rmtree(source)  # the second stage has the installed part alone
    return folder / "opt" / "bin"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A broker as `wildpost broker init` sets it up, running; its folder and port."""
    program = mosquitto_program()
    port, folder = free_port(), tmp_path / "broker"
    BrokerFolder(folder, listeners=Listeners(port, free_port())).create(["localhost"])
    configuration = folder / "mosquitto.conf"
    text = configuration.read_text().replace("/var/lib/mosquitto/", f"{tmp_path}/")
    configuration.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.DEVNULL)
    eventually(lambda: listens(port) or process.poll() is not None, "the broker listens")
    assert process.poll() is None
    yield folder, port
    process.terminate()
    process.wait(10)


def settings_for(tmp_path: Path, folder: Path, port: int) -> Path:
    """The settings as they are shipped, but for where things lie."""
    handed = folder / "handover" / ACCOUNT
    text = SETTINGS.read_text().replace("port = 8883", f"port = {port}")
    text = text.replace("/etc/wildpost/ca.crt", str(handed / "ca.crt"))
    settings = tmp_path / "server.toml"
    settings.write_text(f"{text}\n[web]\nport = {free_port()}\n")
    return settings


def test_what_the_image_installs_serves_through_the_secured_broker_and_its_healthcheck_sees_it(
    installed: Path, secured: tuple[Path, int], tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, *secured)
    web = load_settings(settings, ServerSettings).web.port
    data = tmp_path / "data"
    # docs/how-to/containers.md has it copied to server.env, which the compose file hands on.
    name, _, password = (secured[0] / "handover" / ACCOUNT / "wildpost.env").read_text().strip().partition("=")
    environment = {
        name: password,
        "PATH": f"{installed}:/usr/bin:/bin",
        "WILDPOST_DATA": str(data),
        "HOME": str(tmp_path),
    }
    looked = subprocess.run(
        [str(installed / "wildpost"), "doctor", "--server", str(settings)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert looked.returncode == 0, looked.stdout + looked.stderr
    with (tmp_path / "log").open("w") as log:
        serve, given, *words = SERVICES["server"]["command"]
        assert given == "/etc/wildpost/server.toml"
        process = subprocess.Popen(
            [str(installed / "wildpost"), serve, str(settings), *words],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _, program, *asks = SERVICES["server"]["healthcheck"]["test"]
        ask = [str(installed / program), *(one.replace("8420", str(web)) for one in asks)]
        deadline = time.monotonic() + 90
        while (answer := subprocess.run(ask, capture_output=True, check=False)).returncode and process.poll() is None:
            assert time.monotonic() < deadline, answer.stderr
            time.sleep(0.2)
        while not _connected(web):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        process.terminate()
        assert process.wait(60) == 0
        assert subprocess.run(ask, capture_output=True, check=False).returncode != 0
    finally:
        process.kill()
        process.wait()


def _connected(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return "wildpost_connected 1.0" in answer.read().decode()
