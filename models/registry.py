"""The registry of known weights: the origin, checksum, licence and class meanings of each model."""

import hashlib
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from contract import Model
from contract.errors import WildpostError
from contract.messages import ObservationType

Head = Literal["yolox", "yolov8", "end2end"]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Share = Annotated[float, Meta(ge=0, le=1)]
Side = Annotated[int, Meta(ge=32, le=4096)]
Scale = Annotated[float, Meta(gt=0)]


class WeightsError(WildpostError):
    """Weights are missing or differ from the registry; the message states how to fix it."""


class WeightsMismatch(WeightsError):
    """A file's hash differs from the hash in the registry."""


class ClassMeaning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The label and observation type that detections of one network class get."""

    label: str
    observation_type: ObservationType
    scientific_name: str | None = None


class Edition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another accepted file of the same model, identified by its hash; the user must provide it."""

    sha256: Sha256
    size: Annotated[int, Meta(ge=1)]
    note: str


class VisionFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input size, output format and classes of an object-detection network.

    Attributes:
        head: The format of the output; docs/reference/models.md describes each.
        width: Width of the input, in pixels.
        height: Height of the input, in pixels.
        classes: The class names, in the order of the output.
        meanings: The meaning of each class; detections of a class without a meaning are dropped.
        threshold: The lowest confidence that is reported, unless settings override it.
        thresholds: Thresholds by label, for labels that need their own.
        temperature: Divisor of a score's logit that calibrates the confidence; 1 leaves scores unchanged.
    """

    head: Head
    width: Side
    height: Side
    classes: Annotated[tuple[str, ...], Meta(min_length=1)]
    meanings: dict[str, ClassMeaning]
    threshold: Share
    thresholds: dict[str, Share] = {}
    temperature: Annotated[float, Meta(gt=0)] = 1.0

    def __post_init__(self) -> None:
        strangers = sorted(set(self.meanings) - set(self.classes))
        if strangers:
            raise ValueError(f"meanings of unknown classes {strangers}: expected only classes of {list(self.classes)}")


class ThreatFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The thresholds of a threat-sound network.

    Attributes:
        thresholds: The lowest confidence that is reported, by label, where it differs from that of ``threat-sounds``.
    """

    thresholds: dict[str, Share] = {}


class SpeciesFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to feed a classifier of crops and how to read it.

    Attributes:
        width: Of its input, in pixels.
        height: Of its input, in pixels.
        labels: A CSV file with the columns ``label`` and ``scientific_name``, one row for each output in order;
            relative to the registry file.
        labels_sha256: The hash of that file.
        margin: As ``Framing.margin``.
        square: As ``Framing.square``.
        channels: Order of the input's colours.
        mean: Subtracted from each colour (0..1), in the order of ``channels``.
        std: By which the result is divided.
        output: Whether the network ends in a softmax.
        temperature: By which the logits are divided, so that a confidence is the share that is right; 1: as they are.
        threshold: Below this confidence the classifier makes no claim, where settings do not say otherwise.
    """

    width: Side
    height: Side
    labels: Annotated[str, Meta(min_length=1)]
    labels_sha256: Sha256
    margin: Annotated[float, Meta(ge=0, le=2)] = 0.0
    square: bool = False
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[Scale, Scale, Scale] = (1.0, 1.0, 1.0)
    output: Literal["probabilities", "logits"] = "probabilities"
    temperature: Annotated[float, Meta(gt=0)] = 1.0
    threshold: Share = 0.5


class RegistryEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the registry; exactly one of url, file and package states the origin of its weights.

    Attributes:
        filename: The file name of the weights in the weights folder.
        url: The download URL of the weights.
        file: The path of the weights, relative to the registry file.
        package: The installed distribution that contains the weights; ``filename`` is then the end of their path.
        also: Other accepted files of the same model, which the user must provide.
    """

    kind: Literal["vision", "species", "birdnet", "threat", "yamnet"]
    version: str
    licence: str
    homepage: str
    filename: str
    sha256: Sha256
    size: Annotated[int, Meta(ge=1)]
    url: str | None = None
    file: str | None = None
    package: str | None = None
    also: tuple[Edition, ...] = ()
    note: str = ""
    vision: VisionFacts | None = None
    species: SpeciesFacts | None = None
    threat: ThreatFacts | None = None
    name: str = ""  # the name of the TOML table, set on loading
    folder: Path = Path()  # the folder of the registry file, set on loading

    def __post_init__(self) -> None:
        if sum(place is not None for place in (self.url, self.file, self.package)) != 1:
            raise ValueError(f"{self.filename}: expected exactly one of url, file and package")
        for table, facts in (("vision", self.vision), ("species", self.species)):
            if (self.kind == table) != (facts is not None):
                raise ValueError(
                    f"{self.filename}: a table {table!r} belongs to kind {table!r} and to no other, not {self.kind!r}"
                )
        if self.threat is not None and self.kind != "threat":
            raise ValueError(f"{self.filename}: kind {self.kind!r}: expected a table 'threat' only for kind 'threat'")
        if self.package is None and Path(self.filename).name != self.filename:
            raise ValueError(f"filename {self.filename!r}: expected a file name without folders")

    @property
    def accepted(self) -> Mapping[str, int]:
        """The accepted hashes of this model, with the size of each file in bytes."""
        return {self.sha256: self.size, **{edition.sha256: edition.size for edition in self.also}}

    def model(self, sha256: str) -> Model:
        """Return the model description for messages: name, version and the given hash."""
        return Model(name=self.name, version=self.version, sha256=sha256)


class Pinned(Protocol):
    """Any file that is pinned by its hash and can be downloaded: weights, or a sample for the demo."""

    @property
    def name(self) -> str:
        """Display name."""

    @property
    def filename(self) -> str:
        """File name in its folder."""

    @property
    def url(self) -> str | None:
        """Download URL; None if there is none."""

    @property
    def sha256(self) -> str:
        """Expected sha256, in hexadecimal."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def accepted(self) -> Mapping[str, int]:
        """All accepted hashes, with the size of each file in bytes."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: dict[str, RegistryEntry]


Registry = Mapping[str, RegistryEntry]


def load_registry(*more: Path) -> Registry:
    """Read the registry included in Wildpost, then the given registry files of the user.

    Raises:
        WeightsError: a file is missing, is not TOML or does not have the expected fields, or a name occurs twice.
    """
    entries: dict[str, RegistryEntry] = {}
    for path in (Path(__file__).with_name("registry.toml"), *more):
        try:
            read = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise WeightsError(f"{path}: {error}") from error
        for name, entry in read.models.items():
            if name in entries:
                raise WeightsError(f"{path}: model {name!r} is already in the registry; use another name")
            entries[name] = msgspec.structs.replace(entry, name=name, folder=path.parent)
    return entries


def entry_named(name: str, registry: Registry) -> RegistryEntry:
    """Return the registry entry of a name.

    Raises:
        WeightsError: no model has this name.
    """
    if name not in registry:
        raise WeightsError(f"no model {name!r}: expected one of {', '.join(sorted(registry))}")
    return registry[name]


def place_of(entry: Pinned, folder: Path) -> Path:
    """Return the path of a pinned file, whether or not the file exists.

    Raises:
        WeightsError: the package that contains the file is not installed, or lacks the file.
    """
    if not isinstance(entry, RegistryEntry):
        return folder / entry.filename
    if entry.file is not None:
        return entry.folder / entry.file
    if entry.package is None:
        return folder / entry.filename
    try:
        files = metadata.files(entry.package) or []
    except metadata.PackageNotFoundError as error:
        raise WeightsError(
            f"{entry.name} comes with the package {entry.package}, which is not installed: install wildpost[station]"
        ) from error
    for file in files:
        if file.as_posix().endswith(entry.filename):
            return Path(str(file.locate()))
    raise WeightsError(f"{entry.name}: the installed {entry.package} has no file {entry.filename}")


def find_weights(entry: RegistryEntry | str, folder: Path) -> Path:
    """Return the path of an entry's weights, after verifying their checksum.

    Raises:
        WeightsMismatch: the file has another hash.
        WeightsError: the weights are missing, or the name is unknown.
    """
    known = entry_named(entry, load_registry()) if isinstance(entry, str) else entry
    path = place_of(known, folder)
    if not path.is_file():
        raise WeightsError(f"{known.name}: no weights at {path}; fetch them with: wildpost models pull {known.name}")
    check_hash(known, path)
    return path


def check_hash(entry: Pinned, path: Path) -> str:
    """Return a file's sha256, after verifying that the entry accepts it.

    Raises:
        WeightsMismatch: the entry does not accept it; the message contains both hashes.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found not in entry.accepted:
        expected = " or ".join(entry.accepted)
        raise WeightsMismatch(f"{entry.name}: {path} has sha256 {found}, expected {expected}; refused")
    return found
