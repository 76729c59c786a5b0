"""A checkpoint can run code when it is opened: none is opened before somebody has said that it is trusted."""

import hashlib
import os
import pickle
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from models.pickle_trust import VARIABLE, UntrustedPickle, check_trusted, trust
from models.registry import WeightsError
from models.train.export import open_checkpoint
from models.train.options import TrainOptions
from models.train.training import start
from models.vision.runtimes import open_runtime

REGISTRY = """
[models.theirs]
kind = "vision"
version = "1"
licence = "none"
homepage = "https://example.org"
url = "https://example.org/theirs.pt"
filename = "theirs.pt"
sha256 = "{sha256}"
size = {size}
[models.theirs.vision]
head = "yolov8"
width = 64
height = 64
threshold = 0.25
classes = ["animal"]
[models.theirs.vision.meanings]
animal = {{ label = "animal", observation_type = "animal" }}
"""


class _Payload:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (os.mkdir, (str(self._mark),))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A folder that exists once the code in the checkpoint was run."""
    return tmp_path / "the code was run"


@pytest.fixture
def checkpoint(tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "theirs.pt"
    path.write_bytes(pickle.dumps(_Payload(mark)))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_way_to_open_a_checkpoint_asks_for_trust_first(checkpoint: Path, mark: Path, tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle, match=sha256(checkpoint)):
        open_checkpoint(checkpoint)
    with pytest.raises(UntrustedPickle, match="runs the code in it"):
        open_runtime("onnxruntime", checkpoint, 64, 64, threads=0, at_once=1, cache=None)
    assert not mark.exists()


def test_trust_is_for_one_hash_and_not_for_a_name(checkpoint: Path) -> None:
    trust([sha256(checkpoint).upper()])
    check_trusted(checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes() + b"changed")
    with pytest.raises(UntrustedPickle):
        check_trusted(checkpoint)


@pytest.mark.parametrize("given", ["", "yes", "*", "0" * 63, "0" * 64 + "0", "all"])
def test_what_is_no_hash_trusts_nothing(given: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="expected a SHA-256"):
        trust([given])
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(UntrustedPickle):
        check_trusted(checkpoint)


def run_model(tmp_path: Path, checkpoint: Path, *more: str) -> list[str]:
    registry = tmp_path / "registry.toml"
    registry.write_text(REGISTRY.format(sha256=sha256(checkpoint), size=checkpoint.stat().st_size))
    words = ["models", "run", "theirs", str(tmp_path), "--registry", str(registry), "--folder", str(checkpoint.parent)]
    return [sys.executable, "-m", "wildpost", *words, *more]


def test_a_model_of_the_registry_is_not_opened_although_its_hash_is_pinned(
    checkpoint: Path, mark: Path, tmp_path: Path
) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    ran = subprocess.run(run_model(tmp_path, checkpoint), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert f"--trust-pickle {sha256(checkpoint)}" in ran.stderr
    assert not mark.exists()
    ran = subprocess.run(
        run_model(tmp_path, checkpoint, "--trust-pickle", sha256(checkpoint)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "was not opened" not in ran.stderr


@pytest.mark.parametrize(("answer", "opened"), [("yes", True), ("no", False), ("", False), ("y", False)])
def test_a_person_at_a_terminal_is_asked_a_plain_question(
    answer: str, opened: bool, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    here, there = pty.openpty()
    os.write(here, f"{answer}\n".encode())
    try:
        ran = subprocess.run(
            run_model(tmp_path, checkpoint), stdin=there, stdout=subprocess.DEVNULL, stderr=there, check=False
        )
        said = os.read(here, 100_000).decode()
    finally:
        os.close(here)
        os.close(there)
    assert ran.returncode == 1
    assert "Do you trust whoever made this file? Type yes to open it:" in said
    assert sha256(checkpoint) in said
    assert ("was not opened" in said) is not opened


def test_training_does_not_start_from_a_checkpoint_that_is_not_trusted(
    checkpoint: Path, mark: Path, tmp_path: Path
) -> None:
    (tmp_path / "manifest.jsonl").touch()
    options = TrainOptions(base=str(checkpoint), manifest_sha256="")
    with pytest.raises(UntrustedPickle):
        start(tmp_path / "manifest.jsonl", tmp_path / "run", options, {}, tmp_path / "models")
    assert not mark.exists()
