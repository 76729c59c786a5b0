"""BirdNET as OpenVINO runs it: its front end as one matrix for each band, half of it saved, joined to its network."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.birdnet.derivation import Band, Derived, derive
from models.birdnet.windows import WINDOW

FORM = 2  # of the cached network, and of what was measured with it: raised when what is built below changes
_HOPS = "hops"  # where the network's file says how far apart the frames of each band are


def fast_form(core: Any, path: Path, sha256: str, cache: Path | None) -> Any:
    """Read the network from the cache, or build it and put it there.

    Its inputs are each band's folded frames (n, frames, half a frame) and what is added to the sound (n, 1, 1).

    Raises:
        NotDerivable: the network is built in another way than expected.
        RuntimeError: OpenVINO cannot read it.
    """
    import openvino

    if cache is None:
        return _build(core, derive(path, WINDOW))
    kept = cache / f"birdnet-{sha256[:16]}-{FORM}.xml"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = cache / f".{kept.stem}-{os.getpid()}.xml"
        openvino.save_model(_build(core, derive(path, WINDOW)), partial, compress_to_fp16=False)
        # The weights first: who sees the description finds them too, even after a power cut in between.
        partial.with_suffix(".bin").replace(kept.with_suffix(".bin"))
        partial.replace(kept)
    return core.read_model(kept)


class Listener:
    """A place for some windows at once, and the request that runs them; used from one thread at a time."""

    def __init__(self, compiled: Any, network: Any) -> None:
        import openvino

        self._hops = [int(hop) for hop in str(network.get_rt_info(_HOPS).astype(str)).split()]
        *self._folded, self._shift = (np.empty(tuple(entry.shape), np.float32) for entry in compiled.inputs)
        self._request = compiled.create_infer_request()
        for at, array in enumerate([*self._folded, self._shift]):
            self._request.set_input_tensor(at, openvino.Tensor(array, shared_memory=True))
        # OpenVINO's Python part locks up where two threads are the first to use it at once: it is used here first.
        _ = self._request.get_output_tensor(0).data

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Listen to as many windows as there is place for; the result holds until the next call."""
        for at, window in enumerate(windows):
            scale, self._shift[at] = _stretch(window)
            forth = window * scale
            back = forth[::-1].copy()
            for folded, hop in zip(self._folded, self._hops, strict=True):
                fold(forth, back, hop, folded[at])
        self._request.infer()
        result: NDArray[np.float32] = self._request.get_output_tensor(0).data
        return result


def fold(forth: NDArray[np.float32], back: NDArray[np.float32], hop: int, folded: NDArray[np.float32]) -> None:
    """Add the two halves of every frame, the second read backwards: what a filter that is its own mirror image needs.

    Args:
        forth: The sound.
        back: The same backwards.
        hop: Samples from one frame to the next.
        folded: (frames, half a frame), written to: the sums of samples 1 and last, 2 and last but one, ...; the middle
            one is added to itself.
    """
    frames, half = folded.shape
    first = sliding_window_view(forth, half)[1::hop][:frames]
    second = sliding_window_view(back, half)[back.size - 2 * half :: -hop][:frames]
    np.add(first, second, out=folded)


def _stretch(window: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Say how BirdNET stretches a window to -1..1: y = 2 ((x - min) / (max - min + 1e-6) - 0.5), as x * scale + shift.

    The shift is left to the network, which adds it past the long sums, or its rounding would be heard in quiet parts.
    """
    least = window.min()
    scale = np.float32(2) / (window.max() - least + np.float32(1e-6))
    return scale, -least * scale - np.float32(1)


def _build(core: Any, derived: Derived) -> Any:
    """Put the front end before the network, as operations of OpenVINO's."""
    import openvino
    from openvino import opset13 as operations

    with TemporaryDirectory(prefix="wildpost-") as folder:  # OpenVINO reads this form from a file only
        file = Path(folder) / "network.tflite"
        file.write_bytes(derived.network)
        network = core.read_model(file)
    (entry,) = network.get_parameters()
    shift = operations.parameter([1, 1, 1], np.float32, name="shift")
    inputs = [
        operations.parameter([1, derived.frames, len(band.mirrored)], np.float32, name=f"band{number}")
        for number, band in enumerate(derived.bands, 1)
    ]
    pictures = [_band_of(folded, shift, band) for folded, band in zip(inputs, derived.bands, strict=True)]
    both = operations.transpose(operations.concat(pictures, 1), [0, 2, 3, 1])
    for target in list(entry.output(0).get_target_inputs()):
        target.replace_source_output(both.output(0))
    model = openvino.Model(network.get_results(), [*inputs, shift], "birdnet")
    model.validate_nodes_and_infer_types()  # the network was read with a batch of any size
    model.set_rt_info(" ".join(str(band.hop) for band in derived.bands), _HOPS)
    return model


def _band_of(folded: Any, shift: Any, band: Band) -> Any:
    """Apply one band's matrix to every frame; a convolution of length 1 is the fastest way here to multiply by it."""
    from openvino import opset13 as operations

    matrix = band.mirrored.T[::-1]  # upside down, as the network takes it
    kernel = np.ascontiguousarray(matrix[:, :, None], np.float32)
    heard = operations.convolution(operations.transpose(folded, [0, 2, 1]), kernel, [1], [0], [0], [1])
    of_ones = np.ascontiguousarray(2 * matrix.sum(1).reshape(1, -1, 1), np.float32)
    heard = operations.add(heard, operations.multiply(shift, of_ones))
    # By logarithm, because OpenVINO computes powers one by one.
    squares = operations.log(operations.multiply(heard, heard))
    power = operations.exp(operations.multiply(squares, np.float32(band.exponent)))
    return operations.unsqueeze(power, [1])
