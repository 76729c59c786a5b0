"""A checkpoint of any ultralytics family becomes a model by name, by ONNX or as it is; anything else is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.pickle_trust import trust
from models.registry import WeightsError, load_registry, sha256_of
from models.train.entry_file import write_entry
from models.train.export import AGREEMENT, export_onnx, register_checkpoint
from models.train.ultralytics_env import isolate_ultralytics
from models.vision import VisionDetector, VisionOptions
from models.vision.runtimes import RuntimeName

# The last two can do without suppression; ultralytics exports the head that needs it, unless told otherwise.
FAMILIES = ["yolov8n", "yolo11n", "yolov9t", "yolov10n", "yolo26n"]


Untrained = Callable[[str, dict[int, str]], Path]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_becomes_a_model_by_name(untrained: Untrained, tmp_path: Path, family: str) -> None:
    checkpoint = untrained(family, {0: "animal", 1: "person", 2: "vehicle"})
    made = export_onnx(checkpoint, tmp_path / "out" / "theirs.onnx", 64, {}, load_registry())
    assert made.difference <= AGREEMENT
    assert made.facts.head == "yolov8"
    assert {name: meaning.observation_type for name, meaning in made.facts.meanings.items()} == {
        "animal": "animal",
        "person": "human",
        "vehicle": "vehicle",
    }
    entry = load_registry(write_entry("theirs", "6", "AGPL-3.0", made.path, made.facts))["theirs"]
    picture = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    jpeg = _jpeg(picture.transpose(1, 2, 0))
    runtimes: tuple[RuntimeName, ...] = ("openvino", "onnxruntime")
    for runtime in runtimes:
        detector = VisionDetector(made.path, entry, VisionOptions(runtime=runtime, threshold=0.0))
        assert detector.predict([detector.preprocess(jpeg)])[0]


def _jpeg(pixels: Any) -> bytes:
    import cv2

    return bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


def test_nothing_is_written_beside_the_checkpoint(untrained: Untrained, tmp_path: Path) -> None:
    checkpoint = untrained("yolo11n", {0: "animal"})
    export_onnx(checkpoint, tmp_path / "out" / "a.onnx", 64, {}, load_registry())
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_classes_of_coco_have_the_meanings_that_the_registry_gives_them(untrained: Untrained, tmp_path: Path) -> None:
    registry = load_registry()
    facts = registry["yolox-nano"].vision
    assert facts is not None
    checkpoint = untrained("yolo11n", dict(enumerate(facts.classes)))
    made = register_checkpoint(checkpoint, tmp_path / "out" / "coco.pt", 64, {}, registry)
    assert made.facts.meanings == facts.meanings
    assert made.path.read_bytes() == checkpoint.read_bytes()


def test_classes_without_a_meaning_are_refused_until_someone_gives_one(untrained: Untrained, tmp_path: Path) -> None:
    checkpoint = untrained("yolo11n", {0: "panthera", 1: "shrub"})
    with pytest.raises(WeightsError, match="none of the classes panthera, shrub has a meaning"):
        register_checkpoint(checkpoint, tmp_path / "a.pt", 64, {}, load_registry())
    with pytest.raises(WeightsError, match="no class tiger"):
        register_checkpoint(checkpoint, tmp_path / "a.pt", 64, {"tiger": "animal"}, load_registry())
    made = register_checkpoint(checkpoint, tmp_path / "a.pt", 64, {"panthera": "animal"}, load_registry())
    assert [(name, one.label) for name, one in made.facts.meanings.items()] == [("panthera", "panthera")]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.pt"
    path.write_bytes(content)
    trust([sha256_of(path)])
    with pytest.raises(WeightsError, match=r"odd\.pt: .*expected a checkpoint of ultralytics"):
        export_onnx(path, tmp_path / "a.onnx", 64, {}, load_registry())


def test_a_network_for_something_else_is_refused(tmp_path: Path) -> None:
    isolate_ultralytics()
    from ultralytics import YOLO

    path = tmp_path / "classify.pt"
    YOLO("yolo11n-cls.yaml").save(path)
    trust([sha256_of(path)])
    with pytest.raises(WeightsError, match="a network for 'classify': expected 'detect'"):
        export_onnx(path, tmp_path / "a.onnx", 64, {}, load_registry())
