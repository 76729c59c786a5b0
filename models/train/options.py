"""Options of training runs; each run stores its options in a file, so that the run can be resumed."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.registry import Share, WeightsError

RUN_FILE = "run.json"


class AugmentationShares(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Probability of each camera-trap augmentation for a training picture.

    Attributes:
        infrared: Grey, with the light fall-off of an infrared flash.
        low_light: Dusk.
        blur: Motion blur.
        cut_off: A crop with its edge through a box.
        empty: A crop without boxes; set to 0 unless all kinds are labelled in all pictures.
        small: A small copy of an animal at another position.
    """

    infrared: Share = 0.25
    low_light: Share = 0.1
    blur: Share = 0.1
    cut_off: Share = 0.15
    empty: Share = 0.05
    small: Share = 0.2


class TrainOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a training run of a vision network.

    Attributes:
        base: The initial network: the name of a model, a file (.pt, .yaml, an ONNX file of ``wildpost models export``),
            ``scratch`` (ultralytics' network), or ``imagenet`` (wildpost-nano's network).
        network: Which code trains: ultralytics, or ``models.train.nano`` for the network of wildpost-nano 2.
        manifest_sha256: Hash of the manifest; a run is never resumed with another manifest.
        epochs: Number of epochs.
        minutes: Time limit that replaces the number of epochs; the learning-rate schedule ends with it.
        size_px: Longest side of the network's input.
        batch: Pictures per step.
        device: ``cpu``, or the number of a GPU; None: a GPU if there is one.
        workers: Number of processes that load pictures; 0: the training process loads them.
        learning_rate: Maximum learning rate; None: chosen by ultralytics.
        mosaic: Probability of a mosaic of four pictures.
        seed: Random seed.
        shares: Probabilities of the camera-trap augmentations.
    """

    base: str
    manifest_sha256: str
    network: Literal["ultralytics", "nano"] = "ultralytics"
    epochs: Annotated[int, Meta(ge=1)] = 100
    minutes: Annotated[float, Meta(gt=0)] | None = None
    size_px: Annotated[int, Meta(ge=32, le=2048, multiple_of=32)] = 320
    batch: Annotated[int, Meta(ge=1)] = 16
    device: str | None = None
    workers: Annotated[int, Meta(ge=0)] = 2
    learning_rate: Annotated[float, Meta(gt=0)] | None = None
    mosaic: Share = 0.6
    seed: int = 0
    shares: AugmentationShares = AugmentationShares()


class SoundTrainOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a training run of a threat-sound network.

    Attributes:
        clips_sha256: Hash of the list of clips and their splits; a run is never resumed with other clips.
        kind: Distinguishes such a run from one of a vision network.
        epochs: Number of epochs.
        mixtures: Number of training windows of 2 s; there are an eighth as many validation windows.
        seed: Random seed.
    """

    clips_sha256: str
    kind: Literal["sound"] = "sound"
    epochs: Annotated[int, Meta(ge=1)] = 8
    mixtures: Annotated[int, Meta(ge=64)] = 16_000
    seed: Annotated[int, Meta(ge=0)] = 0


class _Kind(msgspec.Struct):
    kind: str = "vision"
    network: str = "ultralytics"


def is_sound_run(run: Path) -> bool:
    """Return whether a folder contains a training run of a threat-sound network."""
    return _kind_of(run).kind == "sound"


def is_nano_run(run: Path) -> bool:
    """Return whether a folder contains a training run of the network of wildpost-nano 2."""
    return _kind_of(run).network == "nano"


def _kind_of(run: Path) -> _Kind:
    try:
        return msgspec.json.decode((run / RUN_FILE).read_bytes(), type=_Kind)
    except (OSError, msgspec.MsgspecError):
        return _Kind()  # no run


def checked_sound_options(chosen: dict[str, object]) -> SoundTrainOptions:
    """Validate the values that the user set, and return the training options of a threat-sound network.

    Raises:
        WeightsError: a value is outside its limits.
    """
    try:
        return msgspec.convert(chosen, SoundTrainOptions)
    except msgspec.ValidationError as error:
        raise WeightsError(f"training options: {error}") from error


def checked_options(chosen: dict[str, object]) -> TrainOptions:
    """Validate the values that the user set, and return the training options of a vision network.

    Raises:
        WeightsError: a value is outside its limits.
    """
    try:
        return msgspec.convert(chosen, TrainOptions)
    except msgspec.ValidationError as error:
        raise WeightsError(f"training options: {error}") from error


def write_options(options: TrainOptions | SoundTrainOptions, run: Path) -> None:
    """Write the options of a training run to a file in the folder of the run."""
    run.mkdir(parents=True, exist_ok=True)
    (run / RUN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(options)))


def read_options(run: Path) -> TrainOptions:
    """Read the options of a vision network's training run from the folder of the run.

    Raises:
        WeightsError: the folder contains no run, or its file is invalid.
    """
    try:
        return msgspec.json.decode((run / RUN_FILE).read_bytes(), type=TrainOptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise WeightsError(f"{run / RUN_FILE}: {error}: expected the folder of a training run") from error


def read_sound_options(run: Path) -> SoundTrainOptions:
    """Read the options of a threat-sound network's training run from the folder of the run.

    Raises:
        WeightsError: the folder contains no such run, or its file is invalid.
    """
    try:
        return msgspec.json.decode((run / RUN_FILE).read_bytes(), type=SoundTrainOptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise WeightsError(f"{run / RUN_FILE}: {error}: expected the folder of a run for threat sounds") from error
