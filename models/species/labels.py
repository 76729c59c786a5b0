"""Reads the labels file of a species classifier: name, taxon and range of each output of the network."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from contract import Location
from models.registry import RANKS, Rank, WeightsError, WeightsMismatch
from models.species.areas import Area, read_area

_COLUMNS = ("label", "scientific_name")
_ABOVE: tuple[Rank, ...] = RANKS[1:]  # optional columns: genus, family, order, class


@dataclass(frozen=True, slots=True)
class TaxonLabel:
    """The taxon of one output of a classification network.

    Attributes:
        label: The name of the class in the classifier.
        scientific_name: The scientific name; None if the class is not a single taxon or its taxon is unknown.
        above: The groups above the taxon, by rank; empty if the file does not name them.
        areas: Where the taxon occurs; empty: everywhere, or unknown.
    """

    label: str
    scientific_name: str | None
    above: tuple[tuple[Rank, str], ...] = ()
    areas: tuple[Area, ...] = ()

    @property
    def name(self) -> str:
        """The scientific name, or the label if there is none."""
        return self.scientific_name or self.label

    @property
    def lineage(self) -> tuple[tuple[Rank, str], ...]:
        """Rank and name of the taxon and of all groups above it, most specific first.

        A taxon between two ranks, such as a subfamily, has the lower one.
        """
        if any(name == self.name for _, name in self.above):
            return self.above
        is_species = not self.above or " " in self.name
        return (("species" if is_species else "genus", self.name), *self.above)

    def occurs(self, place: Location | None) -> bool:
        """Return whether the taxon occurs at a place; an unknown place is plausible."""
        return place is None or not self.areas or any(area.contains(place) for area in self.areas)


def read_labels(path: Path, sha256: str) -> tuple[TaxonLabel, ...]:
    """Read the labels file of a species classifier, after verifying the hash of the file.

    The columns ``genus``, ``family``, ``order``, ``class`` and ``areas`` may be missing or empty.

    Raises:
        WeightsMismatch: the hash of the file differs from ``sha256``.
        WeightsError: the file cannot be read, lacks a column, has a label that is empty or too long, or an area in
            another format.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"labels {path}: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsMismatch(f"labels {path}: sha256 {found}, expected {sha256}; refused")
    reader = csv.DictReader(text.splitlines())
    if reader.fieldnames is None or any(column not in reader.fieldnames for column in _COLUMNS):
        raise WeightsError(f"labels {path}: columns {reader.fieldnames}: expected {', '.join(_COLUMNS)}")
    return tuple(_label(row, f"labels {path}, line {reader.line_num}") for row in reader)


def _label(row: dict[str, str | None], where: str) -> TaxonLabel:
    cells = {column: (value or "").strip() for column, value in row.items() if isinstance(value, str | None)}
    label, name = (cells.get(column, "") for column in _COLUMNS)
    above = tuple((rank, cells[rank]) for rank in _ABOVE if cells.get(rank))
    if not 0 < len(label) <= 200 or any(len(text) > 200 for text in (name, *(group for _, group in above))):
        raise WeightsError(f"{where}: expected a label of 1 to 200 characters")
    try:
        areas = tuple(read_area(part) for part in cells.get("areas", "").split(";") if part.strip())
    except ValueError as error:
        raise WeightsError(f"{where}: {error}") from error
    return TaxonLabel(label, name or None, above, areas)
