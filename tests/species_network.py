"""Classifiers for tests: a tiny network with known answers, with its labels and registry entry."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contract import Classification, Model
from models.port import Crop, Evidence, Framing
from models.registry import Registry, load_registry


class NamedByCrop:
    """A classifier whose answer is a function of the crop; keeps the crops that it was given."""

    def __init__(self, name: str, answer: Callable[[Crop], Classification | None]) -> None:
        self.model = Model(name=name, version="1", sha256="7" * 64)
        self.framing = Framing()
        self.crops: list[Crop] = []
        self._answer = answer

    def examine(self, crops: Sequence[Crop]) -> list[Evidence]:
        first = len(self.crops)
        self.crops += crops
        return [
            Evidence(np.array([first + at], np.float64), crop.taken_at, crop.location) for at, crop in enumerate(crops)
        ]

    def decide(self, evidence: Sequence[Evidence]) -> Classification | None:
        return self._answer(self.crops[int(evidence[-1].probabilities[0])])

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        return [self.decide([one]) for one in self.examine(crops)]


def registry_of(folder: Path, name: str, weights: Path, labels: list[tuple[str, str]], **facts: Any) -> Registry:
    """Write a labels file and a registry file that describe a classifier beside its weights, and read the registry."""
    rows = "".join(f"{label},{scientific_name}\n" for label, scientific_name in labels)
    table = folder / f"{name}-labels.csv"
    table.write_text(f"label,scientific_name\n{rows}", encoding="utf-8")
    told = {"width": 224, "height": 224, "labels": table.name, "labels_sha256": _sha256(table), **facts}
    file = folder / f"{name}.toml"
    file.write_text(
        f'[models.{name}]\nkind = "species"\nversion = "1"\nlicence = "test"\nhomepage = "https://example.org"\n'
        f'file = "{weights.name}"\nfilename = "{weights.name}"\nsha256 = "{_sha256(weights)}"\n'
        f"size = {weights.stat().st_size}\n[models.{name}.species]\n"
        + "".join(f"{key} = {_toml(value)}\n" for key, value in told.items()),
        encoding="utf-8",
    )
    return load_registry(file)


def colour_network(path: Path, batch: int | str = "batch", scale: float = 50.0) -> Path:
    """Write a network whose three logits are the means of the input's three planes, times a scale."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Mul", ["flat", "scale"], ["output0"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 224, 224])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 3])
    constants = [numpy_helper.from_array(np.array(scale, np.float32), "scale")]
    _save(path, nodes, images, output, constants)
    return path


def _save(path: Path, nodes: Any, images: Any, output: Any, constants: Any) -> None:
    graph = helper.make_graph(nodes, "classifier", [images], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return (
        str(value).lower() if isinstance(value, bool) else repr(value) if not isinstance(value, str) else f'"{value}"'
    )
