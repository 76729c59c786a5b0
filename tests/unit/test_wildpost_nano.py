"""The network that comes with Wildpost: it is there without any download, is what its card says, and finds animals."""

import hashlib
from pathlib import Path

import pytest

from models.evaluate.labels import read_labels
from models.evaluate.vision import evaluate
from models.opening import open_vision
from models.registry import load_registry, place_of
from models.vision import VisionOptions

NAME = "wildpost-nano"
CARD = Path(__file__).parents[2] / "models" / "weights" / "wildpost-nano.md"


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
