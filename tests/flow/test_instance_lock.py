"""Two processes never work on one station's folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.instance_lock import StationRunning, instance_lock

HOLD = """
import sys
from pathlib import Path
from edge.instance_lock import instance_lock
with instance_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_which_one_holds_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with (
            pytest.raises(StationRunning, match=f"process {first.pid} runs this station already"),
            instance_lock(tmp_path),
        ):
            pass
        first.kill()

    with instance_lock(tmp_path):  # a killed process holds nothing
        pass


def test_it_can_be_held_again_after_the_end(tmp_path: Path) -> None:
    for _ in range(2):
        with instance_lock(tmp_path / "station"):
            pass
