"""What animals are called in Chinese, English and Latin, so that a ranger can type any of the three."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contract.messages import ObservationType


@dataclass(frozen=True, slots=True)
class Taxon:
    """One kind of thing: the label that detectors use, its names, and its scientific name where it has one."""

    label: str
    scientific_name: str | None
    zh: str
    en: str
    observation_type: ObservationType

    @property
    def key(self) -> str:
        """What the store counts it under: the scientific name where there is one, else the label."""
        return self.scientific_name or self.label

    def name(self, language: str) -> str:
        """Call it what readers of a language call it."""
        return self.zh if language == "zh_CN" else self.en


@cache
def all_taxa() -> tuple[Taxon, ...]:
    """Read the table that comes with the program."""
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


def taxon_named(name: str) -> Taxon | None:
    """Find a kind by its label or any of its names; None where the table does not know it."""
    return _by_key().get(name.strip().replace("_", " ").casefold()) or _by_key().get(name.strip().casefold())


def display_name(label: str, scientific_name: str | None, language: str) -> str:
    """Name what a detector found in the reader's language, or as the detector named it."""
    taxon = (scientific_name and taxon_named(scientific_name)) or taxon_named(label)
    return taxon.name(language) if taxon else label.replace("_", " ")
