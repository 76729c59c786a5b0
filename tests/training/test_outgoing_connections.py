"""Training and export contact nobody, though ultralytics would check for versions and send usage data."""

import subprocess
import sys
from pathlib import Path

from models.registry import sha256_of
from tests.outgoing_connections import Observer, can_trace
from tests.repository import REPOSITORY
from tests.training.conftest import SMALL


def test_a_run_and_its_export_contact_nobody(manifest: Path, tmp_path: Path) -> None:
    training = ["train", str(manifest), "--out", str(tmp_path / "run"), "--epochs", "1", *SMALL]
    for name, words in (
        ("train", training),
        ("export", ["export", str(tmp_path / "run"), "--name", "mine", "--out", str(tmp_path / "out")]),
    ):
        folder = tmp_path / name
        folder.mkdir()
        observer = Observer(folder, can_trace())
        if name == "export":
            digest = sha256_of(tmp_path / "run" / "weights" / "best.pt")
            words = [*words, "--trust-pickle", digest]
        command = observer.command([sys.executable, "-m", "wildpost", "models", *words])
        environment = observer.environment() | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert observer.outside() == set()
        assert observer.identifiers() == []
