"""Finds the demo something real to look at and listen to, and says where it comes from."""

import importlib.metadata
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from captures.file_types import PICTURES, RECORDINGS
from contract.errors import WildpostError
from models.download import pull
from models.registry import WeightsError

# Photographs of the usual kind, not drawings or charts, that distributions carry as examples.
CARRIED = {"matplotlib": ("grace_hopper.jpg",), "ultralytics": ("bus.jpg", "zidane.jpg")}


class NoSamples(WildpostError):
    """There is nothing to show; the message says how to name files of one's own."""


class _Pinned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    url: str
    sha256: str
    size: int
    licence: str

    @property
    def filename(self) -> str:
        """Its path below the samples folder."""
        return self.name

    @property
    def accepted(self) -> dict[str, int]:
        """The one hash that counts."""
        return {self.sha256: self.size}


class _Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sample: list[_Pinned]


@dataclass(frozen=True, slots=True)
class Samples:
    """What the demo shows.

    Attributes:
        pictures: Files a camera station reads.
        recordings: Files a microphone station reads.
        origin: Where they come from, for the person watching.
    """

    pictures: tuple[Path, ...]
    recordings: tuple[Path, ...]
    origin: str


def find_samples(told: Path | None, here: Path, cache: Path) -> Samples:
    """Find files to show: those told, else ./samples, else public ones, else what installed packages carry.

    Args:
        told: The folder named on the command line.
        here: The folder the command runs in.
        cache: Where fetched samples are kept.

    Raises:
        NoSamples: none of these holds a picture or a recording.
    """
    if told is not None:
        return _in_folder(told, f"your files in {told}")
    if (here / "samples").is_dir():
        return _in_folder(here / "samples", f"the files in {here / 'samples'}")
    try:
        fetched = _fetched(cache)
    except WeightsError as error:
        return _carried(error)
    return _in_folder(fetched, f"public samples (MIT, Apache-2.0, CC), kept in {fetched}")


def _in_folder(folder: Path, origin: str) -> Samples:
    if not folder.is_dir():
        raise NoSamples(f"{folder}: no such folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    pictures = tuple(path for path in files if path.suffix.lower() in PICTURES)
    recordings = tuple(path for path in files if path.suffix.lower() in RECORDINGS)
    if not pictures and not recordings:
        raise NoSamples(f"{folder}: no picture ({_list(PICTURES)}) and no recording ({_list(RECORDINGS)}) in it")
    return Samples(pictures, recordings, origin)


def _fetched(cache: Path) -> Path:
    pins = msgspec.convert(tomllib.loads(Path(__file__).with_name("samples.toml").read_text()), _Pins)
    for pin in pins.sample:
        (cache / pin.name).parent.mkdir(parents=True, exist_ok=True)
        pull(pin, cache, mirror=os.environ.get("WILDPOST_MODEL_MIRROR"), timeout_s=10)
    return cache


def _carried(why: Exception) -> Samples:
    pictures = []
    for distribution, names in CARRIED.items():
        try:
            files = importlib.metadata.files(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        pictures += [Path(str(file.locate())) for file in files if file.name in names]
    if not pictures:
        raise NoSamples(f"public samples cannot be fetched ({why}); name a folder of your own: --samples DIR")
    return Samples(
        tuple(pictures),
        (),
        f"photographs that installed packages carry, since public samples cannot be fetched ({why}); "
        "show your own with --samples DIR",
    )


def _list(endings: set[str]) -> str:
    return " ".join(sorted(endings))
