"""Classifies the species of animals in crops of pictures with an ONNX network from the registry."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from contract import Alternative, Classification, Model
from models.port import Crop, Framing
from models.registry import RegistryEntry, Share, WeightsError, check_hash
from models.species.labels import read_labels
from models.vision.runtimes import RuntimeName, open_runtime

_DIGITS = 5


class SpeciesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a species classifier.

    Attributes:
        runtime: The inference runtime; use ONNX Runtime if it is faster than OpenVINO or OpenVINO is not available.
        threads: Number of threads of the network; 0: the runtime's default.
        threshold: The lowest confidence at which a classification is returned; None: the threshold in the registry.
        alternatives: Maximum number of less probable taxa in each classification.
    """

    runtime: RuntimeName = "openvino"
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    threshold: Share | None = None
    alternatives: Annotated[int, Meta(ge=0, le=20)] = 3


class SpeciesClassifier:
    """Classifier of species with an ONNX network.

    See ``Classifier`` for the contract.
    """

    def __init__(self, model_path: Path, entry: RegistryEntry, options: SpeciesOptions | None = None) -> None:
        """Load the classification network, and the labels file that is named in the registry entry.

        Raises:
            WeightsMismatch: the hash of the network or labels file differs from the hash in the registry entry.
            WeightsError: the entry is not a classifier, or the numbers of network outputs and labels differ.
        """
        if entry.species is None:
            raise WeightsError(f"model {entry.name!r} is of kind {entry.kind!r}: expected a species classifier")
        self._facts = entry.species
        self._options = options or SpeciesOptions()
        self._model = entry.model(check_hash(entry, model_path))
        self._labels = read_labels(entry.folder / self._facts.labels, self._facts.labels_sha256)
        self._runtime = open_runtime(
            self._options.runtime, model_path, self._facts.width, self._facts.height, self._options.threads, 1, None
        )
        shape = self._runtime.output_shape
        if len(shape) != 2 or shape[1] not in (len(self._labels), -1):
            raise WeightsError(
                f"{entry.name}: output of shape {shape}: expected (batch, {len(self._labels)}), "
                f"one for each row of {self._facts.labels}"
            )

    @property
    def model(self) -> Model:
        """Name, version and hash of the weights of the classification network."""
        return self._model

    @property
    def framing(self) -> Framing:
        """The margin and the shape of the crops; see ``Classifier.framing``."""
        return Framing(self._facts.margin, self._facts.square)

    @property
    def threshold(self) -> float:
        """The lowest confidence at which a classification is returned."""
        return self._facts.threshold if self._options.threshold is None else self._options.threshold

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        """Return the taxon of the animal in each crop; see ``Classifier.classify``."""
        if not crops:
            return []
        outputs = self._runtime.infer(np.stack([self._tensor(crop.pixels) for crop in crops]))
        return [self._claim(scores) for scores in self._probabilities(outputs)]

    def _tensor(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scale and normalise the pixels of a crop to the network's input, (3, height, width) float32."""
        import cv2

        size = (self._facts.width, self._facts.height)
        shrinks = pixels.shape[1] > size[0] and pixels.shape[0] > size[1]
        fitted = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        colours = fitted if self._facts.channels == "bgr" else fitted[:, :, ::-1]
        scaled = colours.astype(np.float32) / 255
        normal = (scaled - np.array(self._facts.mean, np.float32)) / np.array(self._facts.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)

    def _probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Convert network outputs (n, classes) to calibrated probabilities: softmax(logits / temperature).

        Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
        """
        values = outputs.astype(np.float64)
        if self._facts.output == "probabilities":
            if self._facts.temperature == 1:
                return np.clip(values, 0, 1)
            values = np.log(np.clip(values, 1e-12, 1))
        values = values / self._facts.temperature
        powers = np.exp(values - values.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))

    def _claim(self, scores: NDArray[np.float64]) -> Classification | None:
        order = np.argsort(-scores, kind="stable")[: 1 + self._options.alternatives]
        ranked = [
            Alternative(
                label=self._labels[at].label,
                confidence=round(float(scores[at]), _DIGITS),
                scientific_name=self._labels[at].scientific_name,
            )
            for at in order
            if np.isfinite(scores[at])
        ]
        if not ranked or ranked[0].confidence < self.threshold:
            return None
        return Classification(
            label=ranked[0].label,
            confidence=ranked[0].confidence,
            model=self._model.name,
            scientific_name=ranked[0].scientific_name,
            alternatives=tuple(ranked[1:]),
        )
