"""Makes a network's numbers small (8 bits), with pictures that show which numbers occur, and asks what that costs."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture
from models.evaluate.labels import Labelled
from models.evaluate.vision import evaluate
from models.registry import RegistryEntry, VisionFacts, WeightsError
from models.train.export import sha256_of
from models.vision import VisionDetector, VisionOptions
from models.vision.letterbox import letterbox

MOST_LOST = 0.01  # of mAP50: a smaller network that sees less is no gain
_LOWEST = 0.01  # confidence from which finds count for mAP50
_FEWEST = 20  # pictures to calibrate with; fewer do not show what occurs


def read_inputs(pictures: Sequence[Labelled], facts: VisionFacts) -> Iterator[NDArray[np.float32]]:
    """Read pictures as the network takes them, (3, height, width); what cannot be read is left out."""
    longest = max(facts.width, facts.height)
    for picture in pictures:
        try:
            pixels = read_picture(picture.path, longest).pixels
        except Unreadable:
            continue
        yield letterbox(pixels, facts.head, facts.width, facts.height)[0]


def quantise(float_path: Path, target: Path, inputs: Sequence[NDArray[np.float32]]) -> Path:
    """Write an INT8 edition of an ONNX network.

    Static quantisation in QDQ form, one scale a channel of the weights, of convolutions alone: what decodes the boxes
    stays in float, because pixels up to 640 and scores up to 1 leave one tensor together and no scale fits both.
    Source: ONNX Runtime, "Quantize ONNX models".

    Args:
        float_path: The network.
        target: The file to write.
        inputs: (3, height, width) each, from pictures that neither trained nor will judge it.

    Raises:
        WeightsError: there are too few inputs.
    """
    if len(inputs) < _FEWEST:
        raise WeightsError(f"{len(inputs)} pictures to calibrate with: expected {_FEWEST} or more")
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Hands the inputs over one by one."""

        def __init__(self) -> None:
            self._left = iter(inputs)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            """Give the next, and None after the last."""
            following = next(self._left, None)
            return None if following is None else {"images": following[None]}

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(float_path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    return target


def worth_keeping(whole: float, small: float) -> bool:
    """Tell by both editions' mAP50 whether the small one is worth keeping; never where one is not known."""
    return round(whole - small, 6) < MOST_LOST


def mean_precision(weights: Path, facts: VisionFacts, pictures: Sequence[Labelled]) -> float:
    """Measure mAP50 of a file, as `wildpost models evaluate` does; nan where the pictures have no boxes."""
    entry = RegistryEntry(
        kind="vision",
        version="",
        licence="",
        homepage="",
        filename=weights.name,
        file=weights.name,
        sha256=sha256_of(weights),
        size=weights.stat().st_size,
        vision=facts,
        name=weights.stem,
        folder=weights.parent,
    )
    detector = VisionDetector(weights, entry, VisionOptions(threshold=_LOWEST, runtime="onnxruntime", threads=1))
    return evaluate(detector, pictures, lambda _: facts.threshold).map50
