"""A run learns, is taken up where it was killed, and what it exports says what torch says."""

import csv
import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.registry import WeightsError, load_registry
from models.train.manifest import read_manifest
from models.train.options import checked_options, read_options
from models.train.training import SCRATCH, manifest_hash, resume, start


def results(run: Path) -> list[dict[str, float]]:
    with (run / "results.csv").open() as file:
        return [{name.strip(): float(value) for name, value in line.items()} for line in csv.DictReader(file)]


def test_the_loss_falls(run: Path) -> None:
    losses = [line["train/cls_loss"] for line in results(run)]
    assert np.mean(losses[-2:]) < np.mean(losses[:2])


def test_a_killed_run_goes_on_with_the_epoch_after_its_last(run: Path) -> None:
    assert [line["epoch"] for line in results(run)] == [1, 2, 3, 4, 5, 6]
    assert read_options(run).epochs == 6


def test_curves_are_drawn(run: Path) -> None:
    assert (run / "results.png").stat().st_size > 10_000
    assert (run / "BoxPR_curve.png").is_file()


def test_the_pictures_learnt_from_are_small_copies_and_the_originals_are_untouched(run: Path, manifest: Path) -> None:
    entries = read_manifest(manifest)
    copies = list((run / "dataset" / "images").rglob("*.jpg"))
    assert len(copies) == sum(entry.split in ("train", "val") for entry in entries)
    assert not any(copy.is_symlink() for copy in copies)
    assert all(hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256 for entry in entries)


def test_a_finished_run_is_not_taken_up_and_not_written_over(run: Path, manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="this run is finished"):
        resume(manifest, run)
    options = checked_options({"base": SCRATCH, "manifest_sha256": manifest_hash(manifest)})
    with pytest.raises(WeightsError, match="holds a run already"):
        start(manifest, run, options, load_registry(), tmp_path)


def test_a_run_is_not_taken_up_on_other_pictures(run: Path, manifest: Path, tmp_path: Path) -> None:
    other = tmp_path / "manifest.jsonl"
    other.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(WeightsError, match="was trained on a manifest with sha256"):
        resume(other, run)


@pytest.fixture(scope="session")
def exported(run: Path, wildpost_models: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the run's ONNX file, exported by the command."""
    folder = tmp_path_factory.mktemp("exported")
    more = ["--licence", "CC0", "--threshold", "0.0005"]
    assert "differs from torch by" in wildpost_models("export", run, "--name", "mine", "--out", folder, *more)
    return folder


def test_the_export_says_what_torch_says(run: Path, exported: Path) -> None:
    import onnxruntime
    import torch

    from models.train.export import open_checkpoint

    network = open_checkpoint(run / "weights" / "best.pt")
    session = onnxruntime.InferenceSession(str(exported / "mine.onnx"))
    batch = np.random.default_rng(5).random((1, 3, 96, 96), np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(batch))[0].numpy()
    found = session.run(None, {"images": batch})[0]
    assert found.shape == expected.shape == (1, 7, 189)
    assert np.abs(found[:, :4] - expected[:, :4]).max() / 96 < 1e-3
    assert np.abs(found[:, 4:] - expected[:, 4:]).max() < 1e-3


def test_a_station_opens_the_export_by_its_name(exported: Path, manifest: Path) -> None:
    from models.factory import open_vision
    from models.vision import detect_in_pictures

    registry = load_registry(exported / "mine.toml")
    assert registry["mine"].licence == "CC0"
    detector = open_vision("mine", exported, registry=registry)
    looked = list(detect_in_pictures(detector, [entry.path for entry in read_manifest(manifest)[:5]]))
    assert all(one.problem is None for one in looked)
    assert {found.observation_type for one in looked for found in one.detections} <= {"animal", "human", "vehicle"}


def test_an_export_can_be_trained_further(exported: Path, run: Path, tmp_path: Path) -> None:
    import torch

    from models.train.bn_recalibration import read_batches
    from models.train.export import open_checkpoint
    from models.train.onnx_weights import save_checkpoint

    again = open_checkpoint(save_checkpoint(exported / "mine.onnx", tmp_path / "again.pt"))
    settled = open_checkpoint(
        save_checkpoint(exported / "mine.onnx", tmp_path / "settled.pt", read_batches(run / "dataset", 96))
    )
    batch = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        expected, found = open_checkpoint(run / "weights" / "best.pt")(batch)[0], again(batch)[0]
        still = settled(batch)[0]
    assert float((expected - found).abs()[:, 4:].max()) < 2e-3  # a checkpoint holds half precision
    assert float((expected - still).abs()[:, 4:].max()) < 4e-3

    def lost(network: torch.nn.Module) -> float:
        """How far a batch's own normalisation, that training begins with, is from what the network said before."""
        pictures = torch.from_numpy(next(read_batches(run / "dataset", 96)))
        with torch.inference_mode():
            said = network(pictures)[0]
            for module in network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.train()
            return float((network(pictures)[0] - said).abs()[:, 4:].mean())

    assert lost(settled) < lost(again) / 2


def test_a_checkpoint_is_named_and_run_by_torch_with_the_same_finds(
    run: Path, exported: Path, manifest: Path, wildpost_models: Callable[..., str]
) -> None:
    from models.factory import open_vision

    wildpost_models("export", run, "--name", "on-torch", "--out", exported, "--as-is", "--threshold", "0.0005")
    assert tomllib.loads((exported / "on-torch.toml").read_text())["models"]["on-torch"]["file"] == "on-torch.pt"
    registry = load_registry(exported / "mine.toml", exported / "on-torch.toml")
    picture = read_manifest(manifest)[0].path
    finds = []
    for name in ("mine", "on-torch"):
        detector = open_vision(name, exported, registry=registry)
        finds.append(detector.predict([detector.preprocess(picture)])[0])
    assert finds[0]
    assert len(finds[0]) == len(finds[1])
    for one, other in zip(*finds, strict=True):
        assert one.label == other.label and abs(one.confidence - other.confidence) < 1e-3
