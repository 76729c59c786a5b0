"""Reads the labels of a classifier: one row for each output of its network, with the scientific name where known."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.registry import WeightsError, WeightsMismatch

_COLUMNS = ("label", "scientific_name")


@dataclass(frozen=True, slots=True)
class TaxonLabel:
    """What an output of the network means.

    Attributes:
        label: The classifier's own name of the class.
        scientific_name: None where the class is no single taxon, or none that is known.
    """

    label: str
    scientific_name: str | None


def read_labels(path: Path, sha256: str) -> tuple[TaxonLabel, ...]:
    """Read a labels file.

    Raises:
        WeightsMismatch: its hash is not the expected one.
        WeightsError: it cannot be read, or is no table of labels.
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
    labels = []
    for row in reader:
        label, name = (str(row[column] or "").strip() for column in _COLUMNS)
        if not 0 < len(label) <= 200 or len(name) > 200:
            raise WeightsError(f"labels {path}, line {reader.line_num}: expected a label of 1 to 200 characters")
        labels.append(TaxonLabel(label, name or None))
    return tuple(labels)
