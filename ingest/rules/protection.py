"""Protection levels of species, read from a CSV table that a reserve can replace."""

import csv
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from contract import Detection
from contract.errors import InvalidInput
from contract.messages import ObservationType
from i18n.taxonomy import Taxon, Taxonomy, shipped_taxonomy
from i18n.taxonomy.domestic import DOMESTIC

_NAME = ("scientific_name", "学名")
_LEVEL = ("protection", "保护级别")
UNPROTECTED = "none"
_STRICTNESS = ("I", "II", "sanyou")
_OFFICIAL = {"一级": "I", "二级": "II"}  # the two levels of the national list of key protected wildlife


class SpeciesError(InvalidInput):
    """Invalid table of protection levels; the message contains the file, the line and what was expected."""


def read_species(path: Path) -> Mapping[str, str]:
    """Read a CSV table of protection levels and return them by scientific name.

    Two columns are read and all others ignored: ``scientific_name`` (or 学名) and ``protection`` (or 保护级别).
    A name may be a species, a subspecies or a genus ("Moschus" or "Moschus spp."). 一级 and 二级 are read as "I" and
    "II"; "none" is for a domestic form of a protected species; any other level is used as written. Rows without a
    name or a level are skipped.

    Returns:
        Levels by name in lower case.

    Raises:
        SpeciesError: the file is missing, is not UTF-8, lacks a column or gives one name two levels.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpeciesError(f"{path}: {error}") from error
    columns = list(rows[0]) if rows else []
    name_column, level_column = (next((one for one in known if one in columns), None) for known in (_NAME, _LEVEL))
    if name_column is None or level_column is None:
        raise SpeciesError(f"{path}: columns {columns}: expected {' or '.join(_NAME)}, and {' or '.join(_LEVEL)}")
    levels: dict[str, str] = {}
    for line, row in enumerate(rows, 2):
        name, level = _clean(row[name_column]).lower(), _clean(row[level_column])
        if not name or not level:
            continue
        level = _OFFICIAL.get(level, level)
        if levels.setdefault(name, level) != level:
            raise SpeciesError(
                f"{path}, line {line}: {name!r} has level {level!r}, but {levels[name]!r} in an earlier line"
            )
    return levels


class Protection:
    """Protection levels of animals under any of their names: of the official lists, and of a reserve's own table."""

    def __init__(self, table: Mapping[str, str] | None = None, taxonomy: Taxonomy | None = None) -> None:
        """Combine a table with the official lists.

        Args:
            table: Levels by name in lower case, as ``read_species`` returns them; they win over the official lists.
            taxonomy: Names and official lists; None: those that are part of Wildpost.
        """
        self._taxonomy = shipped_taxonomy() if taxonomy is None else taxonomy
        self._table = dict(table or {})
        self._by_key: dict[str, str] = {}
        for name, level in self._table.items():
            key = self._taxonomy.key(name, name.capitalize(), "animal")
            # If two names in the table are one taxon, the name that is accepted now has the last word.
            if key.lower() == name or key not in self._by_key:
                self._by_key[key] = level
        self._cached = lru_cache(maxsize=10_000)(self._level)

    @property
    def names(self) -> frozenset[str]:
        """Names in the reserve's own table, in lower case."""
        return frozenset(self._table)

    @property
    def levels(self) -> frozenset[str]:
        """All levels that an animal can have."""
        official = {entry.level for taxon in self._taxonomy.taxa for entry in self._taxonomy.protection(taxon.key)}
        return frozenset(official.union(self._table.values()) - {UNPROTECTED})

    def of(self, detection: Detection) -> str | None:
        """Return the protection level of the animal of a detection; None if it is unprotected or no animal."""
        named = detection.identification
        return self._cached(named.label, named.scientific_name, detection.observation_type)

    def _level(self, label: str, scientific_name: str | None, observation_type: ObservationType) -> str | None:
        if observation_type in ("human", "vehicle", "blank"):
            return None
        words = (scientific_name or "").lower().split()
        taxon = self._taxonomy.resolve(label, scientific_name, "animal")
        if taxon is None and words:
            taxon = self._taxonomy.find(words[0], "animal")  # an unknown species of a known genus
        names = [" ".join(words[:count]) for count in range(len(words), 0, -1)]
        level = next((self._table[name] for name in names if name in self._table), None)
        if level is None and taxon is not None:
            level = next((self._by_key[name] for name in taxon.lineage if name in self._by_key), self._official(taxon))
        return None if level == UNPROTECTED else level

    def _official(self, taxon: Taxon) -> str | None:
        """Return the strictest official level of the taxon itself, else of the nearest group that is listed whole."""
        if taxon.key in DOMESTIC:
            return None
        for name in taxon.lineage:
            found = {entry.level for entry in self._taxonomy.protection(name)}
            if found:
                return next((level for level in _STRICTNESS if level in found), min(found))
        return None


def _clean(text: str | None) -> str:
    # Official lists contain full-width spaces, and mark a genus with "spp.".
    return " ".join((text or "").replace("　", " ").strip(" *#").removesuffix("spp.").split())
