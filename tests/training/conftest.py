"""A small set of made pictures to learn from: coloured animals on noise, in a few steps."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.pickle_trust import VARIABLE, trust
from models.train.dataset_settings import DatasetSettings, LabelSource
from models.train.manifest import write_manifest
from models.train.survey import survey
from tests.repository import REPOSITORY

SMALL = ["--size", "96", "--batch", "8", "--device", "cpu", "--workers", "0", "--learning-rate", "0.004"]


def command(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "wildpost", "models", *map(str, words)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", VARIABLE: ",".join(hashes_of_checkpoints(words))},
    )


def hashes_of_checkpoints(words: Iterable[str | Path]) -> set[str]:
    """Hashes of the checkpoints in the folders that a command names, and of those that earlier tests made."""
    found = set(filter(None, os.environ.get(VARIABLE, "").split(",")))
    for folder in (Path(word) for word in words if Path(word).is_dir()):
        found |= {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.pt")}
    return found


def epochs(process: subprocess.Popen[str]) -> Iterator[int]:
    """Follow what a run says, epoch by epoch; all that it prints is shown when a test fails."""
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="")
        if line.startswith("epoch "):
            yield int(line.split()[1])


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command to do its work, and return what it said."""
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said


@pytest.fixture(autouse=True, scope="session")
def torch_is_here() -> None:
    """Training has an environment of its own; in CI its absence is a failure."""
    if importlib.util.find_spec("torch") is None:
        words = "torch is not installed: run make test-training, which makes .venv-train"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(words)


@pytest.fixture(autouse=True, scope="session")
def one_thread(torch_is_here: None) -> None:
    """Networks this small gain nothing by threads, which on a busy machine only wait for each other."""
    import torch

    torch.set_num_threads(1)


def make_pictures(folder: Path, count: int, seed: int = 0) -> None:
    """Write pictures of soft ground with one or two bright ellipses, labelled as YOLO does."""
    chance = np.random.default_rng(seed)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for at in range(count):
        ground = cv2.resize(chance.integers(0, 120, (6, 8, 3), dtype=np.uint8), (160, 120))
        pixels = np.asarray(ground, np.uint8)
        lines = []
        for _ in range(int(chance.integers(1, 3))):
            kind = int(chance.integers(0, 3))
            width, height = (int(value) for value in chance.integers(24, 60, 2))
            left, top = int(chance.integers(0, 160 - width)), int(chance.integers(0, 120 - height))
            middle, half = (left + width // 2, top + height // 2), (width // 2, height // 2)
            cv2.ellipse(pixels, middle, half, 0, 0, 360, [(60, 230, 60), (60, 60, 240), (240, 120, 30)][kind], -1)
            lines.append(f"{kind} {middle[0] / 160:.5f} {middle[1] / 120:.5f} {width / 160:.5f} {height / 120:.5f}\n")
        cv2.imwrite(str(folder / "images" / f"{at:03d}.jpg"), pixels)
        (folder / "labels" / f"{at:03d}.txt").write_text("".join(lines))


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 60 made pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder / "made", 60)
    classes = {"0": "animal", "1": "human", "2": "vehicle"}
    source = LabelSource(folder="made", form="yolo", classes=classes, licence="CC0")  # type: ignore[arg-type]
    found = survey(DatasetSettings(sources={"made": source}, val=0.2, test=0.2, parent=folder))
    write_manifest(found.entries, folder / "manifest.jsonl")
    return folder / "manifest.jsonl"


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, dict[int, str]], Path]:
    """Make checkpoints as ultralytics does, of networks that have learnt nothing."""
    from models.train.ultralytics_env import isolate_ultralytics

    isolate_ultralytics()
    import torch
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    def make(family: str, classes: dict[int, str]) -> Path:
        torch.manual_seed(1)
        model = YOLO(f"{family}.yaml")
        model.model = DetectionModel(model.model.yaml, nc=len(classes), verbose=False)
        model.model.names = classes
        path = tmp_path_factory.mktemp(family) / f"{family}.pt"
        model.save(path)
        trust([hashlib.sha256(path.read_bytes()).hexdigest()])
        return path

    return make


@pytest.fixture(scope="session")
def checkpoint(untrained: Callable[[str, dict[int, str]], Path]) -> Path:
    """One of them, of our three kinds."""
    return untrained("yolo11n", {0: "animal", 1: "human", 2: "vehicle"})


@pytest.fixture(scope="session")
def run(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six epochs that was killed after its third and taken up."""
    folder = tmp_path_factory.mktemp("run") / "mine"
    with command("train", manifest, "--out", folder, "--epochs", "6", *SMALL) as killed:
        for number in epochs(killed):
            if number == 3:
                killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    with command("train", manifest, "--out", folder, "--resume") as again:
        numbers = list(epochs(again))
    assert again.returncode == 0
    assert numbers[0] >= 4 and numbers == list(range(numbers[0], 7))
    trust(hashes_of_checkpoints([folder]))
    return folder


@pytest.fixture(scope="session")
def wildpost_models() -> Callable[..., str]:
    """Run `wildpost models`, and return what it said."""
    return lambda *words: finish(command(*words))
