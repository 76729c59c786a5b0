"""Listens for threats: shots, saws, engines, dogs, voices. One shot is enough; nothing has to be heard twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from captures.sound import resample
from contract import Detection, Model, Span
from contract.messages import ObservationType
from models.registry import Registry, Share, WeightsError, entry_named, find_weights, load_registry
from models.threat.front_end import RATE_HZ, WINDOW_S, log_mel
from models.threat.onset_padding import pad_onset
from models.threat.second_opinion import QUESTIONS, WEIGHTS, SecondOpinion

# In the order of the network's output, with what each is: what a person makes is of type human.
MEANINGS: Mapping[str, ObservationType] = MappingProxyType(
    {"gunshot": "human", "chainsaw": "human", "engine": "vehicle", "dog": "animal", "voice": "human"}
)
# At which each label was measured; models/weights/threat-sounds.md says what they cost.
THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {"gunshot": 0.95, "chainsaw": 0.9, "engine": 0.7, "dog": 0.7, "voice": 0.9}
)
SHIPPED = "threat-sounds"  # in the registry
INPUT = "log_mel"  # the name of the network's input
LABELS_KEY = "labels"  # of the ONNX metadata: the labels in the order of the output
_STEP_S = 1.0  # half a window: a shot at the edge of one lies in the middle of the next
_TOGETHER = 32
_DIGITS = 5


class ThreatOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to listen for threats.

    Attributes:
        labels: Report only these.
        thresholds: The lowest confidence that counts, by label, where it is not the one measured for it.
        threads: For the network; 0 leaves it to the runtime.
        second_opinion: Ask YAMNet too about shots and saws: far fewer false alarms. Its weights must have been fetched.
    """

    labels: tuple[str, ...] = tuple(MEANINGS)
    thresholds: dict[str, Share] = {}
    threads: Annotated[int, Meta(ge=0, le=64)] = 1
    second_opinion: bool = False

    def __post_init__(self) -> None:
        strangers = sorted((set(self.labels) | set(self.thresholds)) - set(MEANINGS))
        if strangers:
            raise ValueError(f"threat sounds {strangers}: expected names among {', '.join(MEANINGS)}")


@dataclass(frozen=True, slots=True)
class PreparedThreats:
    """A sound cut into windows of two seconds, one begun each second.

    Attributes:
        pictures: (n, 1, 64, 198) float32.
        duration_s: Of the sound.
        windows: The samples themselves, (n, 32000) float32 at 16 kHz; they share the memory of the sound.
    """

    pictures: NDArray[np.float32]
    duration_s: float
    windows: NDArray[np.float32]


class ThreatSounds:
    """Our own network for threats. ``predict`` is for one thread at a time."""

    def __init__(
        self,
        options: ThreatOptions | None = None,
        weights_folder: Path = Path(),
        model: str = SHIPPED,
        registry: Registry | None = None,
    ) -> None:
        """Load a network for threat sounds, and YAMNet too for the second opinion.

        Args:
            options: How to listen.
            weights_folder: Where ``wildpost models pull`` puts weights.
            model: As in the registry.
            registry: Where to look the name up; None: the one that comes with Wildpost.

        Raises:
            WeightsError: the name is not known or not a model of this kind, its weights are missing or not the right
                ones, or the file is not a network for these labels.
        """
        import onnxruntime

        self._options = options or ThreatOptions()
        registry = load_registry() if registry is None else registry
        entry = entry_named(model, registry)
        if entry.kind != "threat":
            raise WeightsError(f"model {model!r} is of kind {entry.kind!r}: expected a threat model")
        own = {} if entry.threat is None else entry.threat.thresholds
        if strangers := sorted(set(own) - set(MEANINGS)):
            raise WeightsError(f"model {model!r}: thresholds of {strangers}: expected labels among {list(MEANINGS)}")
        path = find_weights(entry, weights_folder)
        self._model = entry.model(entry.sha256)
        self._second: SecondOpinion | None = None
        measured = {**THRESHOLDS, **own}
        if self._options.second_opinion:
            other = entry_named(WEIGHTS, registry)
            self._second = SecondOpinion(find_weights(other, weights_folder), self._options.threads)
            measured |= {label: question.threshold for label, question in QUESTIONS.items()}
            # Another name: its confidences are not those of the network alone.
            self._model = msgspec.structs.replace(
                self._model, name=f"{entry.name}+{other.name}", version=f"{entry.version}+{other.version}"
            )
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._options.threads
        settings.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        _check_labels(self._session, path)
        self._thresholds = {**measured, **self._options.thresholds}

    @property
    def model(self) -> Model:
        """Name and version of the weights in use, and the hash of our own; with a second opinion, both are named."""
        return self._model

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The lowest confidence that counts, by label."""
        return self._thresholds

    def preprocess(self, item: Sound) -> PreparedThreats:
        """Bring a sound to 16 kHz and cut it into windows; a short one is lengthened by silence.

        Raises:
            Unreadable: it is empty, or holds samples that are no numbers.
        """
        if not item.samples.size:
            raise Unreadable("a sound of no samples: expected at least one")
        if not np.isfinite(item.samples).all():
            raise Unreadable("a sound with samples that are no numbers")
        windows = cut(resample(item, RATE_HZ).samples)
        return PreparedThreats(log_mel(windows), item.duration_s, windows)

    def confidences(self, prepared: PreparedThreats) -> NDArray[np.float32]:
        """Give each window's confidences: (n, 5), in the order of ``MEANINGS``."""
        pictures = prepared.pictures
        parts = [
            self._session.run(None, {INPUT: pictures[at : at + _TOGETHER]})[0]
            for at in range(0, len(pictures), _TOGETHER)
        ]
        own = np.concatenate(parts)
        return own if self._second is None else self._second.join(own, prepared.windows, tuple(MEANINGS))

    def predict(self, batch: Sequence[PreparedThreats]) -> list[list[Detection]]:
        """Find the threats in each sound, most confident first.

        Windows that follow each other and hold the same threat are one detection, with the highest of their
        confidences: a saw that runs for a minute is reported once, and two shots ten seconds apart twice.
        """
        return [self._detections(self.confidences(prepared), prepared.duration_s) for prepared in batch]

    def _detections(self, confidences: NDArray[np.float32], duration_s: float) -> list[Detection]:
        found: list[tuple[float, str, int, int]] = []
        for at, label in enumerate(MEANINGS):
            if label not in self._options.labels:
                continue
            above = confidences[:, at] >= self._thresholds[label]
            for first, last in _runs(above):
                found.append((float(confidences[first : last + 1, at].max()), label, first, last))
        found.sort(key=lambda one: -one[0])
        return [
            Detection(
                ordinal=ordinal,
                label=label,
                observation_type=MEANINGS[label],
                confidence=round(confidence, _DIGITS),
                model=self._model.name,
                span=Span(
                    start_s=round(min(first * _STEP_S, duration_s), 3),
                    end_s=round(min(last * _STEP_S + WINDOW_S, duration_s), 3),
                ),
            )
            for ordinal, (confidence, label, first, last) in enumerate(found)
        ]


def _check_labels(session: Any, path: Path) -> None:
    """Refuse a network that was not exported for these labels.

    Raises:
        WeightsError: it takes another input, has another number of outputs, or its metadata names other labels.
    """
    inputs, shape = [one.name for one in session.get_inputs()], session.get_outputs()[0].shape
    if inputs != [INPUT] or len(shape) != 2 or shape[1] != len(MEANINGS):
        raise WeightsError(
            f"{path}: input {inputs}, output {shape}: expected input {[INPUT]} and {len(MEANINGS)} confidences a window"
        )
    labels = session.get_modelmeta().custom_metadata_map.get(LABELS_KEY, ",".join(MEANINGS))
    if labels.split(",") != list(MEANINGS):
        raise WeightsError(f"{path}: trained for the labels {labels}: expected {','.join(MEANINGS)}")


def cut(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut samples at 16 kHz into windows of two seconds, one begun each second; the last is filled up with silence.

    What a recorder or an encoder left silent at the beginning is filled with what follows it.
    """
    samples = pad_onset(samples)
    length, step = round(WINDOW_S * RATE_HZ), round(_STEP_S * RATE_HZ)
    count = max(1, -(-(samples.size - length) // step) + 1)
    padded = np.zeros((count - 1) * step + length, np.float32)
    padded[: samples.size] = samples[: padded.size]
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::step]


def _runs(above: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Tell first and last place of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], above, [False])).astype(np.int8)))
    return [(int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True)]
