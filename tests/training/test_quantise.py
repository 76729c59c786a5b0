"""An INT8 edition is smaller and says nearly the same; where it does not, it is not kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.registry import WeightsError, load_registry
from models.train.export import export_onnx
from models.train.manifest import read_manifest, write_manifest
from models.train.quantise import is_loss_acceptable, quantise, read_inputs


def test_the_int8_edition_is_smaller_and_says_nearly_the_same(manifest: Path, run: Path, tmp_path: Path) -> None:
    import onnxruntime

    made = export_onnx(run / "weights" / "best.pt", tmp_path / "float.onnx", 96, {}, load_registry())
    inputs = list(read_inputs(read_manifest(manifest)[:30], made.facts))
    small = quantise(made.path, tmp_path / "int8.onnx", inputs)
    assert small.stat().st_size < 0.4 * made.path.stat().st_size
    said = [
        onnxruntime.InferenceSession(str(path)).run(None, {"images": inputs[0][None]})[0] for path in (made.path, small)
    ]
    assert said[0].shape == said[1].shape
    assert 0 < np.abs(said[0][:, 4:] - said[1][:, 4:]).max() < 0.05


def test_the_command_measures_both_on_pictures_that_did_not_calibrate(
    manifest: Path, run: Path, tmp_path: Path, wildpost_models: Callable[..., str]
) -> None:
    import msgspec

    entries = [msgspec.structs.replace(entry, split="val") for entry in read_manifest(manifest)]
    write_manifest(entries, tmp_path / "val.jsonl")
    said = wildpost_models("export", run, "--name", "mine", "--out", tmp_path, "--int8", tmp_path / "val.jsonl")
    assert f"on {len(entries) - len(entries) // 2} val pictures" in said
    registry = load_registry(tmp_path / "mine.toml", tmp_path / "mine-int8.toml")
    assert registry["mine-int8"].size < registry["mine"].size


def test_an_edition_that_loses_a_point_is_not_worth_keeping() -> None:
    assert is_loss_acceptable(0.50, 0.495) and is_loss_acceptable(0.50, 0.52)
    assert not is_loss_acceptable(0.50, 0.49) and not is_loss_acceptable(float("nan"), 0.4)


def test_too_few_pictures_do_not_calibrate(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="3 pictures for calibration: expected 20 or more"):
        quantise(tmp_path / "a.onnx", tmp_path / "b.onnx", [np.zeros((3, 96, 96), np.float32)] * 3)


def test_a_picture_that_cannot_be_read_does_not_calibrate(manifest: Path, checkpoint: Path, tmp_path: Path) -> None:
    import msgspec

    made = export_onnx(checkpoint, tmp_path / "float.onnx", 96, {}, load_registry())
    entries = read_manifest(manifest)[:3]
    (tmp_path / "empty.jpg").write_bytes(b"")
    entries[1] = msgspec.structs.replace(entries[1], path=tmp_path / "empty.jpg")
    inputs = list(read_inputs(entries, made.facts))
    assert [one.shape for one in inputs] == [(3, 96, 96)] * 2
