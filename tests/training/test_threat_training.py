"""The threat network learns, is calibrated on what it has not seen, and is exported as what it is."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.threat.front_end import BANDS, RATE_HZ, log_mel, mel_bands
from models.train.threat.fit import (
    EpochLoss,
    MixtureSet,
    fit_temperatures,
    make_mixtures,
    predict_confidences,
    train,
)
from models.train.threat.mixing import LABELS, TrainingClip
from models.train.threat.network import build_network, export_network


def made_clips() -> list[TrainingClip]:
    """A tone of its own for each threat, and noise below."""
    chance = np.random.default_rng(0)
    times = np.arange(4 * RATE_HZ) / RATE_HZ
    clips = [
        TrainingClip(chance.normal(0, 0.1, 4 * RATE_HZ).astype(np.float32), None, "noise", "made", background=True)
    ]
    for at, label in enumerate(LABELS):
        tone = 0.3 * np.sin(2 * np.pi * 400 * 1.7**at * times)
        clips.append(TrainingClip(tone.astype(np.float32), label, label, "made"))
    return clips


@pytest.fixture(scope="module")
def mixtures() -> MixtureSet:
    return make_mixtures(made_clips(), 256, seed=1)


@pytest.fixture(scope="module")
def learnt(mixtures: MixtureSet) -> tuple[Any, list[float]]:
    losses: list[float] = []
    network = train(mixtures, epochs=12, on_epoch=lambda epoch: losses.append(epoch.loss))
    return network, losses


def test_the_loss_falls(learnt: tuple[Any, list[float]]) -> None:
    losses = learnt[1]
    assert len(losses) == 12
    assert losses[-1] < 0.7 * losses[0]


def test_what_was_learnt_is_told_apart_in_mixtures_not_seen(learnt: tuple[Any, list[float]]) -> None:
    fresh = make_mixtures(made_clips(), 128, seed=2)
    found = predict_confidences(learnt[0], fresh)
    for at in range(len(LABELS)):
        present = fresh.labels[:, at] == 1
        assert found[present, at].mean() > found[~present, at].mean() + 0.2


@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")  # torch, of its own exporter
def test_the_exported_network_says_what_torch_says_with_its_temperature(
    learnt: tuple[Any, list[float]], mixtures: MixtureSet, tmp_path: Path
) -> None:
    import onnxruntime

    network = learnt[0]
    fitted = fit_temperatures(network, mixtures)
    export_network(network, fitted, str(tmp_path / "threat.onnx"))
    assert (tmp_path / "threat.onnx").stat().st_size < 2_000_000
    pictures = mixtures.spectrograms[:16].astype(np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "threat.onnx"), providers=["CPUExecutionProvider"])
    exported = session.run(None, {"log_mel": pictures})[0]
    few = MixtureSet(mixtures.spectrograms[:16], mixtures.labels[:16])
    logits = np.log(
        predict_confidences(network, few).astype(np.float64)
        / (1 - predict_confidences(network, few).astype(np.float64))
    )
    assert np.abs(exported - 1 / (1 + np.exp(-logits / np.array(fitted)))).max() < 1e-3


def test_a_resumed_training_ends_where_one_without_a_break_does(mixtures: MixtureSet, tmp_path: Path) -> None:
    class Break(Exception):
        """Ends training after an epoch."""

    def stop(epoch: EpochLoss) -> None:
        losses.append(epoch.val_loss)
        if len(losses) == 1:
            raise Break

    few = MixtureSet(mixtures.spectrograms[:64], mixtures.labels[:64])
    losses: list[float | None] = []
    whole = train(few, epochs=2, seed=5)
    with pytest.raises(Break):
        train(few, 2, 5, stop, validation=few, checkpoint=tmp_path / "run" / "last.pt")
    again = train(few, 2, 5, stop, validation=few, checkpoint=tmp_path / "run" / "last.pt")
    assert len(losses) == 2 and all(loss is not None and 0 < loss < 2 for loss in losses)
    assert np.abs(predict_confidences(again, few) - predict_confidences(whole, few)).max() < 1e-6


def test_the_exported_network_says_what_it_is(learnt: tuple[Any, list[float]], tmp_path: Path) -> None:
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own exporter
        export_network(learnt[0], [1.0, 1.5, 2.0, 2.5, 3.0], str(tmp_path / "threat.onnx"), {"licences": "CC0"})
    stated = {entry.key: entry.value for entry in onnx.load(tmp_path / "threat.onnx").metadata_props}
    assert stated == {"labels": ",".join(LABELS), "temperatures": "1,1.5,2,2.5,3", "licences": "CC0"}


def test_a_pi_zero_can_hold_it() -> None:
    assert sum(parameter.numel() for parameter in build_network().parameters()) < 300_000


def test_the_bands_are_those_of_librosa() -> None:
    import librosa

    theirs = librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=BANDS, fmin=60, fmax=7800, htk=True, norm=None)
    assert np.abs(mel_bands().T - theirs).max() < 1e-5


def test_the_picture_is_librosas_brought_to_mean_0_and_spread_1() -> None:
    import librosa

    sound = np.random.default_rng(3).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    # Theirs has the window in the middle of the transform, ours at its start.
    padded = np.pad(sound, (56, 56))
    found = librosa.stft(padded, n_fft=512, hop_length=160, win_length=400, window=np.hanning(400), center=False)
    theirs = np.log(mel_bands().T @ np.abs(found) ** 2 + 1e-6)
    assert np.abs(log_mel(sound[None])[0, 0] - (theirs - theirs.mean()) / theirs.std()).max() < 1e-3
