"""The network that comes with Wildpost: it is there without any download, is what its card says, and finds animals."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from models.evaluate.labels import read_labels
from models.evaluate.vision import evaluate
from models.factory import open_vision
from models.registry import load_registry, place_of
from models.vision import VisionOptions
from tests.repository import REPOSITORY

NAME = "wildpost-nano"
CARD = REPOSITORY / "models" / "weights" / "wildpost-nano.md"


def test_it_opens_in_a_folder_without_weights_and_finds_the_tigers(tmp_path: Path, shared_data: Path) -> None:
    labelled = [
        picture
        for picture in read_labels(_yolo(shared_data / "vision" / "tiger", tmp_path), meanings={"tiger": "animal"})
        if picture.truths
    ][:60]
    detector = open_vision(NAME, tmp_path / "nothing", VisionOptions(threshold=0.01, threads=1))

    result = evaluate(detector, labelled, lambda _: 0.25)

    assert len(result.pictures) == 60
    assert result.map50 > 0.5


def test_both_runtimes_see_the_same(tmp_path: Path, shared_data: Path) -> None:
    pictures = sorted((shared_data / "vision" / "tiger" / "images").rglob("*.jpg"))[:10]
    seen = []
    for runtime in ("openvino", "onnxruntime"):
        detector = open_vision(NAME, tmp_path, VisionOptions(runtime=runtime, threads=1, threshold=0.2))
        seen.append([detector.predict([detector.preprocess(picture)])[0] for picture in pictures])
    for first, second in zip(*seen, strict=True):
        assert [one.observation_type for one in first] == [one.observation_type for one in second]
        assert [one.confidence for one in first] == pytest.approx([one.confidence for one in second], abs=2e-3)


def test_the_file_is_small_and_the_card_names_it_by_its_hash() -> None:
    entry = load_registry()[NAME]
    assert entry.size < 8_000_000
    assert hashlib.sha256(place_of(entry, Path()).read_bytes()).hexdigest() == entry.sha256
    assert entry.sha256 in CARD.read_text(encoding="utf-8")


def _yolo(source: Path, folder: Path) -> Path:
    settings = folder / "data.yaml"
    settings.write_text(f"path: {source}\ntest: images\nnames: [tiger]\n")
    return settings


_EIGHT_AT_ONCE = """
import sys
from pathlib import Path
from threading import Barrier, Thread
import numpy as np
from models.factory import open_vision
from captures.decoded import Picture
from models.vision import VisionOptions
detector = open_vision("wildpost-nano", Path(sys.argv[1]), VisionOptions(threads=1, at_once=8))
picture = detector.preprocess(Picture(np.zeros((320, 320, 3), np.uint8), 320, 320))
barrier = Barrier(8)
def look():
    barrier.wait()
    detector.predict([picture])
threads = [Thread(target=look, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("attempt", range(3))  # one of three hung before
def test_threads_that_look_first_at_the_same_time_do_not_lock_each_other_up(tmp_path: Path, attempt: int) -> None:
    command = [sys.executable, "-c", _EIGHT_AT_ONCE, str(tmp_path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0, attempt
