"""Chinese, English and scientific names of animals and other labels of detectors."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contract.messages import ObservationType


@dataclass(frozen=True, slots=True)
class Taxon:
    """Label and names of a taxon, or of another thing that detectors report, such as a vehicle."""

    label: str
    scientific_name: str | None
    zh: str
    en: str
    observation_type: ObservationType

    @property
    def key(self) -> str:
        """Key under which detections of the taxon are counted: the scientific name, or the label if it has none."""
        return self.scientific_name or self.label

    def name(self, language: str) -> str:
        """Return the Chinese or English name of the taxon."""
        return self.zh if language == "zh_CN" else self.en


@cache
def all_taxa() -> tuple[Taxon, ...]:
    """Load all taxa from the table taxa.csv in this package."""
    with (Path(__file__).parent / "taxa.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Taxon(row["label"], row["scientific_name"] or None, row["zh"], row["en"], _kind(row["type"]))
            for row in csv.DictReader(file)
        )


def _kind(text: str) -> ObservationType:
    kinds: tuple[ObservationType, ...] = ("animal", "human", "vehicle")
    return next(kind for kind in kinds if kind == text)


@cache
def _by_key() -> dict[str, Taxon]:
    found: dict[str, Taxon] = {}
    for taxon in all_taxa():
        for key in (taxon.scientific_name, taxon.label, taxon.en, taxon.zh):
            if key:
                found.setdefault(key.casefold(), taxon)
    return found


def find_taxon(name: str) -> Taxon | None:
    """Find a taxon by its label or a name in any language; return None if no taxon matches."""
    return _by_key().get(name.strip().replace("_", " ").casefold()) or _by_key().get(name.strip().casefold())


def display_name(label: str, scientific_name: str | None, language: str) -> str:
    """Return the name of a detected taxon in a language, or the detector's label if the taxon is unknown."""
    taxon = (scientific_name and find_taxon(scientific_name)) or find_taxon(label)
    return taxon.name(language) if taxon else label.replace("_", " ")
