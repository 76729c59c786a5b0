"""The units for systemd leave a service little to do harm with, and enough to work."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Mosquitto, missing
from tests.eventually import eventually
from tests.flow.test_station_once import command as station_command
from tests.repository import REPOSITORY
from tests.servers.listeners import listening
from tests.servers.test_serve import WILDPOST, health, page, publish_event
from tests.system_call_filter import allowed_calls

FOLDER = REPOSITORY / "configs" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
SERVER, STATION = FOLDER / "wildpost-server.service", FOLDER / "wildpost-station.service"
RESTRICTED = {
    "User": "wildpost",
    "UMask": "0077",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectProc": "invisible",
    "SystemCallArchitectures": "native",
    "LimitCORE": "0",  # a core dump would hold passwords
    **dict.fromkeys(
        (
            "NoNewPrivileges",
            "ProtectHome",
            "PrivateTmp",
            "ProtectKernelTunables",
            "ProtectKernelModules",
            "ProtectKernelLogs",
            "ProtectControlGroups",
            "ProtectClock",
            "ProtectHostname",
            "RestrictSUIDSGID",
            "RestrictRealtime",
            "RestrictNamespaces",
            "LockPersonality",
            "RemoveIPC",
        ),
        "true",
    ),
}
DANGEROUS = {
    "mount",
    "chroot",
    "ptrace",
    "init_module",
    "kexec_load",
    "reboot",
    "swapon",
    "settimeofday",
    "bpf",
    "setuid",
}


def directives(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.M):
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is not installed (Debian: apt-get install systemd)")
    assert program is not None
    return program


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_has_every_restriction(unit: Path) -> None:
    found = directives(unit)
    assert {name: found.get(name) for name in RESTRICTED} == {name: [value] for name, value in RESTRICTED.items()}
    assert int(found["TasksMax"][0]) <= 512
    assert set(found["RestrictAddressFamilies"][0].split()) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}
    assert not {"AmbientCapabilities", "ReadWritePaths", "BindPaths"} & set(found)


def test_only_the_station_reaches_devices_and_those_are_cameras_and_microphones() -> None:
    for unit in UNITS:
        found = directives(unit)
        if unit == STATION:
            assert found["DevicePolicy"] == ["closed"]
            assert found["DeviceAllow"] == [f"char-{kind} rw" for kind in ("video4linux", "media", "alsa")]
            assert found["SupplementaryGroups"] == ["video audio"]
        else:
            assert (found["PrivateDevices"], found["PrivateUsers"]) == (["true"], ["true"])
            assert "DeviceAllow" not in found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_rates_the_exposure_of_a_unit_below_3(unit: Path, systemd_analyze: str, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@.", "@2.")
    copy.write_text(unit.read_text())
    rated = subprocess.run(
        [systemd_analyze, "security", "--offline=true", str(copy)], capture_output=True, text=True, check=False
    )
    figure = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert figure, rated.stderr
    assert float(figure[1]) < 3


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_dangerous_system_calls_are_refused(unit: Path, systemd_analyze: str) -> None:
    calls = allowed_calls(unit)
    assert {"read", "connect", "sched_setaffinity"} <= calls
    assert calls & DANGEROUS == set()


def under(unit: Path, command: list[str]) -> list[str]:
    return [sys.executable, str(REPOSITORY / "tests" / "system_call_filter.py"), str(unit), *command]


@pytest.mark.usefixtures("systemd_analyze")
def test_what_a_unit_forbids_is_forbidden() -> None:
    ended = subprocess.run(under(SERVER, ["chroot", "/", "true"]), capture_output=True, text=True, check=False)
    assert "Operation not permitted" in ended.stderr


@pytest.mark.usefixtures("systemd_analyze")
def test_a_server_works_with_the_system_calls_that_its_unit_allows(mosquitto: Mosquitto, tmp_path: Path) -> None:
    settings, data = tmp_path / "server.toml", tmp_path / "data"
    settings.write_text(f"[broker]\nport = {mosquitto.port}\n[web]\nport = 0\n")
    command = under(SERVER, [*WILDPOST, "serve", str(settings), "--data", str(data)])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            eventually(lambda: (data / "server.json").exists() or server.poll() is not None, "the server listens")
            assert server.poll() is None, server.communicate()[0]
            url = re.search(r'"url":\s*"([^"]+)"', (data / "server.json").read_text())
            assert url
            event = publish_event(mosquitto.port)
            eventually(lambda: health(url[1])["events"] == 1, "the capture is stored")
            for path in ("", "trends", f"events/{event.event_id}"):
                assert "野哨" in page(url[1] + path)
            backed_up = subprocess.run(
                under(
                    SERVER,
                    [
                        *WILDPOST,
                        "backup",
                        str(tmp_path / "backup.tar"),
                        str(settings),
                        "--unencrypted",
                        "--data",
                        str(data),
                    ],
                ),
                capture_output=True,
                text=True,
                check=False,
            )
            assert backed_up.returncode == 0, backed_up.stderr
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
        finally:
            server.kill()


@pytest.mark.usefixtures("systemd_analyze")
def test_a_station_detects_and_sends_with_the_system_calls_that_its_unit_allows(
    mosquitto: Mosquitto, shared_data: Path, tmp_path: Path
) -> None:
    samples = shared_data / "samples"
    for folder, name in (("pictures", "owl.JPG"), ("recordings", "rain.ogg")):
        (tmp_path / folder).mkdir()
        shutil.copy(samples / folder / name, tmp_path / folder)
    sensors = [
        'name = "lens"\nsource = "folder"\nfolder = "pictures"\ndetectors = ["vision"]\n',
        'name = "ear"\nsource = "folder"\nfolder = "recordings"\ndetectors = ["birdnet", "threat"]\n',
    ]
    with listening(mosquitto.port, "wildpost/#"):
        command = under(STATION, station_command(tmp_path, mosquitto.port, *sensors))
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr
    assert '"events_sent":2' in ended.stdout.replace(" ", ""), ended.stdout
    assert "Operation not permitted" not in ended.stderr
