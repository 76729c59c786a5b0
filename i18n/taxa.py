"""Chinese, English and scientific names of animals and other labels of detectors."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contract.messages import ObservationType


@dataclass(frozen=True, slots=True)
class Taxon:
    """A taxon, or another thing that detectors report: its label, its names, and its scientific name if it has one."""

    label: str
    scientific_name: str | None
    zh: str
    en: str
    observation_type: ObservationType

    @property
    def key(self) -> str:
        """Key for counts in the store: the scientific name, or the label if there is none."""
        return self.scientific_name or self.label

    def name(self, language: str) -> str:
        """Return its name in a language."""
        return self.zh if language == "zh_CN" else self.en


@cache
def all_taxa() -> tuple[Taxon, ...]:
    """Load taxa.csv."""
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
    """Return the taxon with this label or name in any language; None if the table has none."""
    return _by_key().get(name.strip().replace("_", " ").casefold()) or _by_key().get(name.strip().casefold())


def display_name(label: str, scientific_name: str | None, language: str) -> str:
    """Return the name of a detection in a language, or the detector's label if the table has no name."""
    taxon = (scientific_name and find_taxon(scientific_name)) or find_taxon(label)
    return taxon.name(language) if taxon else label.replace("_", " ")
