"""Reads the labels file of a species classifier: label and scientific name of each output of the network."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.registry import WeightsError, WeightsMismatch

_COLUMNS = ("label", "scientific_name")


@dataclass(frozen=True, slots=True)
class TaxonLabel:
    """The label and the scientific name of one output of a classification network.

    Attributes:
        label: The name of the class in the classifier.
        scientific_name: The scientific name; None if the class is not a single taxon or its taxon is unknown.
    """

    label: str
    scientific_name: str | None


def read_labels(path: Path, sha256: str) -> tuple[TaxonLabel, ...]:
    """Read the labels file of a species classifier, after verifying the hash of the file.

    Raises:
        WeightsMismatch: the hash of the file differs from ``sha256``.
        WeightsError: the file cannot be read, lacks a column, or has a label that is empty or too long.
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
