"""Rebuilds BirdNET for OpenVINO with a faster front end: one matrix product computes each band's spectrogram."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.birdnet.derivation import Band, SplitNetwork, derive
from models.birdnet.windows import WINDOW
from models.runtime_imports import load_openvino

FORM_VERSION = 2  # of the cached network and its measured speed; increase it when the network built below changes
_HOPS = "hops"  # key of the metadata with the hop of each band, in samples


def load_fast_form(core: Any, path: Path, sha256: str, cache: Path | None) -> Any:
    """Read the rebuilt BirdNET network from the cache folder, or build it and write it to the cache folder.

    Its inputs are the folded frames of each band (n, frames, frame / 2) and the offset of the sound (n, 1, 1).

    Raises:
        NotDerivable: the network does not have the expected structure.
        RuntimeError: OpenVINO cannot read it.
        OSError: the network cannot be written, because the disk is full, for example.
    """
    if cache is None:
        return _build(core, derive(path, WINDOW), None)
    cached = cache / f"birdnet-{sha256[:16]}-{FORM_VERSION}.xml"
    if not cached.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = cache / f".{cached.stem}-{os.getpid()}.xml"
        load_openvino().save_model(_build(core, derive(path, WINDOW), cache), partial, compress_to_fp16=False)
        # The weights are renamed first, so that they exist whenever the description does, even after a power failure.
        partial.with_suffix(".bin").replace(cached.with_suffix(".bin"))
        partial.replace(cached)
    return core.read_model(cached)


class BatchRequest:
    """An OpenVINO inference request with input buffers for one batch of windows; not thread-safe."""

    def __init__(self, compiled: Any, network: Any) -> None:
        openvino = load_openvino()
        self._hops = [int(hop) for hop in str(network.get_rt_info(_HOPS).astype(str)).split()]
        *self._folded, self._shift = (np.empty(tuple(entry.shape), np.float32) for entry in compiled.inputs)
        self._request = compiled.create_infer_request()
        for at, array in enumerate([*self._folded, self._shift]):
            self._request.set_input_tensor(at, openvino.Tensor(array, shared_memory=True))
        # OpenVINO's Python binding deadlocks if two threads make its first call concurrently: make the first call here.
        _ = self._request.get_output_tensor(0).data

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the logits of one full batch of windows; the next call overwrites the returned array."""
        for at, window in enumerate(windows):
            scale, self._shift[at] = _scale_and_shift(window)
            scaled = window * scale
            backward = scaled[::-1].copy()
            for folded, hop in zip(self._folded, self._hops, strict=True):
                fold_frames(scaled, backward, hop, folded[at])
        self._request.infer()
        result: NDArray[np.float32] = self._request.get_output_tensor(0).data
        return result


def fold_frames(
    sound: NDArray[np.float32], backward: NDArray[np.float32], hop: int, folded: NDArray[np.float32]
) -> None:
    """Fold each frame of a sound: add the reversed second half of the frame to its first half.

    A folded frame is sufficient as the input of symmetric filters.

    Args:
        sound: The samples.
        backward: The same samples in reverse order.
        hop: Samples from one frame to the next.
        folded: (frames, frame / 2), overwritten: the sums of samples 1 and last, 2 and last but one, and so on; the
            middle sample is added to itself.
    """
    frames, half = folded.shape
    first = sliding_window_view(sound, half)[1::hop][:frames]
    second = sliding_window_view(backward, half)[backward.size - 2 * half :: -hop][:frames]
    np.add(first, second, out=folded)


def _scale_and_shift(window: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Return the scale and the shift with which x * scale + shift normalises a window to -1..1 as in BirdNET.

    The normalisation is y = 2 ((x - min) / (max - min + 1e-6) - 0.5). The network adds the shift after the long sums,
    because its rounding errors would otherwise be significant in quiet parts.
    """
    least = window.min()
    scale = np.float32(2) / (window.max() - least + np.float32(1e-6))
    return scale, -least * scale - np.float32(1)


def _build(core: Any, derived: SplitNetwork, folder_of_files: Path | None) -> Any:
    """Build BirdNET's front end from OpenVINO operations, and connect it to the remaining network.

    Args:
        core: OpenVINO's core.
        derived: The parts of the network.
        folder_of_files: Folder for a temporary file; None: the folder of the system, which may be small.
    """
    openvino = load_openvino()
    operations = openvino.opset13
    with TemporaryDirectory(
        prefix=".wildpost-", dir=folder_of_files
    ) as folder:  # OpenVINO reads LiteRT networks only from a file
        file = Path(folder) / "network.tflite"
        file.write_bytes(derived.network)
        network = core.read_model(file)
    (entry,) = network.get_parameters()
    shift = operations.parameter([1, 1, 1], np.float32, name="shift")
    inputs = [
        operations.parameter([1, derived.frames, len(band.folded_matrix)], np.float32, name=f"band{number}")
        for number, band in enumerate(derived.bands, 1)
    ]
    spectrograms = [_spectrogram(folded, shift, band) for folded, band in zip(inputs, derived.bands, strict=True)]
    both = operations.transpose(operations.concat(spectrograms, 1), [0, 2, 3, 1])
    for target in list(entry.output(0).get_target_inputs()):
        target.replace_source_output(both.output(0))
    model = openvino.Model(network.get_results(), [*inputs, shift], "birdnet")
    model.validate_nodes_and_infer_types()  # the network was read with a dynamic batch size
    model.set_rt_info(" ".join(str(band.hop) for band in derived.bands), _HOPS)
    return model


def _spectrogram(folded: Any, shift: Any, band: Band) -> Any:
    """Return the OpenVINO operations that compute one frequency band's spectrogram from its folded frames.

    A convolution of length 1 multiplies each frame by the matrix, because it is the fastest operation for this here.
    """
    operations = load_openvino().opset13
    matrix = band.folded_matrix.T[::-1]  # bands in reverse order, as in the network's input
    kernel = np.ascontiguousarray(matrix[:, :, None], np.float32)
    bands = operations.convolution(operations.transpose(folded, [0, 2, 1]), kernel, [1], [0], [0], [1])
    of_ones = np.ascontiguousarray(2 * matrix.sum(1).reshape(1, -1, 1), np.float32)
    bands = operations.add(bands, operations.multiply(shift, of_ones))
    # The power is computed by logarithms, because OpenVINO computes powers element by element.
    log_squares = operations.log(operations.multiply(bands, bands))
    power = operations.exp(operations.multiply(log_squares, np.float32(band.exponent)))
    return operations.unsqueeze(power, [1])
