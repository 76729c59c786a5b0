"""Classifies the species of animals in crops of pictures with an ONNX network from the registry."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from contract import Alternative, Classification, Model
from models.port import Crop, Evidence, Framing
from models.registry import Rank, RegistryEntry, Share, WeightsError, check_hash
from models.species.labels import TaxonLabel, read_labels
from models.species.roll_up import Node, TaxonTree
from models.species.site_list import SiteList
from models.vision.runtimes import RuntimeName, open_runtime

_DIGITS = 5


class SpeciesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a species classifier.

    Attributes:
        runtime: The inference runtime; use ONNX Runtime if it is faster than OpenVINO or OpenVINO is not available.
        threads: Number of threads of the network; 0: the runtime's default.
        threshold: The lowest confidence at which a classification is returned; None: the threshold in the registry.
            Groups above the species have the threshold of their rank in the registry, if that is higher.
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

    def __init__(
        self,
        model_path: Path,
        entry: RegistryEntry,
        options: SpeciesOptions | None = None,
        site: SiteList | None = None,
    ) -> None:
        """Load the classification network, and the labels file that is named in the registry entry.

        Args:
            model_path: The network.
            entry: The registry entry of the network.
            options: The runtime, the threshold and the limits; None: the defaults.
            site: The taxa that are plausible at the site, instead of the areas in the labels file; None: no list.

        Raises:
            WeightsMismatch: the hash of the network or labels file differs from the hash in the registry entry.
            WeightsError: the entry is not a classifier, or the numbers of network outputs and labels differ.
        """
        if entry.species is None:
            raise WeightsError(f"model {entry.name!r} is of kind {entry.kind!r}: expected a species classifier")
        self._facts = entry.species
        self._options = options or SpeciesOptions()
        self._site = site
        model = entry.model(check_hash(entry, model_path))
        self._model = model if site is None else site.combined(model)
        self._labels = read_labels(entry.folder / self._facts.labels, self._facts.labels_sha256)
        self._tree = TaxonTree(self._labels)
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
        """Name, version and hash of the classification network, or of the network together with the site's list."""
        return self._model

    @property
    def framing(self) -> Framing:
        """The margin and the shape of the crops; see ``Classifier.framing``."""
        return Framing(self._facts.margin, self._facts.square)

    @property
    def labels(self) -> tuple[TaxonLabel, ...]:
        """The classes of the network, in the order of its outputs."""
        return self._labels

    def examine(self, crops: Sequence[Crop]) -> list[Evidence]:
        """Run the network on crops; see ``Classifier.examine``."""
        if not crops:
            return []
        outputs = self._runtime.infer(np.stack([self._tensor(crop.pixels) for crop in crops]))
        return [
            Evidence(one, crop.taken_at, crop.location)
            for one, crop in zip(self._probabilities(outputs), crops, strict=True)
        ]

    def decide(self, evidence: Sequence[Evidence]) -> Classification | None:
        """Return the taxon of one animal; see ``Classifier.decide``."""
        answer = self.answer(evidence)
        if answer is None:
            return None
        node, confidence = answer
        return Classification(
            label=node.label,
            confidence=round(confidence, _DIGITS),
            model=self._model.name,
            scientific_name=node.scientific_name,
            alternatives=self._alternatives(_pooled(evidence), node, confidence, evidence[-1]),
        )

    def answer(self, evidence: Sequence[Evidence]) -> tuple[Node, float] | None:
        """Return the taxon of one animal, with its rank and probability; see ``decide``."""
        last = evidence[-1]
        return self._tree.answer(
            _pooled(evidence), self._threshold, lambda node: self._occurs(node.lineage, node.members, last)
        )

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        """Return the taxon of the animal in each crop; see ``Classifier.classify``."""
        return [self.decide([one]) for one in self.examine(crops)]

    def _threshold(self, rank: Rank) -> float:
        """Return the lowest confidence at which a taxon of a rank is answered."""
        lowest = self._facts.threshold if self._options.threshold is None else self._options.threshold
        return max(lowest, self._facts.thresholds.get(rank, 0.0))

    def _occurs(self, lineage: Iterable[str], members: Iterable[int], evidence: Evidence) -> bool:
        """Return whether a taxon occurs at the time and place of a crop, by the site's list or the labels file.

        Args:
            lineage: Names of the taxon and of the groups above it.
            members: Indices of its classes.
            evidence: Evidence of the crop.
        """
        if self._site is not None:
            return self._site.holds(lineage, evidence.taken_at, evidence.location)
        return any(self._labels[at].occurs(evidence.location) for at in members)

    def _alternatives(
        self, scores: NDArray[np.float64], answer: Node, confidence: float, evidence: Evidence
    ) -> tuple[Alternative, ...]:
        """Return the most probable plausible classes beside the answer, which are not more probable than it."""
        found: list[Alternative] = []
        for at in np.argsort(-scores, kind="stable"):
            label = self._labels[at]
            if len(found) == self._options.alternatives:
                break
            names = [name for _, name in label.lineage]
            if label.name != answer.name and scores[at] <= confidence and self._occurs(names, [int(at)], evidence):
                found.append(
                    Alternative(
                        label=label.label,
                        confidence=round(float(scores[at]), _DIGITS),
                        scientific_name=label.scientific_name,
                    )
                )
        return tuple(found)

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


def _pooled(evidence: Sequence[Evidence]) -> NDArray[np.float64]:
    """Return the mean probability of each class over several crops of one animal (linear opinion pool).

    Source: Genest and Zidek 1986, "Combining Probability Distributions", section 3.
    """
    return np.asarray(np.mean([one.probabilities for one in evidence], axis=0))
