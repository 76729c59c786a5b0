"""Finds pictures, films and recordings for the demo."""

import importlib.metadata
import os
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from captures.file_kind import kind_of_path
from captures.file_types import CAPTURES, FILMS, PICTURES, RECORDINGS
from captures.folder_listing import describe_passed_over, walk
from contract.errors import WildpostError
from models.download import pull
from models.registry import WeightsError

# Photographs (not drawings or charts) that installed distributions contain as examples.
BUNDLED = {"matplotlib": ("grace_hopper.jpg",), "ultralytics": ("bus.jpg", "zidane.jpg")}


class NoSamples(WildpostError):
    """No sample picture or recording was found; the message says how to use other files."""


class _PinnedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    url: str
    sha256: str
    size: int
    licence: str

    @property
    def filename(self) -> str:
        """Path of the sample file, relative to the samples folder."""
        return self.name

    @property
    def accepted(self) -> dict[str, int]:
        """Mapping from the expected SHA-256 hash of the sample file to its size in bytes."""
        return {self.sha256: self.size}


class _Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sample: list[_PinnedFile]


@dataclass(frozen=True, slots=True)
class Samples:
    """Input files of the demo's two stations.

    Attributes:
        pictures: Files for the camera station: pictures and films.
        recordings: Files for the microphone station.
        origin: Description of their origin, for the user.
    """

    pictures: tuple[Path, ...]
    recordings: tuple[Path, ...]
    origin: str


def find_samples(given: Path | None, here: Path, cache: Path) -> Samples:
    """Find pictures and recordings for the demo in the first available source.

    The order is ``given``, the folder ./samples, downloaded public samples, and the samples in installed packages.

    Args:
        given: The folder named on the command line.
        here: The current working directory.
        cache: Folder for downloaded samples.

    Raises:
        NoSamples: none of these holds a picture or a recording.
    """
    if given is not None:
        return _in_folder(given, f"your files in {given}")
    if (here / "samples").is_dir():
        return _in_folder(here / "samples", f"the files in {here / 'samples'}")
    try:
        downloaded = _download(cache)
    except WeightsError as error:
        return _bundled(error)
    return _in_folder(downloaded, f"public samples (MIT, Apache-2.0, CC), stored in {downloaded}")


def find_samples_for(simulated: int, given: Path | None, here: Path, cache: Path) -> Samples:
    """Find samples like ``find_samples``; if there are none, a demo with simulated stations goes on without them.

    Raises:
        NoSamples: there are none, and the user has named a folder or wants nothing simulated.
    """
    try:
        return find_samples(given, here, cache)
    except NoSamples as error:
        if given is not None or not simulated:
            raise
        return Samples((), (), f"simulated captures only: {error}")


def _in_folder(folder: Path, origin: str) -> Samples:
    if not folder.is_dir():
        raise NoSamples(f"{folder}: no such folder")
    families: dict[str, list[Path]] = {"picture": [], "recording": []}
    passed_over: Counter[str] = Counter()
    for listing in walk(str(folder), CAPTURES, follow_links=True):
        passed_over += listing.passed_over
        for file in listing.files:
            family = _family(Path(file.path))
            families.setdefault(family, []).append(Path(file.path))
    pictures, recordings = tuple(families["picture"]), tuple(families["recording"])
    if not pictures and not recordings:
        others = f", but {describe_passed_over(passed_over)}" if passed_over else ""
        raise NoSamples(
            f"{folder}: contains no picture ({_list(PICTURES)}), no film ({_list(FILMS)}) "
            f"and no recording ({_list(RECORDINGS)}){others}"
        )
    return Samples(pictures, recordings, origin)


def _family(path: Path) -> str:
    """Return whether a file is for the camera or the microphone station: by its first bytes, else by its name."""
    try:
        kind = kind_of_path(path)
    except OSError:
        return "unreadable"
    if kind is not None and kind.family != "other":
        return "recording" if kind.family == "recording" else "picture"
    # The station sets it aside with the reason.
    return "picture" if path.suffix.lower() in PICTURES | FILMS else "recording"


def _download(cache: Path) -> Path:
    pins = msgspec.convert(tomllib.loads(Path(__file__).with_name("samples.toml").read_text()), _Pins)
    for pin in pins.sample:
        (cache / pin.name).parent.mkdir(parents=True, exist_ok=True)
        pull(pin, cache, mirror=os.environ.get("WILDPOST_MODEL_MIRROR"), timeout_s=10)
    return cache


def _bundled(error: Exception) -> Samples:
    pictures = []
    for distribution, names in BUNDLED.items():
        try:
            files = importlib.metadata.files(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        pictures += [Path(str(file.locate())) for file in files if file.name in names]
    if not pictures:
        raise NoSamples(f"public samples cannot be downloaded ({error}); use your own folder: --samples DIR")
    return Samples(
        tuple(pictures),
        (),
        f"photographs from installed packages, since public samples cannot be downloaded ({error}); "
        "use your own with --samples DIR",
    )


def _list(suffixes: set[str]) -> str:
    return " ".join(sorted(suffixes))
