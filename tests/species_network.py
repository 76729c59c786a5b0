"""Classifiers for tests: a tiny network with known answers, and the species candidate rebuilt from its checkpoint.

The checkpoint is a file of torch, which stations and servers do not have; its tensors are read here without torch and
put into the EfficientNet-Lite0 that they were trained in.
"""

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.registry import Registry, load_registry

# repeats, kernel, stride, expansion, outputs: efficientnet_lite_builder.py of tensorflow/tpu
_LITE0 = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))  # fmt: skip  # noqa: E501
_BATCH_NORM_EPSILON = 1e-3

Tensor = NDArray[Any]


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


def species_network(checkpoint: Path, path: Path) -> tuple[Path, list[str]]:
    """Write the candidate as ONNX, RGB in 0..1 at 224 px to (1, classes) probabilities; return it and its classes."""
    state = read_checkpoint(checkpoint)
    classes = [str(name) for name in state.pop("classes")]
    build = _Lite0({name: np.asarray(value, np.float32) for name, value in state.items()})
    last = build.network("images")
    nodes = [*build.nodes, helper.make_node("Softmax", [last], ["output0"], axis=1)]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 224, 224])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, len(classes)])
    _save(path, nodes, images, output, build.constants)
    return path, classes


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state dict of torch: a zip of a pickle and of one file for each tensor's numbers."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
        kinds = {"HalfStorage": np.float16, "FloatStorage": np.float32, "LongStorage": np.int64}

        class Reader(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                if name == "_rebuild_tensor_v2":
                    return _tensor
                if module == "torch" and name in kinds:
                    return kinds[name]
                if (module, name) == ("collections", "OrderedDict"):
                    return dict
                raise pickle.UnpicklingError(f"{module}.{name}: expected tensors only")

            def persistent_load(self, pid: Any) -> Tensor:
                _, kind, key, _, _ = pid
                return np.frombuffer(archive.read(f"{root}/data/{key}"), kind)

        with archive.open(f"{root}/data.pkl") as file:
            state: dict[str, Any] = Reader(file).load()
    return state


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    strides = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides).copy()


class _Lite0:
    """Writes the nodes of an EfficientNet-Lite0, batch normalisation folded into the convolutions."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self._state = state
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def network(self, at: str) -> str:
        at = self._convolution(at, "_conv_stem", "_bn0", stride=2)
        number, inputs = 0, 32
        for repeats, kernel, stride, expansion, outputs in _LITE0:
            for repeat in range(repeats):
                at = self._block(at, f"_blocks.{number}", kernel, stride if repeat == 0 else 1, inputs * expansion)
                number, inputs = number + 1, outputs
        at = self._convolution(at, "_conv_head", "_bn1")
        at = self._node("Flatten", [self._node("GlobalAveragePool", [at])])
        weights = [self._constant("_fc.weight"), self._constant("_fc.bias")]
        return self._node("Gemm", [at, *weights], transB=1)

    def _block(self, at: str, name: str, kernel: int, stride: int, middle: int) -> str:
        before = at
        if f"{name}._expand_conv.weight" in self._state:
            at = self._convolution(at, f"{name}._expand_conv", f"{name}._bn0")
        at = self._convolution(at, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, group=middle)
        projected = self._state[f"{name}._project_conv.weight"].shape
        at = self._convolution(at, f"{name}._project_conv", f"{name}._bn2", bounded=False)
        entering = self._state.get(f"{name}._expand_conv.weight", self._state[f"{name}._depthwise_conv.weight"])
        inputs = entering.shape[1] if f"{name}._expand_conv.weight" in self._state else entering.shape[0]
        return self._node("Add", [at, before]) if stride == 1 and inputs == projected[0] else at

    def _convolution(
        self, at: str, convolution: str, norm: str, stride: int = 1, group: int = 1, bounded: bool = True
    ) -> str:
        weight = self._state[f"{convolution}.weight"]
        scale = self._state[f"{norm}.weight"] / np.sqrt(self._state[f"{norm}.running_var"] + _BATCH_NORM_EPSILON)
        self._state[f"{convolution}.folded"] = weight * scale[:, None, None, None]
        self._state[f"{convolution}.offset"] = self._state[f"{norm}.bias"] - self._state[f"{norm}.running_mean"] * scale
        kernel = weight.shape[2]
        # TensorFlow's SAME padding of even inputs: with stride 2 more on the right and below
        total = kernel - stride if stride > 1 else kernel - 1
        first = total // 2
        constants = [self._constant(f"{convolution}.folded"), self._constant(f"{convolution}.offset")]
        pads = [first, first, total - first, total - first]
        at = self._node(
            "Conv", [at, *constants], strides=[stride] * 2, pads=pads, group=group, kernel_shape=[kernel] * 2
        )
        if not bounded:
            return at
        return self._node("Clip", [at, self._number("zero", 0.0), self._number("six", 6.0)])

    def _node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        output = f"at{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(self._state[name], np.float32), name))
        return name

    def _number(self, name: str, value: float) -> str:
        if all(one.name != name for one in self.constants):
            self.constants.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name


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
