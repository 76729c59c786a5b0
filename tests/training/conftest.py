"""A small set of made pictures to learn from: coloured animals on noise, in a few steps."""

import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.train.dataset_settings import DatasetSettings, Source
from models.train.manifest import write_manifest
from models.train.survey import survey


@pytest.fixture(autouse=True, scope="session")
def torch_is_here() -> None:
    """Training has an environment of its own; in CI its absence is a failure."""
    if importlib.util.find_spec("torch") is None:
        words = "torch is not installed: run make test-training, which makes .venv-train"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(words)


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
    source = Source(folder="made", form="yolo", classes=classes, licence="CC0")  # type: ignore[arg-type]
    found = survey(DatasetSettings(sources={"made": source}, val=0.2, test=0.2, place=folder))
    write_manifest(found.entries, folder / "manifest.jsonl")
    return folder / "manifest.jsonl"
