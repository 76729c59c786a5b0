"""The extras `train` and `ray` install alone, into a fresh environment, and what they are for can be imported there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import REPOSITORY

IMPORTS = {
    "train": "import torch, torchvision, ultralytics, librosa; import models.train.field_trainer, models.train.export",
    "ray": "import ray; import pipelines",
}
FORBIDDEN = {
    "train": ["fastapi", "duckdb"],
    "ray": ["torch", "ultralytics", "openvino"],
}


def uv() -> str:
    beside = REPOSITORY / ".uv" / "bin" / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    assert found, "uv is not on the PATH and not in .uv/ (make puts it there)"
    return found


@pytest.mark.long
@pytest.mark.parametrize("extra", list(IMPORTS))
def test_an_extra_installs_and_imports_alone(extra: str, tmp_path: Path) -> None:
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run(
        [uv(), "sync", "--quiet", "--frozen", "--no-default-groups", "--extra", extra, "--python", sys.executable],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        | {"UV_PROJECT_ENVIRONMENT": str(python.parents[1])},
        check=True,
    )
    listing = subprocess.run(
        [uv(), "pip", "list", "--python", str(python), "--format", "freeze"], capture_output=True, text=True, check=True
    ).stdout
    installed = {line.partition("==")[0] for line in listing.splitlines()}
    assert not installed & set(FORBIDDEN[extra])
    # -P: what is imported comes from the installation, not from the folder the test runs in
    outcome = subprocess.run(
        [str(python), "-P", "-c", IMPORTS[extra]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    shown = subprocess.run([str(python), "-m", "wildpost", "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
