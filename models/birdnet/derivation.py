"""Splits BirdNET's installed network into its spectrogram front end and the remaining network.

The front end processes two frequency bands. For each band, it cuts the sound into frames, applies a Hann window, takes
the real part of a Fourier transform and applies mel filters. These steps are linear, so one matrix replaces them. The
front end then squares the result, raises it to a power and reverses the order of the mel bands. All parameters are read
from the installed file; this project contains none of them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.errors import InvalidInput

_CUT_TENSOR = "model/concatenate/concat"  # concatenates both bands; it is the input of the remaining network
_FLOAT32, _INT32 = 0, 2  # TensorType values in LiteRT's schema


class NotDerivable(InvalidInput):
    """The installed BirdNET network does not have the structure that ``derive`` expects."""


@dataclass(frozen=True, slots=True)
class Band:
    """The parameters of BirdNET's spectrogram front end for one of its frequency bands.

    Attributes:
        matrix: (frame, bands) float64: the product of window, real Fourier transform and mel filters.
        hop: Samples from one frame to the next.
        exponent: The power to which the squares are raised.
    """

    matrix: NDArray[np.float64]
    hop: int
    exponent: float

    @property
    def folded_matrix(self) -> NDArray[np.float64]:
        """Matrix (frame / 2, bands) that replaces ``matrix`` if the frames are folded to half their length.

        The filters are symmetric in time, so one half of ``matrix`` is sufficient.

        A folded frame contains the sums of samples 1 and last, 2 and last but one, and so on. The middle sample is
        added to itself.

        Raises:
            NotDerivable: the matrix is not symmetric.
        """
        half = len(self.matrix) // 2
        first, second = self.matrix[1 : half + 1], self.matrix[: half - 1 : -1]
        off = max(np.abs(self.matrix[0]).max(), np.abs(first - second).max())
        if off > 1e-6 * np.abs(self.matrix).max():  # the file's Hann window is float32, with an error of 3e-7
            raise NotDerivable(f"filters differ from their mirror image by {off:.2g}: expected symmetric filters")
        return (first + second) / np.where(np.arange(half) == half - 1, 4, 2)[:, None]


@dataclass(frozen=True, slots=True)
class SplitNetwork:
    """The two parts of a BirdNET network: the parameters of its front end, and the remaining network.

    Attributes:
        bands: The front end of each frequency band.
        frames: Number of frames per band in the network's input.
        network: The remaining network, as a LiteRT file; its input is (n, bands, frames, 2).
    """

    bands: tuple[Band, Band]
    frames: int
    network: bytes


def derive(path: Path, window: int) -> SplitNetwork:
    """Read a BirdNET V2.4 network file, and split the network into its front end and the remaining network.

    Args:
        path: Path of the installed network.
        window: Number of samples in one input window.

    Raises:
        NotDerivable: the network has another structure.
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
        raise NotDerivable(f"bands of {sorted(counts)} frames and {sorted(widths)} filters: expected equal bands")
    frames = counts.pop()
    return SplitNetwork(bands, frames, _cut(model, numbers, [-1, widths.pop(), frames, 2]))


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
    # Re(rfft(x))[k] = sum over n of x[n] cos(2 pi n k / N); n k is reduced modulo N first, to keep the cosine exact.
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
    """Return a LiteRT file of the network without its front end.

    The output tensor of the front end becomes the input of the network.
    """
    import flatbuffers

    if _CUT_TENSOR not in numbers:
        raise NotDerivable(f"no tensor {_CUT_TENSOR!r} in the network")
    graph, cut = model.subgraphs[0], numbers[_CUT_TENSOR]
    producers = [number for number, step in enumerate(graph.operators) if cut in step.outputs]
    if len(producers) != 1:
        raise NotDerivable(f"tensor {_CUT_TENSOR!r} is the output of {len(producers)} operators: expected 1")
    removed = {int(output) for step in graph.operators[: producers[0]] for output in step.outputs}
    graph.operators = graph.operators[producers[0] + 1 :]
    used = {int(number) for step in graph.operators for number in [*step.inputs, *step.outputs]}
    if removed & used:
        names = sorted(graph.tensors[number].name.decode() for number in removed & used)
        raise NotDerivable(f"the remaining network also uses {names}: expected only {_CUT_TENSOR!r}")
    graph.inputs = np.array([cut], np.int32)
    graph.tensors[cut].shapeSignature = np.array(shape, np.int32)
    graph.tensors[cut].shape = np.array([1, *shape[1:]], np.int32)
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], []  # they describe the original input
    builder = flatbuffers.Builder(1 << 26)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
