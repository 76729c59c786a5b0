"""Takes BirdNET's installed network apart: what it does to the sound first, and the network behind that.

The first part, of each of two bands, cuts the sound into frames, applies a Hann window, takes the real part of a
Fourier transform and sums it over mel filters: all of it linear, so together one matrix. Then it squares, raises to a
power and turns the bands upside down. All numbers are read from the installed file; none of it is kept in this
project.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.errors import InvalidInput

_SEAM = "model/concatenate/concat"  # where both bands come together: the network proper takes this
_FLOAT32, _INT32 = 0, 2  # of TensorType in LiteRT's schema


class NotDerivable(InvalidInput):
    """The installed network is built in another way than this module knows."""


@dataclass(frozen=True, slots=True)
class Band:
    """What BirdNET does to a sound in one band of frequencies.

    Attributes:
        matrix: (frame, bands) float64: window, real Fourier transform and mel filters in one.
        hop: Samples from one frame to the next.
        exponent: To which the squares are raised.
    """

    matrix: NDArray[np.float64]
    hop: int
    exponent: float

    @property
    def mirrored(self) -> NDArray[np.float64]:
        """(half a frame, bands): what takes the sums of samples 1 and last, 2 and last but one, ... the middle twice.

        Raises:
            NotDerivable: the matrix is not the same read backwards.
        """
        half = len(self.matrix) // 2
        first, second = self.matrix[1 : half + 1], self.matrix[: half - 1 : -1]
        off = max(np.abs(self.matrix[0]).max(), np.abs(first - second).max())
        if off > 1e-6 * np.abs(self.matrix).max():  # the file's Hann window is off by 3e-7: it is float32
            raise NotDerivable(f"filters that differ from their mirror image by {off:.2g}: expected the same")
        return (first + second) / np.where(np.arange(half) == half - 1, 4, 2)[:, None]


@dataclass(frozen=True, slots=True)
class Derived:
    """BirdNET in two parts.

    Attributes:
        bands: The front end.
        frames: How many of each band the network takes.
        network: The rest, as a LiteRT file; its input is (n, bands, frames, 2).
    """

    bands: tuple[Band, Band]
    frames: int
    network: bytes


def derive(path: Path, window: int) -> Derived:
    """Read the front end out of a BirdNET V2.4 file, and cut the network off behind it.

    Args:
        path: The installed network.
        window: How many samples it listens to at once.

    Raises:
        NotDerivable: it is built in another way.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    if len(model.subgraphs) != 1:
        raise NotDerivable(f"{path.name} has {len(model.subgraphs)} graphs: expected 1")
    graph = model.subgraphs[0]
    numbers = {tensor.name.decode(): number for number, tensor in enumerate(graph.tensors)}
    bands = (_band(model, numbers, 1), _band(model, numbers, 2))
    counts = {(window - len(band.matrix)) // band.hop + 1 for band in bands}
    widths = {band.matrix.shape[1] for band in bands}
    if len(counts) != 1 or len(widths) != 1:
        raise NotDerivable(f"bands of {sorted(counts)} frames and {sorted(widths)} filters: expected the same of both")
    frames = counts.pop()
    return Derived(bands, frames, _cut(model, numbers, [-1, widths.pop(), frames, 2]))


def _band(model: Any, numbers: dict[str, int], which: int) -> Band:
    layer = f"model/MEL_SPEC{which}"
    hann = _constant(model, numbers, f"{layer}/stft/hann_window/sub_2", _FLOAT32).reshape(-1)
    mel = _constant(model, numbers, f"{layer}/Tensordot/MatMul", _FLOAT32)
    hop = int(_constant(model, numbers, f"{layer}/stft/frame_step", _INT32))
    exponent = float(_constant(model, numbers, f"{layer}/truediv_1", _FLOAT32))
    length = hann.size
    if mel.ndim != 2 or mel.shape[1] != length // 2 + 1 or hop <= 0:
        raise NotDerivable(
            f"{layer}: filters {mel.shape} for frames of {length} every {hop}: expected one per frequency"
        )
    # Re(rfft(x))[k] = sum over n of x[n] cos(2 pi n k / N); the product n k is reduced first, to keep the cosine exact.
    turns = np.outer(np.arange(length), np.arange(length // 2 + 1)) % length
    cosines = np.cos(2 * np.pi * turns / length)
    matrix = hann.astype(np.float64)[:, None] * (cosines @ mel.astype(np.float64).T)
    return Band(matrix, hop, exponent)


def _constant(model: Any, numbers: dict[str, int], name: str, kind: int) -> NDArray[Any]:
    if name not in numbers:
        raise NotDerivable(f"no tensor {name!r} in the network")
    tensor = model.subgraphs[0].tensors[numbers[name]]
    data = model.buffers[tensor.buffer].data
    if tensor.type != kind or data is None or not len(data):
        raise NotDerivable(f"tensor {name!r} of type {tensor.type}: expected a constant of type {kind}")
    values = np.frombuffer(bytes(data), "<f4" if kind == _FLOAT32 else "<i4")
    return values.reshape(tensor.shape if tensor.shape is not None else ())


def _cut(model: Any, numbers: dict[str, int], shape: list[int]) -> bytes:
    """Leave out every step up to the seam, and make the seam the input."""
    import flatbuffers

    if _SEAM not in numbers:
        raise NotDerivable(f"no tensor {_SEAM!r} in the network")
    graph, seam = model.subgraphs[0], numbers[_SEAM]
    at = [number for number, step in enumerate(graph.operators) if seam in step.outputs]
    if len(at) != 1:
        raise NotDerivable(f"tensor {_SEAM!r} is made {len(at)} times: expected once")
    made = {int(output) for step in graph.operators[: at[0]] for output in step.outputs}
    graph.operators = graph.operators[at[0] + 1 :]
    used = {int(number) for step in graph.operators for number in [*step.inputs, *step.outputs]}
    if made & used:
        names = sorted(graph.tensors[number].name.decode() for number in made & used)
        raise NotDerivable(f"the network also takes {names}: expected only {_SEAM!r}")
    graph.inputs = np.array([seam], np.int32)
    graph.tensors[seam].shapeSignature = np.array(shape, np.int32)
    graph.tensors[seam].shape = np.array([1, *shape[1:]], np.int32)
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], []  # they speak of the old input
    builder = flatbuffers.Builder(1 << 26)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
