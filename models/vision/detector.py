"""The vision detector, which returns bounding boxes of animals, people and vehicles in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from captures.decoded import Picture
from captures.picture import LIMIT_PIXELS, read_picture, reduced
from contract import Box, Detection, Model
from models.registry import RegistryEntry, Share, VisionFacts, check_hash
from models.vision.heads import Candidates, check_shape, read_head
from models.vision.letterbox import Frame, letterbox
from models.vision.runtimes import RuntimeName, open_runtime

_DIGITS = 5  # decimals of boxes and confidences: 0.01 pixels in a picture 1,000 pixels wide


class VisionOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a vision detector.

    Attributes:
        runtime: OpenVINO, or ONNX Runtime for machines where it is faster or the only one available.
        threads: Threads of one network call; 0: the runtime's default.
        at_once: Maximum number of concurrent network calls, each with ``threads``; further calls wait.
        cache: Folder for the models that OpenVINO compiled; None: no cache.
        threshold: The lowest confidence that is reported; None: the registry's value.
        thresholds: Thresholds by label (``bear``) or observation type (``human``); a label takes precedence.
        overlap: Intersection over union above which two boxes of one observation type are one detection.
        most: Maximum number of detections per picture.
        limit_pixels: Maximum number of pixels; larger pictures are refused before they are decoded.
    """

    runtime: RuntimeName = "openvino"
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    at_once: Annotated[int, Meta(ge=1, le=256)] = 1
    cache: str | None = None
    threshold: Share | None = None
    thresholds: dict[str, Share] = {}
    overlap: Share = 0.45
    most: Annotated[int, Meta(ge=1, le=1000)] = 100
    limit_pixels: Annotated[int, Meta(ge=1)] = LIMIT_PIXELS


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A decoded picture, scaled and padded to the input of the vision network.

    Attributes:
        tensor: (3, height, width) float32.
        frame: Position of the picture in the tensor.
        damage: How the picture's file is damaged; "" if it is whole.
    """

    tensor: NDArray[np.float32]
    frame: Frame
    damage: str = ""


class VisionDetector:
    """Detector of animals, people and vehicles with an object-detection network; thread-safe."""

    def __init__(self, model_path: Path, entry: RegistryEntry, options: VisionOptions | None = None) -> None:
        """Load the object-detection network from its weights file, and verify it against its registry entry.

        Raises:
            WeightsMismatch: the entry does not accept the file's hash.
            WrongHead: the network's output does not have the form that the entry states.
            ValueError: the entry is not a vision model, or a threshold names a label that the model does not have.
        """
        if entry.vision is None:
            raise ValueError(f"{entry.name} is of kind {entry.kind!r}: expected 'vision'")
        self._facts = entry.vision
        self._options = options or VisionOptions()
        self._model = entry.model(check_hash(entry, model_path))
        cache = Path(self._options.cache) if self._options.cache else None
        self._runtime = open_runtime(
            self._options.runtime,
            model_path,
            self._facts.width,
            self._facts.height,
            self._options.threads,
            self._options.at_once,
            cache,
        )
        check_shape(self._runtime.output_shape, self._facts)
        self._thresholds = class_thresholds(self._facts, self._options)
        meanings = [self._facts.meanings.get(name) for name in self._facts.classes]
        types = sorted({meaning.observation_type for meaning in meanings if meaning})
        self._types = np.array([types.index(meaning.observation_type) if meaning else -1 for meaning in meanings])

    @property
    def model(self) -> Model:
        """Name, version and hash of the weights of the object-detection network."""
        return self._model

    @property
    def at_once(self) -> int:
        """Maximum number of concurrent calls of the network."""
        return self._options.at_once

    def preprocess(self, item: Picture | Path | bytes) -> PreparedPicture:
        """Decode a picture, and scale and pad it to the network's input.

        Raises:
            Unreadable: the picture cannot be decoded.
            OSError: the file cannot be read.
        """
        longest = max(self._facts.width, self._facts.height)
        if isinstance(item, Picture):
            picture = reduced(item, longest)
        else:
            picture = read_picture(item, longest, self._options.limit_pixels)
        prepared = letterbox(picture.pixels, self._facts.head, self._facts.width, self._facts.height)
        return PreparedPicture(*prepared, picture.damage)

    def predict(self, batch: Sequence[PreparedPicture]) -> list[list[Detection]]:
        """Return a list of detections for each picture, sorted by confidence, highest first."""
        if not batch:
            return []
        outputs = self._runtime.infer(np.stack([prepared.tensor for prepared in batch]))
        return [
            self._detections(read_head(output, self._facts), prepared.frame)
            for output, prepared in zip(outputs, batch, strict=True)
        ]

    def _detections(self, candidates: Candidates, frame: Frame) -> list[Detection]:
        known = (candidates.classes >= 0) & (candidates.classes < len(self._facts.classes))
        thresholds = np.where(known, self._thresholds[np.where(known, candidates.classes, 0)], np.inf)
        chosen = np.flatnonzero((candidates.scores >= thresholds) & np.isfinite(candidates.corners).all(1))
        if self._facts.head != "end2end":
            chosen = chosen[self._suppress_overlaps(candidates, chosen)]
        found: list[Detection] = []
        corners = np.round(frame.fractions(candidates.corners), _DIGITS)
        for at in chosen[np.argsort(-candidates.scores[chosen], kind="stable")]:
            left, top, right, bottom = (float(edge) for edge in corners[at])
            if right <= left or bottom <= top or len(found) == self._options.most:
                continue  # the box lies in the padding, or the limit is reached
            meaning = self._facts.meanings[self._facts.classes[candidates.classes[at]]]
            found.append(
                Detection(
                    ordinal=len(found),
                    label=meaning.label,
                    observation_type=meaning.observation_type,
                    confidence=round(float(candidates.scores[at]), _DIGITS),
                    model=self._model.name,
                    scientific_name=meaning.scientific_name,
                    box=Box(left, top, round(right - left, _DIGITS), round(bottom - top, _DIGITS)),
                )
            )
        return found

    def _suppress_overlaps(self, candidates: Candidates, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Apply non-maximum suppression within each observation type, and return the indices in ``chosen`` that remain.

        Suppression within each class would report one animal as both a dog and a cow.
        """
        import cv2

        if not chosen.size:
            return chosen
        corners = candidates.corners[chosen]
        boxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), 1).astype(np.float64)
        types = self._types[candidates.classes[chosen]]
        kept = cv2.dnn.NMSBoxesBatched(
            boxes.tolist(), candidates.scores[chosen].tolist(), types.tolist(), 0.0, self._options.overlap
        )
        return np.asarray(kept, np.int64).reshape(-1)


def class_thresholds(facts: VisionFacts, options: VisionOptions) -> NDArray[np.float64]:
    """Return the confidence threshold of each class of the network; infinite for a class without a meaning.

    Raises:
        ValueError: a threshold names a label or observation type that the model does not have.
    """
    names = {meaning.label for meaning in facts.meanings.values()}
    names |= {meaning.observation_type for meaning in facts.meanings.values()}
    unknown = sorted(set(options.thresholds) - names)
    if unknown:
        raise ValueError(f"thresholds for {unknown}: expected only {', '.join(sorted(names))}")
    result = []
    for name in facts.classes:
        meaning = facts.meanings.get(name)
        if meaning is None:
            result.append(np.inf)
            continue
        general = facts.threshold if options.threshold is None else options.threshold
        own = facts.thresholds.get(meaning.label, general) if options.threshold is None else general
        result.append(options.thresholds.get(meaning.label, options.thresholds.get(meaning.observation_type, own)))
    return np.array(result, np.float64)
