"""Trains the threat network on mixtures, and calibrates it on others."""

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
from models.train.threat.mixing import LABELS, Field, TrainingClip, mix
from models.train.threat.network import build

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Mixtures:
    """Windows ready for the network.

    Attributes:
        pictures: (n, 1, 64, 198) float16.
        present: (n, 5) float32: 1, 0, or -1 where nobody knows.
    """

    pictures: NDArray[np.float16]
    present: NDArray[np.float32]


def make_mixtures(clips: Sequence[TrainingClip], count: int, seed: int, field: Field | None = None) -> Mixtures:
    """Mix windows out of clips.

    Raises:
        ValueError: there is no background, or no clip of some label.
    """
    random = np.random.default_rng(seed)
    backgrounds = evenly([clip for clip in clips if clip.background], random)
    others = evenly([clip for clip in clips if clip.label is None], random)
    kinds = [evenly([clip for clip in clips if clip.label == label], random) for label in LABELS]
    missing = [label for label, kind in zip(LABELS, kinds, strict=True) if not kind]
    if missing or not backgrounds:
        raise ValueError(f"no clip of {', '.join(missing) or 'background'}: expected some of each")
    # Shots come twice as often as another threat, and sounds that are no threat three times.
    events = [kinds[0], *kinds, others, others, others]
    pictures, present = [], []
    for _ in range(-(-count // _BATCH)):
        made = [mix(events, backgrounds, random, field or Field()) for _ in range(_BATCH)]
        pictures.append(log_mel(np.stack([samples for samples, _ in made])).astype(np.float16))
        present.append(np.stack([labels for _, labels in made]))
    return Mixtures(np.concatenate(pictures)[:count], np.concatenate(present)[:count])


def evenly(clips: Sequence[TrainingClip], random: np.random.Generator) -> list[TrainingClip]:
    """Draw clips so that each place comes about as often as another, however many clips it has.

    A weapon or a speaker has a hundred takes, most recordings one: a place counts for the root of their number.
    """
    if not clips:
        return []
    takes = Counter(clip.group for clip in clips)
    weights = np.array([takes[clip.group] ** -0.5 for clip in clips])
    return [clips[at] for at in random.choice(len(clips), max(2000, len(clips)), p=weights / weights.sum())]


@dataclass(frozen=True, slots=True)
class EpochLoss:
    """How far training is.

    Attributes:
        number: Of the epoch, from 1.
        of: Epochs planned.
        loss: Mean over the training mixtures.
        val_loss: Mean over the validation mixtures; None without any.
    """

    number: int
    of: int
    loss: float
    val_loss: float | None


def train(
    mixtures: Mixtures,
    epochs: int,
    seed: int = 0,
    told: Callable[[EpochLoss], object] | None = None,
    validation: Mixtures | None = None,
    checkpoint: Path | None = None,
) -> Any:
    """Train a network, from its checkpoint where there is one.

    Args:
        mixtures: To learn from.
        epochs: How often to go over them.
        seed: Of the first weights and the order.
        told: Called after each epoch.
        validation: Mixtures whose loss is worked out after each epoch.
        checkpoint: The file that is written after each epoch; with the same arguments, training resumes from it.

    Returns:
        The torch network, ready for use.
    """
    import torch

    torch.manual_seed(seed)
    network = build()
    batches = -(-len(mixtures.pictures) // _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * batches)
    loss_of = torch.nn.BCEWithLogitsLoss(reduction="none")
    done = 0
    if checkpoint is not None and checkpoint.is_file():
        done = _restore(checkpoint, network, optimiser, schedule)
    for epoch in range(done, epochs):
        random = np.random.default_rng((seed, epoch))
        network.train()
        order, total = random.permutation(len(mixtures.pictures)), 0.0
        for at in range(0, len(order), _BATCH):
            chosen = order[at : at + _BATCH]
            pictures = torch.from_numpy(_masked(mixtures.pictures[chosen].astype(np.float32), random))
            optimiser.zero_grad()
            present = torch.from_numpy(mixtures.present[chosen])
            known = present >= 0
            loss = (loss_of(network(pictures), present) * known).sum() / known.sum()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        network.eval()
        if checkpoint is not None:
            _save(checkpoint, epoch + 1, network, optimiser, schedule)
        if told is not None:
            val_loss = None if validation is None else _loss(network, validation)
            told(EpochLoss(epoch + 1, epochs, total / len(order), val_loss))
    network.eval()
    return network


def _save(checkpoint: Path, epochs: int, network: Any, optimiser: Any, schedule: Any) -> None:
    """Write a checkpoint; the one before stays until the new one is complete."""
    import torch

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    part = checkpoint.with_name(f"{checkpoint.name}.part")
    states = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
    torch.save({"epochs": epochs, "random": torch.get_rng_state(), **states}, part)
    part.replace(checkpoint)


def _restore(checkpoint: Path, network: Any, optimiser: Any, schedule: Any) -> int:
    """Load a checkpoint.

    Returns:
        The epochs that were finished.
    """
    import torch

    states = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(states["network"])
    optimiser.load_state_dict(states["optimiser"])
    schedule.load_state_dict(states["schedule"])
    torch.set_rng_state(states["random"])
    return int(states["epochs"])


def _loss(network: Any, mixtures: Mixtures) -> float:
    """Mean cross entropy of what is known, as in training."""
    found = np.clip(confidences(network, mixtures).astype(np.float64), 1e-7, 1 - 1e-7)
    known, present = mixtures.present >= 0, mixtures.present == 1
    return float(-np.log(np.where(present, found, 1 - found))[known].mean())


def temperatures(network: Any, mixtures: Mixtures) -> list[float]:
    """Fit one temperature a label on mixtures that the network has not learnt from."""
    confident = confidences(network, mixtures)
    fitted = []
    for at in range(len(LABELS)):
        known = mixtures.present[:, at] >= 0
        pairs = zip(confident[known, at], mixtures.present[known, at], strict=True)
        finds = [ScoredDetection(float(confidence), present == 1) for confidence, present in pairs]
        fitted.append(fit_temperature(finds))
    return fitted


def confidences(network: Any, mixtures: Mixtures) -> NDArray[np.float32]:
    """Give the network's confidences, not calibrated: (n, 5)."""
    import torch

    with torch.no_grad():
        parts = [
            torch.sigmoid(network(torch.from_numpy(mixtures.pictures[at : at + 256].astype(np.float32)))).numpy()
            for at in range(0, len(mixtures.pictures), 256)
        ]
    return np.concatenate(parts)


def _masked(pictures: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Blank a band of pitches or a moment in some pictures (SpecAugment, Park et al. 2019)."""
    for picture in pictures:
        if random.random() < 0.4:
            low = random.integers(0, 52)
            picture[:, low : low + random.integers(2, 12)] = 0
        if random.random() < 0.2:
            start = random.integers(0, 170)
            picture[:, :, start : start + random.integers(2, 28)] = 0
    return pictures
