"""The network of wildpost-nano 2 learns, says the same after export, and respects partial labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.evaluate.labels import Truth
from models.registry import WeightsError, load_registry
from models.train.manifest import ManifestRow, read_manifest

SIZE = 64


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network that has learnt nothing."""
    import torch

    from models.train.nano.network import NanoNetwork
    from models.train.nano.onnx_file import export_network

    torch.manual_seed(3)
    return export_network(NanoNetwork(), tmp_path_factory.mktemp("base") / "base.onnx", SIZE).path


@pytest.fixture(scope="session")
def trained(
    base: Path, manifest: Path, wildpost_models: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A finished run from that network, and what it said."""
    run = tmp_path_factory.mktemp("nano") / "run"
    options = ["--size", str(SIZE), "--batch", "8", "--epochs", "4", "--device", "cpu", "--learning-rate", "0.003"]
    return run, wildpost_models("train", manifest, "--out", run, "--base", base, *options)


def test_the_loss_of_classes_falls(trained: tuple[Path, str]) -> None:
    lines = [line for line in trained[1].splitlines() if line.startswith("epoch ")]
    losses = [float(line.split("class ")[1].split(",")[0]) for line in lines]
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_an_exported_run_is_opened_by_a_station_and_trained_further(
    trained: tuple[Path, str], manifest: Path, wildpost_models: Callable[..., str], tmp_path: Path
) -> None:
    from models.factory import open_vision

    wildpost_models("export", trained[0], "--name", "mine", "--out", tmp_path, "--threshold", "0.01")
    registry = load_registry(tmp_path / "mine.toml")
    detector = open_vision("mine", tmp_path, registry=registry)
    detector.predict([detector.preprocess(read_manifest(manifest)[0].path)])
    assert registry["mine"].size < 8_000_000  # half precision
    further = ["--base", tmp_path / "mine.onnx", "--size", "64", "--batch", "16", "--epochs", "1", "--device", "cpu"]
    said = wildpost_models("train", manifest, "--out", tmp_path / "run", *further)
    assert "next: wildpost models export" in said


def test_a_finished_run_is_neither_resumed_nor_overwritten(
    trained: tuple[Path, str], base: Path, manifest: Path
) -> None:
    from models.train.nano.training import resume, start
    from models.train.options import read_options

    options = read_options(trained[0])
    with pytest.raises(WeightsError, match="this run is finished"):
        resume(manifest, trained[0], options)
    with pytest.raises(WeightsError, match="holds a run already"):
        start(manifest, trained[0], options, load_registry(), base.parent)


def test_a_saved_state_is_continued_from_its_step(base: Path, manifest: Path, tmp_path: Path) -> None:
    import msgspec
    import torch

    from models.train.nano.onnx_file import read_network
    from models.train.nano.training import Trainer, resume, usable_rows
    from models.train.options import checked_options
    from models.train.training import Epoch

    chosen = {"base": str(base), "manifest_sha256": "", "network": "nano", "size_px": 64, "batch": 8, "epochs": 2}
    options = checked_options({**chosen, "device": "cpu"})
    first = msgspec.structs.replace(options, epochs=1)
    trainer = Trainer(read_network(base), usable_rows(read_manifest(manifest)), first, tmp_path / "weights", None)
    trainer.train()
    trainer._done = 0.5
    trainer._save_state()
    (tmp_path / "weights" / "best.pt").unlink()
    seen: list[Epoch] = []
    resume(manifest, tmp_path, options, seen.append)
    assert [epoch.number for epoch in seen] == [2]
    assert torch.load(tmp_path / "weights" / "best.pt", weights_only=True)


def test_a_network_read_from_its_file_says_the_same(base: Path) -> None:
    import onnxruntime
    import torch

    from models.train.nano.network import ExportedNetwork
    from models.train.nano.onnx_file import read_network

    picture = np.random.default_rng(1).random((1, 3, SIZE, SIZE), np.float32)
    expected = onnxruntime.InferenceSession(str(base)).run(None, {"images": picture})[0]
    with torch.inference_mode():
        found = ExportedNetwork(read_network(base).eval(), SIZE)(torch.from_numpy(picture)).numpy()
    assert found == pytest.approx(expected, abs=1e-3)


def test_another_network_is_not_read_as_ours(tmp_path: Path, base: Path) -> None:
    import onnx

    from models.train.nano.base import is_nano_file
    from models.train.nano.onnx_file import read_network

    model = onnx.load(base)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    assert is_nano_file(base) and not is_nano_file(tmp_path / "other.onnx")
    with pytest.raises(WeightsError, match="expected the network 'wildpost-nano 2'"):
        read_network(tmp_path / "other.onnx")


def row(manifest: Path, **changes: object) -> ManifestRow:
    import msgspec

    return msgspec.structs.replace(next(one for one in read_manifest(manifest) if one.truths), **changes)


def test_what_nobody_labelled_is_neither_learnt_nor_punished(manifest: Path) -> None:
    from models.train.nano.picture_store import MAX_BOXES, labels_of

    one = row(manifest, truths=(), known=frozenset({"animal"}))
    taught = row(manifest, taught=("human",))
    many = row(manifest, truths=tuple(Truth("vehicle", taught.truths[0].box) for _ in range(MAX_BOXES + 1)))
    boxes, weights = labels_of([one, taught, many], np.full((3, 2), 100, np.float32))
    assert weights[0].tolist() == [1, 0, 0]
    assert weights[1].tolist() == pytest.approx([0.3] * 3)
    assert weights[2].tolist() == [1, 1, 0]  # one of its vehicles is not among the boxes
    assert (boxes[0, :, 5] == -1).all() and (boxes[2, :, 5] == 0).all()


def test_an_ignored_region_is_neither_an_object_nor_empty() -> None:
    import torch

    from models.train.nano.loss import assign
    from models.train.nano.network import cell_centres

    points, _ = cell_centres(SIZE)
    targets = torch.tensor([[[0, 8, 8, 40, 40, 0.0], [1, 42, 42, 62, 62, 1.0]]])
    boxes = torch.cat((points - 16, points + 16), 1)[None]
    taken, which, wanted, ignored = assign(torch.full((1, len(points), 3), 0.1), boxes, targets, points)
    inside = ((points > 8) & (points < 40)).all(1)
    assert taken[0].any() and inside[taken[0]].all() and (which[0][taken[0]] == 0).all()
    assert wanted[0, taken[0], 0].max() > 0.8 and wanted[0, ~taken[0]].sum() == 0
    hidden = ((points > 42) & (points < 62)).all(1)
    assert (ignored[0, :, 1] == hidden).all() and not ignored[0, :, 0].any()


def test_boxes_follow_their_pictures_through_mosaics(manifest: Path) -> None:
    """A made picture's bright ellipse lies where its box says, however the batch was cut, scaled and mirrored."""
    import torch

    from models.train.nano.batches import draw, plan, targets
    from models.train.nano.picture_store import PictureStore

    torch.manual_seed(0)
    store = PictureStore([one for one in read_manifest(manifest) if one.truths][:8], "cpu")
    chosen = torch.randint(0, 8, (12, 4))
    layout = plan(store, chosen, torch.arange(12) % 2 == 0, 160, calm=False)
    pictures, boxes = draw(store, layout), targets(store, layout)
    bright = [
        float(pictures[at, :, int((top + bottom) / 2), int((left + right) / 2)].max())
        for at in range(12)
        for _, left, top, right, bottom, state in boxes[at].tolist()
        if state == 0
    ]
    assert len(bright) > 12
    assert np.mean(np.array(bright) > 0.8) > 0.9  # of a box that is cut off, the middle may be dark


def test_empty_pictures_together_are_a_quarter_of_a_batch_at_most(manifest: Path) -> None:
    from models.train.nano.picture_store import sampling_chances

    full = [row(manifest, source=f"source {at % 3}") for at in range(90)]
    empty = [row(manifest, source="empty", truths=()) for _ in range(60)]
    chances = sampling_chances([*full, *empty])
    assert chances.sum() == pytest.approx(1)
    assert chances[90:].sum() == pytest.approx(0.25)


def test_the_stem_absorbs_the_scaling_of_the_imagenet_weights(tmp_path: Path) -> None:
    import torch

    from models.train.nano.backbone import Lite0, load_imagenet

    torch.manual_seed(2)
    theirs, ours = Lite0().eval(), Lite0().eval()
    theirs._bn0.running_mean.normal_()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    load_imagenet(ours, tmp_path / "weights.pth")
    picture = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        expected = theirs._bn0(theirs._conv_stem((255 * picture - 127) / 128))
        found = ours._bn0(ours._conv_stem(picture))
    assert float((expected - found).abs()[:, :, :-1, :-1].max()) < 1e-4  # the padding at the edge is another colour
    torch.save({"_conv_stem.weight": torch.zeros(1), "_bn0.running_mean": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no layer"):
        load_imagenet(ours, tmp_path / "other.pth")
