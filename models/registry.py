"""The registry of models: the origin, checksum, licence and class meanings of the weights of each model."""

import hashlib
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, Protocol, get_args

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
Rank = Literal["species", "genus", "family", "order", "class"]
RANKS: tuple[Rank, ...] = get_args(Rank)


class WeightsError(WildpostError):
    """A weights file is missing or differs from the registry; the message states how to fix the problem."""


class WeightsMismatch(WeightsError):
    """The hash of a weights file differs from the hash in the registry."""


class ClassMeaning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The label and the observation type of detections of one class of a network."""

    label: str
    observation_type: ObservationType
    scientific_name: str | None = None


class Edition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alternative weights file that a registry entry accepts; the user must provide the file."""

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
        temperatures: Temperatures by class, for classes that need their own.
    """

    head: Head
    width: Side
    height: Side
    classes: Annotated[tuple[str, ...], Meta(min_length=1)]
    meanings: dict[str, ClassMeaning]
    threshold: Share
    thresholds: dict[str, Share] = {}
    temperature: Scale = 1.0
    temperatures: dict[str, Scale] = {}

    def __post_init__(self) -> None:
        for field, named in (("meanings", self.meanings), ("temperatures", self.temperatures)):
            strangers = sorted(set(named) - set(self.classes))
            if strangers:
                raise ValueError(
                    f"{field} of unknown classes {strangers}: expected only classes of {list(self.classes)}"
                )


class ThreatFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The confidence thresholds of a threat-sound network, by label.

    Attributes:
        thresholds: The lowest confidence that is reported, by label, where it differs from that of ``threat-sounds``.
    """

    thresholds: dict[str, Share] = {}


class SpeciesFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input format, the output format and the labels of a species-classification network.

    Attributes:
        width: Width of the input, in pixels.
        height: Height of the input, in pixels.
        labels: Path of a CSV file with the columns ``label`` and ``scientific_name`` and one row per network output, in
            the order of the outputs. The path is relative to the registry file. Further columns name the groups above
            (``genus``, ``family``, ``order``, ``class``) and where the taxon occurs (``areas``).
        labels_sha256: Hash of the labels file.
        margin: The margin of the crops; see ``Framing.margin``.
        square: Whether the crops are square; see ``Framing.square``.
        channels: Order of the colour channels in the input.
        mean: Value subtracted from each colour channel (0..1), in the order of ``channels``.
        std: Divisor of each colour channel after the subtraction, in the order of ``channels``.
        output: Type of the outputs: "probabilities" for a network that ends in a softmax, otherwise "logits".
        temperature: Divisor of the logits that calibrates the confidences; 1 leaves them unchanged.
        threshold: The lowest confidence at which a classification is returned, unless settings override it.
        thresholds: Higher thresholds by rank, for groups above the species.
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
    temperature: Scale = 1.0
    threshold: Share = 0.5
    thresholds: dict[Rank, Share] = {}


class RegistryEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model in the registry; exactly one of url, file and package states the origin of its weights.

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
        """Sizes in bytes of all weights files that the entry accepts, by sha256."""
        return {self.sha256: self.size, **{edition.sha256: edition.size for edition in self.also}}

    def model(self, sha256: str) -> Model:
        """Return the description of the model for messages: name and version of the entry, and the given hash."""
        return Model(name=self.name, version=self.version, sha256=sha256)


class Pinned(Protocol):
    """Interface of a registered file with a known hash: a weights file, or a picture or recording for the demo."""

    @property
    def name(self) -> str:
        """Name of the model or the demo sample, for display."""

    @property
    def filename(self) -> str:
        """Name under which the file is stored in its folder."""

    @property
    def url(self) -> str | None:
        """Download URL of the file; None if the file cannot be downloaded."""

    @property
    def sha256(self) -> str:
        """Expected sha256 of the file, in hexadecimal."""

    @property
    def size(self) -> int:
        """Expected size of the file, in bytes."""

    @property
    def accepted(self) -> Mapping[str, int]:
        """Sizes in bytes of all accepted editions of the file, by sha256."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: dict[str, RegistryEntry]


Registry = Mapping[str, RegistryEntry]


def load_registry(*more: Path) -> Registry:
    """Read the registry file included in Wildpost and the user's registry files into one registry.

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
    """Return the registry entry of the model with the given name.

    Raises:
        WeightsError: no model has this name.
    """
    if name not in registry:
        raise WeightsError(f"no model {name!r}: expected one of {', '.join(sorted(registry))}")
    return registry[name]


def place_of(entry: Pinned, folder: Path) -> Path:
    """Return the path at which a weights file or a demo sample is stored, whether or not the file exists.

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
    """Return the path of a model's weights file, after verifying the checksum of the file.

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


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(entry: Pinned, path: Path) -> str:
    """Verify that a registry entry accepts a file, and return the sha256 of the file.

    Raises:
        WeightsMismatch: the entry does not accept it; the message contains both hashes.
    """
    found = sha256_of(path)
    if found not in entry.accepted:
        expected = " or ".join(entry.accepted)
        raise WeightsMismatch(f"{entry.name}: {path} has sha256 {found}, expected {expected}; refused")
    return found
