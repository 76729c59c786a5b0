"""The threat-sound detector, which detects gunshots, chainsaws, engines, dogs and voices.

One gunshot is enough for a detection.
"""

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
from models.runtime_imports import load_onnxruntime
from models.threat.front_end import RATE_HZ, WINDOW_S, log_mel
from models.threat.onset_padding import pad_onset
from models.threat.second_opinion import FUSION_RULES, WEIGHTS, SecondOpinion

# The labels in the order of the network's output, with their observation types; sounds made by people have type human.
MEANINGS: Mapping[str, ObservationType] = MappingProxyType(
    {"gunshot": "human", "chainsaw": "human", "engine": "vehicle", "dog": "animal", "voice": "human"}
)
# models/weights/threat-sounds.md states recall and false alarms of each label at these thresholds.
THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {"gunshot": 0.95, "chainsaw": 0.9, "engine": 0.7, "dog": 0.7, "voice": 0.9}
)
SHIPPED = "threat-sounds"  # in the registry
INPUT = "log_mel"  # name of the network's input
LABELS_KEY = "labels"  # key of the ONNX metadata: the labels in the order of the output
_STEP_S = 1.0  # half a window: a gunshot at the edge of one window is in the middle of the next
_BATCH_SIZE = 32
_DIGITS = 5


class ThreatOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the threat-sound detector.

    Attributes:
        labels: The labels to report.
        thresholds: The lowest confidence that is reported, by label, for labels that need another than the default.
        threads: Threads of the network; 0: the runtime's default.
        second_opinion: Combine the confidences of gunshots and chainsaws with YAMNet's, which removes most false
            alarms. The weights of YAMNet must be in the weights folder.
    """

    labels: tuple[str, ...] = tuple(MEANINGS)
    thresholds: dict[str, Share] = {}
    threads: Annotated[int, Meta(ge=0, le=64)] = 1
    second_opinion: bool = False

    def __post_init__(self) -> None:
        unknown = sorted((set(self.labels) | set(self.thresholds)) - set(MEANINGS))
        if unknown:
            raise ValueError(f"unknown threat sounds {unknown}: expected some of {', '.join(MEANINGS)}")


@dataclass(frozen=True, slots=True)
class PreparedThreats:
    """A sound divided into windows of 2 s that start every second, as spectrograms and as samples.

    Attributes:
        spectrograms: Log-mel spectrograms, (n, 1, 64, 198) float32.
        duration_s: Duration of the sound, in seconds.
        windows: The samples, (n, 32000) float32 at 16 kHz; a view of the sound's memory.
    """

    spectrograms: NDArray[np.float32]
    duration_s: float
    windows: NDArray[np.float32]


class ThreatSounds:
    """Detector of threat sounds, optionally combined with the network YAMNet; ``predict`` is not thread-safe."""

    def __init__(
        self,
        options: ThreatOptions | None = None,
        weights_folder: Path = Path(),
        model: str = SHIPPED,
        registry: Registry | None = None,
    ) -> None:
        """Load a threat-sound network, and also YAMNet if ``options.second_opinion`` is set.

        Args:
            options: Labels, thresholds and runtime options; None: the defaults.
            weights_folder: The folder in which ``wildpost models pull`` stores weights.
            model: The name of the model in the registry.
            registry: The registry that contains the name; None: the registry included in Wildpost.

        Raises:
            WeightsError: the name is unknown or not a threat model, its weights are missing or have a wrong hash, or
                the file is not a network for these labels.
        """
        onnxruntime = load_onnxruntime()
        self._options = options or ThreatOptions()
        registry = load_registry() if registry is None else registry
        entry = entry_named(model, registry)
        if entry.kind != "threat":
            raise WeightsError(f"model {model!r} is of kind {entry.kind!r}: expected a threat model")
        own = {} if entry.threat is None else entry.threat.thresholds
        if unknown := sorted(set(own) - set(MEANINGS)):
            raise WeightsError(f"model {model!r}: thresholds for unknown labels {unknown}: expected {list(MEANINGS)}")
        path = find_weights(entry, weights_folder)
        self._model = entry.model(entry.sha256)
        self._second: SecondOpinion | None = None
        defaults = {**THRESHOLDS, **own}
        if self._options.second_opinion:
            other = entry_named(WEIGHTS, registry)
            self._second = SecondOpinion(find_weights(other, weights_folder), self._options.threads)
            defaults |= {label: rule.threshold for label, rule in FUSION_RULES.items()}
            # The model gets another name, because its confidences differ from those of the network alone.
            self._model = msgspec.structs.replace(
                self._model, name=f"{entry.name}+{other.name}", version=f"{entry.version}+{other.version}"
            )
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._options.threads
        settings.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        _check_labels(self._session, path)
        self._thresholds = {**defaults, **self._options.thresholds}

    @property
    def model(self) -> Model:
        """Name, version and hash of the weights of the threat-sound network.

        With a second opinion, name and version include YAMNet's.
        """
        return self._model

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The lowest confidence that is reported, for each threat label."""
        return self._thresholds

    def preprocess(self, item: Sound) -> PreparedThreats:
        """Resample a sound to 16 kHz and divide it into windows of 2 s; a short sound is padded with silence.

        Raises:
            Unreadable: the sound is empty, or has samples that are not finite.
        """
        if not item.samples.size:
            raise Unreadable("sound without samples: expected at least one")
        if not np.isfinite(item.samples).all():
            raise Unreadable("sound with samples that are NaN or infinite: expected finite samples")
        windows = split_windows(resample(item, RATE_HZ).samples)
        return PreparedThreats(log_mel(windows), item.duration_s, windows)

    def confidences(self, prepared: PreparedThreats) -> NDArray[np.float32]:
        """Return the confidences of each window: (n, 5), one column per label in the order of ``MEANINGS``."""
        spectrograms = prepared.spectrograms
        parts = [
            self._session.run(None, {INPUT: spectrograms[at : at + _BATCH_SIZE]})[0]
            for at in range(0, len(spectrograms), _BATCH_SIZE)
        ]
        own = np.concatenate(parts)
        return own if self._second is None else self._second.fuse(own, prepared.windows, tuple(MEANINGS))

    def predict(self, batch: Sequence[PreparedThreats]) -> list[list[Detection]]:
        """Return a list of detected threats for each sound, sorted by confidence, highest first.

        Consecutive windows with the same threat are one detection, with the highest of their confidences: a chainsaw
        that runs for a minute is one detection, and two gunshots ten seconds apart are two.
        """
        return [self._detections(self.confidences(prepared), prepared.duration_s) for prepared in batch]

    def _detections(self, confidences: NDArray[np.float32], duration_s: float) -> list[Detection]:
        found: list[tuple[float, str, int, int]] = []
        for at, label in enumerate(MEANINGS):
            if label not in self._options.labels:
                continue
            above = confidences[:, at] >= self._thresholds[label]
            for first, last in _true_runs(above):
                found.append((float(confidences[first : last + 1, at].max()), label, first, last))
        found.sort(key=lambda item: -item[0])
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
    """Verify that a network file was exported for the threat labels in ``MEANINGS``.

    Raises:
        WeightsError: the network has another input or another number of outputs, or its metadata has other labels.
    """
    inputs, shape = [entry.name for entry in session.get_inputs()], session.get_outputs()[0].shape
    if inputs != [INPUT] or len(shape) != 2 or shape[1] != len(MEANINGS):
        raise WeightsError(
            f"{path}: input {inputs}, output {shape}: expected input {[INPUT]} and {len(MEANINGS)} confidences a window"
        )
    labels = session.get_modelmeta().custom_metadata_map.get(LABELS_KEY, ",".join(MEANINGS))
    if labels.split(",") != list(MEANINGS):
        raise WeightsError(f"{path}: trained for the labels {labels}: expected {','.join(MEANINGS)}")


def split_windows(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide samples into windows of 2 s that start every second; the last window is padded with silence.

    Digital silence from the recorder or the encoder at the beginning is replaced first; see ``pad_onset``.

    Args:
        samples: (n,) at 16 kHz.

    Returns:
        (windows, 32000) float32.
    """
    samples = pad_onset(samples)
    length, step = round(WINDOW_S * RATE_HZ), round(_STEP_S * RATE_HZ)
    count = max(1, -(-(samples.size - length) // step) + 1)
    padded = np.zeros((count - 1) * step + length, np.float32)
    padded[: samples.size] = samples[: padded.size]
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::step]


def _true_runs(values: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the last index of each run of consecutive true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], values, [False])).astype(np.int8)))
    return [(int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True)]
