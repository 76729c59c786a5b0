"""How to train: what a run is started with, and what it writes down so that it can be taken up again."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.registry import Share, WeightsError

RUN_FILE = "run.json"


class FieldShares(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In what share of the training pictures the field is imitated.

    Attributes:
        infrared: Grey, with the falling light of an infrared flash.
        low_light: Dusk.
        blur: Smeared by movement.
        cut_off: The edge goes through an animal.
        empty: A corner without anything; 0 where not all kinds were looked for in all pictures.
        small: A small copy of an animal is put somewhere else.
    """

    infrared: Share = 0.25
    low_light: Share = 0.1
    blur: Share = 0.1
    cut_off: Share = 0.15
    empty: Share = 0.05
    small: Share = 0.2


class TrainOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run is made of.

    Attributes:
        base: What it starts from: a model's name, a file (.pt, .yaml, an ONNX of our own export), or ``scratch``.
        manifest_sha256: Of the list of pictures: a run is never taken up on another one.
        epochs: How often each picture is seen.
        minutes: Stop after so long, whatever the epochs; the learning rate falls to its end within it.
        size_px: Longest side of the network's input.
        batch: Pictures a step.
        device: ``cpu``, or the number of a GPU; None: a GPU where there is one.
        workers: Processes that prepare pictures; 0: the training process itself.
        learning_rate: At its highest; None: ultralytics chooses.
        mosaic: Share of the pictures put together of four.
        seed: Of all chance.
        shares: Of the field's imitations.
    """

    base: str
    manifest_sha256: str
    epochs: Annotated[int, Meta(ge=1)] = 100
    minutes: Annotated[float, Meta(gt=0)] | None = None
    size_px: Annotated[int, Meta(ge=32, le=2048, multiple_of=32)] = 320
    batch: Annotated[int, Meta(ge=1)] = 16
    device: str | None = None
    workers: Annotated[int, Meta(ge=0)] = 2
    learning_rate: Annotated[float, Meta(gt=0)] | None = None
    mosaic: Share = 0.6
    seed: int = 0
    shares: FieldShares = FieldShares()


class SoundTrainOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run for threat sounds is made of.

    Attributes:
        clips_sha256: Of the list of clips and their splits: a run is never resumed on other clips.
        kind: Tells such a run from one for pictures.
        epochs: How often each mixture is seen.
        mixtures: How many windows of 2 s are mixed out of the training clips; an eighth as many for validation.
        seed: Of all random choices.
    """

    clips_sha256: str
    kind: Literal["sound"] = "sound"
    epochs: Annotated[int, Meta(ge=1)] = 8
    mixtures: Annotated[int, Meta(ge=64)] = 16_000
    seed: Annotated[int, Meta(ge=0)] = 0


class _Kind(msgspec.Struct):
    kind: str = "vision"


def is_sound_run(run: Path) -> bool:
    """Return whether a folder holds a run for threat sounds."""
    try:
        return msgspec.json.decode((run / RUN_FILE).read_bytes(), type=_Kind).kind == "sound"
    except (OSError, msgspec.MsgspecError):
        return False


def checked_sound_options(chosen: dict[str, object]) -> SoundTrainOptions:
    """Make options for threat sounds of what a person chose.

    Raises:
        WeightsError: a value is outside its limits.
    """
    try:
        return msgspec.convert(chosen, SoundTrainOptions)
    except msgspec.ValidationError as error:
        raise WeightsError(f"training options: {error}") from error


def checked_options(chosen: dict[str, object]) -> TrainOptions:
    """Make options of what a person chose.

    Raises:
        WeightsError: a value is outside its limits.
    """
    try:
        return msgspec.convert(chosen, TrainOptions)
    except msgspec.ValidationError as error:
        raise WeightsError(f"training options: {error}") from error


def write_options(options: TrainOptions | SoundTrainOptions, run: Path) -> None:
    """Write a run's options into its folder."""
    run.mkdir(parents=True, exist_ok=True)
    (run / RUN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(options)))


def read_options(run: Path) -> TrainOptions:
    """Read the options of a run.

    Raises:
        WeightsError: there is no run in this folder, or its file is broken.
    """
    try:
        return msgspec.json.decode((run / RUN_FILE).read_bytes(), type=TrainOptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise WeightsError(f"{run / RUN_FILE}: {error}: expected the folder of a training run") from error


def read_sound_options(run: Path) -> SoundTrainOptions:
    """Read the options of a run for threat sounds.

    Raises:
        WeightsError: there is no such run in this folder, or its file is broken.
    """
    try:
        return msgspec.json.decode((run / RUN_FILE).read_bytes(), type=SoundTrainOptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise WeightsError(f"{run / RUN_FILE}: {error}: expected the folder of a run for threat sounds") from error
