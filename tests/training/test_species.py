"""The species classifier is exported with the output that torch computes; its checkpoint is read without pickles."""

from pathlib import Path

import numpy as np
import pytest

from models.registry import WeightsError, load_registry
from models.train.export import AGREEMENT

CLASSES = ("fox", "boar", "deer")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that have learnt nothing, as the training writes them: half precision, with the classes."""
    import torch

    from models.train.species.network import SpeciesNetwork

    torch.manual_seed(5)
    network = SpeciesNetwork(CLASSES)
    state = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("species") / "cls.pt"
    torch.save({**state, "classes": list(CLASSES)}, path)
    return path


def test_the_exported_file_gives_the_output_of_torch(checkpoint: Path, tmp_path: Path) -> None:
    import onnx

    from models.train.species.network import read_checkpoint
    from models.train.species.onnx_file import export_classifier

    picture = np.random.default_rng(2).random((3, 64, 64), np.float32)
    target = tmp_path / "species.onnx"
    assert export_classifier(read_checkpoint(checkpoint), target, 64, (picture,)) <= AGREEMENT
    assert target.stat().st_size < 7_000_000, "weights are stored in half precision"
    assert [entry.value for entry in onnx.load(target).metadata_props] == [str(dict(enumerate(CLASSES)))]


def test_the_shipped_file_gives_the_output_of_the_trained_weights(shared_data: Path) -> None:
    import torch

    from models.runtime_imports import load_onnxruntime
    from models.train.species.network import read_checkpoint

    network = read_checkpoint(shared_data / "weights" / "wildpost-species-1" / "cls_ema.pt")
    entry = load_registry()["wildpost-species"]
    assert entry.file is not None
    session = load_onnxruntime().InferenceSession(entry.folder / entry.file, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(3).random((1, 3, 224, 224), np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(picture)).softmax(1).numpy()
    (logits,) = session.run(None, {"images": picture})
    powers = np.exp(logits - logits.max())
    assert np.abs(powers / powers.sum() - expected).max() < 5e-3, "weights are rounded to half precision once more"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", "empty state"])
def test_a_file_without_the_weights_of_a_classifier_is_refused(content: bytes | str, tmp_path: Path) -> None:
    import torch

    from models.train.species.network import is_species_checkpoint, read_checkpoint

    path = tmp_path / "other.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"weights": torch.zeros(3)}, path)
    assert not is_species_checkpoint(path)
    with pytest.raises(WeightsError, match="expected the weights of a species classifier"):
        read_checkpoint(path)


def test_a_checkpoint_that_lacks_a_layer_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    import torch

    from models.train.species.network import read_checkpoint

    state = torch.load(checkpoint, weights_only=True)
    del state["_conv_head.weight"]
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(WeightsError, match="_conv_head"):
        read_checkpoint(tmp_path / "part.pt")
