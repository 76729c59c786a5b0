"""The units for systemd are ones that systemd understands, and start commands that exist."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, missing
from wildpost.main import parser

UNITS = sorted((REPOSITORY / "configs" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_no_complaint(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is not installed (Debian: apt-get install systemd)")
        raise AssertionError
    # The command itself is not installed here: another program stands in for it, and the rest is as it is shipped.
    text = unit.read_text().replace("/opt/wildpost/bin/wildpost", "/bin/true")
    copy = tmp_path / unit.name.replace("@.", "@2.")
    copy.write_text(text)

    checked = subprocess.run([program, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)

    ours = [line for line in checked.stderr.splitlines() if unit.name.split(".")[0].split("@")[0] in line]
    assert (checked.returncode, ours) == (0, []), checked.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_starts_a_command_that_wildpost_has(unit: Path) -> None:
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    program, *words = shlex.split(line.removeprefix("ExecStart=").replace("%i", "2"))

    assert program == "/opt/wildpost/bin/wildpost"
    arguments = parser().parse_args(words)
    assert callable(arguments.run)
