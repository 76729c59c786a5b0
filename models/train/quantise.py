"""Quantises a vision network to 8 bits with calibration pictures, and measures the loss of accuracy."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture
from models.evaluate.labels import LabelledPicture
from models.evaluate.vision import evaluate
from models.registry import RegistryEntry, VisionFacts, WeightsError, sha256_of
from models.runtime_imports import load_onnxruntime
from models.vision import VisionDetector, VisionOptions
from models.vision.letterbox import letterbox

MAX_LOSS = 0.01  # the loss of mAP50 from which the quantised network is rejected
_LOWEST = 0.01  # lowest confidence of the detections for mAP50
_MIN_INPUTS = 20  # calibration pictures; fewer do not show the range of the activations


def read_inputs(pictures: Sequence[LabelledPicture], facts: VisionFacts) -> Iterator[NDArray[np.float32]]:
    """Yield pictures as inputs of the network, (3, height, width); pictures that cannot be read are skipped."""
    longest = max(facts.width, facts.height)
    for picture in pictures:
        try:
            pixels = read_picture(picture.path, longest).pixels
        except Unreadable:
            continue
        yield letterbox(pixels, facts.head, facts.width, facts.height)[0]


def quantise(float_path: Path, target: Path, inputs: Sequence[NDArray[np.float32]]) -> Path:
    """Quantise a float32 ONNX network to INT8 with calibration inputs, and write the result to ``target``.

    The quantisation is static, in QDQ format, with one scale per channel of the weights, and only of convolutions. The
    decoding of the boxes stays in float, because its tensor contains both pixels up to 640 and scores up to 1, and no
    scale fits both.
    Source: ONNX Runtime, "Quantize ONNX models".

    Args:
        float_path: The network in float32.
        target: The file to write.
        inputs: (3, height, width) each, from pictures that are used neither for training nor for evaluation.

    Raises:
        WeightsError: there are too few inputs.
    """
    if len(inputs) < _MIN_INPUTS:
        raise WeightsError(f"{len(inputs)} pictures for calibration: expected {_MIN_INPUTS} or more")
    load_onnxruntime()
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Iterator over the calibration inputs, with the interface that ONNX Runtime requires."""

        def __init__(self) -> None:
            self._iterator = iter(inputs)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            """Return the next calibration input; None after the last one."""
            picture = next(self._iterator, None)
            return None if picture is None else {"images": picture[None]}

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


def is_loss_acceptable(float_map50: float, int8_map50: float) -> bool:
    """Return whether INT8 lowers the mAP50 by less than ``MAX_LOSS``; False if either mAP50 is nan."""
    return round(float_map50 - int8_map50, 6) < MAX_LOSS


def mean_precision(weights: Path, facts: VisionFacts, pictures: Sequence[LabelledPicture]) -> float:
    """Compute the mAP50 of a network file on labelled pictures, as `wildpost models evaluate` does.

    The mAP50 is nan if the pictures have no boxes.
    """
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
