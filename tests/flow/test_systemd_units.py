"""The units for systemd are ones that systemd understands, and start commands that exist."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.rules.rule_set import load_rules
from tests.conftest import missing
from tests.repository import REPOSITORY
from wildpost.broker.folder import BrokerFolder
from wildpost.cli.main import parser
from wildpost.settings.loader import load_settings
from wildpost.settings.server import ServerSettings
from wildpost.settings.station import StationSettings

UNITS = sorted((REPOSITORY / "configs" / "systemd").glob("*.service"))


def verified(unit: Path) -> subprocess.CompletedProcess[str]:
    """Ask systemd what it makes of a unit."""
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is not installed (Debian: apt-get install systemd)")
        raise AssertionError
    return subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_no_complaint(unit: Path, tmp_path: Path) -> None:
    # The command itself is not installed here: another program stands in for it, and the rest is as it is shipped.
    text = unit.read_text().replace("/opt/wildpost/bin/wildpost", "/bin/true")
    copy = tmp_path / unit.name.replace("@.", "@2.")
    copy.write_text(text)

    checked = verified(copy)

    ours = [line for line in checked.stderr.splitlines() if unit.name.split(".")[0].split("@")[0] in line]
    assert (checked.returncode, ours) == (0, []), checked.stderr


def test_systemd_takes_what_is_added_to_influxdbs_unit(tmp_path: Path) -> None:
    added = (REPOSITORY / "configs" / "systemd" / "influxdb.service.d" / "wildpost.conf").read_text()
    guide = (REPOSITORY / "docs" / "how-to" / "influxdb.md").read_text()
    folder = re.findall(r"install .*configs/systemd/influxdb-whole-log -t (\S+)", guide)[0]
    assert f"ExecStartPre={folder}influxdb-whole-log " in added
    unit = tmp_path / "wildpost-influxdb.service"
    unit.write_text(f"[Service]\nExecStart=/bin/true\n{added.replace(f'{folder}influxdb-whole-log', '/bin/true')}")

    checked = verified(unit)

    ours = [line for line in checked.stderr.splitlines() if unit.stem in line]
    assert (checked.returncode, ours) == (0, []), checked.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_starts_a_command_that_wildpost_has(unit: Path) -> None:
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    program, *words = shlex.split(line.removeprefix("ExecStart=").replace("%i", "2"))

    assert program == "/opt/wildpost/bin/wildpost"
    arguments = parser().parse_args(words)
    assert callable(arguments.run)


def guides_commands() -> list[str]:
    """Read what the guide has a person type, but for what makes users, installs packages and starts services."""
    guide = (REPOSITORY / "docs" / "how-to" / "deploy.md").read_text()
    guide = guide.replace("\\\n", " ")
    typed = [line.strip().removeprefix("sudo ") for line in guide.splitlines() if line.startswith("    sudo ")]
    elsewhere = ("useradd", "python3 -m venv", "/opt/wildpost/bin/pip", "ln -s", "systemctl")
    return [line for line in typed if not line.startswith(elsewhere)]


def test_the_guides_commands_put_everything_where_the_units_look_for_it(tmp_path: Path) -> None:
    BrokerFolder(tmp_path / "broker").create(["broker.reserve.example"])
    BrokerFolder(tmp_path / "broker").add_station("lake-07")
    root, (user, group) = tmp_path / "root", (str(os.getuid()), str(os.getgid()))
    (root / "etc" / "systemd" / "system").mkdir(parents=True)
    for line in guides_commands():
        line = line.partition("   #")[0].replace("-u wildpost env ", "env ")
        line = line.replace("wildpost station", f"{sys.executable} -m wildpost station")
        line = line.replace("-o wildpost", f"-o {user}").replace("-g wildpost", f"-g {group}")
        line = line.replace("chgrp -R wildpost", f"chgrp -R {group}").replace(
            "handover/", f"{tmp_path}/broker/handover/"
        )
        line = re.sub(r"(?<=[ =])/(?=(etc|var|srv)/)", f"{root}/", line)
        ended = subprocess.run(shlex.split(line), cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if "station check" in line:  # there is no broker here
            assert ended.stdout.startswith("works    settings: "), ended.stdout + ended.stderr
        else:
            assert ended.returncode == 0, f"{line}: {ended.stderr}"

    for unit in root.glob("etc/systemd/system/*.service"):
        named = re.findall(r"^(?:EnvironmentFile=-|ExecStart=.* )(/etc/\S+)", unit.read_text(), re.M)
        assert named
        for file in named:
            assert stat.S_IMODE((root / file.removeprefix("/")).stat().st_mode) == 0o640, file
    station = load_settings(root / "etc" / "wildpost" / "station.toml", StationSettings)
    assert Path(station.broker.ca_file).is_file()
    server = load_settings(root / "etc" / "wildpost" / "server.toml", ServerSettings)
    load_rules(server.rules, root / "etc" / "wildpost")
