"""An architecture in an ONNX file or a .yaml file is data: an expression that ultralytics would run is refused."""

from pathlib import Path

import pytest

from models.registry import WeightsError
from models.train.onnx_weights import check_architecture
from models.train.options import TrainOptions
from models.train.training import start


@pytest.mark.parametrize("activation", [None, "nn.SiLU()", "torch.nn.ReLU(inplace=True)", "nn.LeakyReLU(0.1)"])
def test_the_activations_of_torch_are_accepted(activation: str | None) -> None:
    check_architecture({"activation": activation, "backbone": []}, Path("a.onnx"))


@pytest.mark.parametrize(
    "activation",
    ["__import__('os').system('true')", "nn.SiLU().__class__.__base__", "nn.SiLU() or exit()", ["nn.SiLU()"], "exit()"],
)
def test_other_expressions_are_refused(activation: object) -> None:
    with pytest.raises(WeightsError, match=r"a\.onnx: its architecture has an activation that is not a plain one"):
        check_architecture({"activation": activation}, Path("a.onnx"))


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(WeightsError, match="is not a table"):
        check_architecture(["backbone"], Path("a.onnx"))


def test_training_refuses_a_yaml_file_with_an_expression(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("activation: __import__('os').mkdir('run')\nbackbone: []\n")
    (tmp_path / "manifest.jsonl").touch()
    options = TrainOptions(base=str(tmp_path / "base.yaml"), manifest_sha256="")
    with pytest.raises(WeightsError, match="not a plain one"):
        start(tmp_path / "manifest.jsonl", tmp_path / "out", options, {}, tmp_path)
