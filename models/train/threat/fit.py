"""Trains the threat-sound network on mixtures of clips, and calibrates its confidences on separate mixtures."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluate.calibration import fit_temperature
from models.evaluate.matching import ScoredDetection
from models.threat.front_end import log_mel
from models.train.threat.mixing import LABELS, MixingOptions, TrainingClip, mix_window
from models.train.threat.network import build_network

_BATCH = 64


@dataclass(frozen=True, slots=True)
class MixtureSet:
    """Mixtures of clips as spectrograms for the threat-sound network, with their labels.

    Attributes:
        spectrograms: (n, 1, 64, 198) float16.
        labels: (n, 5) float32: 1 if the label is present, 0 if not, -1 if unknown.
    """

    spectrograms: NDArray[np.float16]
    labels: NDArray[np.float32]


def make_mixtures(
    clips: Sequence[TrainingClip], count: int, seed: int, options: MixingOptions | None = None
) -> MixtureSet:
    """Mix windows of 2 s from randomly drawn clips, and return their spectrograms and labels.

    Args:
        clips: Clips of every label, and backgrounds.
        count: Number of windows.
        seed: Random seed.
        options: How to mix; None: the defaults.

    Raises:
        ValueError: there is no background, or no clip of a label.
    """
    random = np.random.default_rng(seed)
    backgrounds = balanced_sample([clip for clip in clips if clip.background], random)
    others = balanced_sample([clip for clip in clips if clip.label is None], random)
    kinds = [balanced_sample([clip for clip in clips if clip.label == label], random) for label in LABELS]
    missing = [label for label, kind in zip(LABELS, kinds, strict=True) if not kind]
    if missing or not backgrounds:
        raise ValueError(f"no clip of {', '.join(missing) or 'background'}: expected some of each")
    # Gunshots are twice as frequent as other threats, and sounds without a threat three times.
    events = [kinds[0], *kinds, others, others, others]
    spectrograms, present = [], []
    for _ in range(-(-count // _BATCH)):
        mixed = [mix_window(events, backgrounds, random, options or MixingOptions()) for _ in range(_BATCH)]
        spectrograms.append(log_mel(np.stack([samples for samples, _ in mixed])).astype(np.float16))
        present.append(np.stack([labels for _, labels in mixed]))
    return MixtureSet(np.concatenate(spectrograms)[:count], np.concatenate(present)[:count])


def balanced_sample(clips: Sequence[TrainingClip], random: np.random.Generator) -> list[TrainingClip]:
    """Draw clips at random, with less weight for each clip of a large group.

    The expected number of clips of a group is proportional to the square root of the size of the group. A weapon or a
    speaker may have a hundred clips, while most recordings have one.
    """
    if not clips:
        return []
    takes = Counter(clip.group for clip in clips)
    weights = np.array([takes[clip.group] ** -0.5 for clip in clips])
    return [clips[at] for at in random.choice(len(clips), max(2000, len(clips)), p=weights / weights.sum())]


@dataclass(frozen=True, slots=True)
class EpochLoss:
    """Training loss and validation loss of the threat-sound network after one epoch.

    Attributes:
        number: Number of the epoch, from 1.
        of: Total number of epochs.
        loss: Mean loss of the training mixtures.
        val_loss: Mean loss of the validation mixtures; None without validation mixtures.
    """

    number: int
    of: int
    loss: float
    val_loss: float | None


def train(
    mixtures: MixtureSet,
    epochs: int,
    seed: int = 0,
    on_epoch: Callable[[EpochLoss], object] | None = None,
    validation: MixtureSet | None = None,
    checkpoint: Path | None = None,
) -> Any:
    """Train a threat-sound network on mixtures; if ``checkpoint`` exists, resume the training from it.

    Args:
        mixtures: Training mixtures.
        epochs: Total number of epochs.
        seed: Random seed of the initial weights and the order of the mixtures.
        on_epoch: Called after each epoch.
        validation: Mixtures whose loss is computed after each epoch.
        checkpoint: File that is written after each epoch; with the same arguments, training resumes from it.

    Returns:
        The torch network, in evaluation mode.
    """
    import torch

    torch.manual_seed(seed)
    network = build_network()
    batches = -(-len(mixtures.spectrograms) // _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * batches)
    loss_of = torch.nn.BCEWithLogitsLoss(reduction="none")
    done = 0
    if checkpoint is not None and checkpoint.is_file():
        done = _restore(checkpoint, network, optimiser, schedule)
    for epoch in range(done, epochs):
        random = np.random.default_rng((seed, epoch))
        network.train()
        order, total = random.permutation(len(mixtures.spectrograms)), 0.0
        for at in range(0, len(order), _BATCH):
            chosen = order[at : at + _BATCH]
            spectrograms = torch.from_numpy(_mask(mixtures.spectrograms[chosen].astype(np.float32), random))
            optimiser.zero_grad()
            labels = torch.from_numpy(mixtures.labels[chosen])
            known = labels >= 0
            loss = (loss_of(network(spectrograms), labels) * known).sum() / known.sum()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        network.eval()
        if checkpoint is not None:
            _save(checkpoint, epoch + 1, network, optimiser, schedule)
        if on_epoch is not None:
            val_loss = None if validation is None else _loss(network, validation)
            on_epoch(EpochLoss(epoch + 1, epochs, total / len(order), val_loss))
    network.eval()
    return network


def _save(checkpoint: Path, epochs: int, network: Any, optimiser: Any, schedule: Any) -> None:
    """Write the state of the training to a checkpoint file.

    The write is atomic: the new file replaces the previous one only when it is complete.
    """
    import torch

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    part = checkpoint.with_name(f"{checkpoint.name}.part")
    states = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
    torch.save({"epochs": epochs, "random": torch.get_rng_state(), **states}, part)
    part.replace(checkpoint)


def _restore(checkpoint: Path, network: Any, optimiser: Any, schedule: Any) -> int:
    """Load the state of the training from a checkpoint file.

    Returns:
        The number of finished epochs.
    """
    import torch

    states = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(states["network"])
    optimiser.load_state_dict(states["optimiser"])
    schedule.load_state_dict(states["schedule"])
    torch.set_rng_state(states["random"])
    return int(states["epochs"])


def _loss(network: Any, mixtures: MixtureSet) -> float:
    """Return the network's mean cross entropy over the labels of mixtures; unknown labels are left out."""
    predicted = np.clip(predict_confidences(network, mixtures).astype(np.float64), 1e-7, 1 - 1e-7)
    known, present = mixtures.labels >= 0, mixtures.labels == 1
    return float(-np.log(np.where(present, predicted, 1 - predicted))[known].mean())


def fit_temperatures(network: Any, mixtures: MixtureSet) -> list[float]:
    """Fit one calibration temperature per label on mixtures that were not used for training."""
    predicted = predict_confidences(network, mixtures)
    fitted = []
    for at in range(len(LABELS)):
        known = mixtures.labels[:, at] >= 0
        pairs = zip(predicted[known, at], mixtures.labels[known, at], strict=True)
        fitted.append(fit_temperature([ScoredDetection(float(confidence), label == 1) for confidence, label in pairs]))
    return fitted


def predict_confidences(network: Any, mixtures: MixtureSet) -> NDArray[np.float32]:
    """Return the network's uncalibrated confidences (n, 5) for n mixtures."""
    import torch

    with torch.no_grad():
        parts = [
            torch.sigmoid(network(torch.from_numpy(mixtures.spectrograms[at : at + 256].astype(np.float32)))).numpy()
            for at in range(0, len(mixtures.spectrograms), 256)
        ]
    return np.concatenate(parts)


def _mask(spectrograms: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Set random frequency bands and time spans of some spectrograms to zero (SpecAugment, Park et al. 2019)."""
    for spectrogram in spectrograms:
        if random.random() < 0.4:
            low = random.integers(0, 52)
            spectrogram[:, low : low + random.integers(2, 12)] = 0
        if random.random() < 0.2:
            start = random.integers(0, 170)
            spectrogram[:, :, start : start + random.integers(2, 28)] = 0
    return spectrograms
