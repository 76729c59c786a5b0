"""Reads a site's list of species: which taxa are plausible at a location in a month."""

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contract import Location, Model
from contract.errors import InvalidInput
from i18n.taxonomy import shipped_taxonomy
from models.species.areas import Area, read_area

_COLUMNS = ("taxon", "months", "area")
_ALL_YEAR = frozenset(range(1, 13))


class SiteListError(InvalidInput):
    """A site's list of species cannot be used; the message names the file, and the line if one line is wrong."""


@dataclass(frozen=True, slots=True)
class SiteSpecies:
    """The months and the area in which one taxon of a site's list is plausible.

    Attributes:
        months: The months in which the taxon occurs, 1 to 12.
        area: The area in which the taxon occurs; None: the whole site.
    """

    months: frozenset[int]
    area: Area | None

    def occurs(self, taken_at: datetime | None, location: Location | None) -> bool:
        """Return whether the taxon is plausible at a time and place.

        An unknown time counts as plausible, and so does an unknown place.
        """
        if taken_at is not None and taken_at.month not in self.months:
            return False
        return self.area is None or location is None or self.area.contains(location)


@dataclass(frozen=True, slots=True)
class SiteList:
    """The species that are plausible at a site, read from a CSV file.

    Attributes:
        name: Name of the CSV file without its suffix.
        sha256: Hash of the CSV file.
        species: Months and areas by taxon, in lower case: as the list names it, and its accepted name.
        groups: The same by the groups above each taxon, in lower case, as far as the taxonomy knows them.
    """

    name: str
    sha256: str
    species: Mapping[str, tuple[SiteSpecies, ...]]
    groups: Mapping[str, tuple[SiteSpecies, ...]]

    def holds(self, lineage: Iterable[str], taken_at: datetime | None, location: Location | None) -> bool:
        """Return whether a taxon is plausible for the given time and location.

        It is if the list contains it or a group above it, or a taxon that belongs to it.

        Args:
            lineage: Names of the taxon and of the groups above it, most specific first.
            taken_at: Capture time; None: unknown.
            location: Location of the station; None: unknown.
        """
        names = [name.lower() for name in lineage]
        rows = [row for name in names for row in self.species.get(name, ())] + list(self.groups.get(names[0], ()))
        return any(one.occurs(taken_at, location) for one in rows)

    def combined(self, classifier: Model) -> Model:
        """Return name, version and hash that identify a classifier together with this list.

        The hash is the sha256 of the classifier's hash and the list's hash, joined by a space.
        """
        return Model(
            name=f"{classifier.name}+{self.name}"[:200],
            version=f"{classifier.version}+{self.sha256[:8]}"[:200],
            sha256=hashlib.sha256(f"{classifier.sha256} {self.sha256}".encode()).hexdigest(),
        )


def read_site_list(path: Path) -> SiteList:
    """Read a site's list of species from a CSV file with the columns ``taxon``, ``months`` and ``area``.

    Months are numbers and ranges, such as "4-10" or "11-2, 5". An empty field means the whole year.

    An area is "south west north east" in degrees. An empty field means the whole site. A taxon may have several rows.

    Raises:
        SiteListError: the file cannot be read, lists no species, or has a line in another format.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SiteListError(f"site list {path}: {error}") from error
    reader = csv.DictReader(text.splitlines())
    if reader.fieldnames is None or any(column not in reader.fieldnames for column in _COLUMNS):
        raise SiteListError(f"site list {path}: columns {reader.fieldnames}: expected {', '.join(_COLUMNS)}")
    species: dict[str, tuple[SiteSpecies, ...]] = {}
    groups: dict[str, tuple[SiteSpecies, ...]] = {}
    for row in reader:
        where = f"site list {path}, line {reader.line_num}"
        taxon, months, area = (str(row[column] or "").strip() for column in _COLUMNS)
        if not taxon:
            raise SiteListError(f"{where}: no taxon")
        one = SiteSpecies(_months(months, where), _area(area, where))
        known = shipped_taxonomy().find(taxon, "animal")
        for name in {taxon.lower(), (known.key if known else taxon).lower()}:
            species[name] = (*species.get(name, ()), one)
        for name in dict.fromkeys(name.lower() for name in (known.key, *known.lineage)) if known else ():
            groups[name] = (*groups.get(name, ()), one)
    if not species:
        raise SiteListError(f"site list {path}: no species: every claim would be dropped")
    return SiteList(path.stem, hashlib.sha256(data).hexdigest(), species, groups)


def _months(text: str, where: str) -> frozenset[int]:
    if not text:
        return _ALL_YEAR
    return frozenset(month for part in text.split(",") for month in _month_range(part.strip(), where))


def _month_range(part: str, where: str) -> Iterable[int]:
    found = re.fullmatch(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", part)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if first not in _ALL_YEAR or last not in _ALL_YEAR:
        raise SiteListError(f"{where}: months {part!r}: expected a month such as 5, or months such as 4-10 or 11-2")
    return range(first, last + 1) if first <= last else (*range(first, 13), *range(1, last + 1))


def _area(text: str, where: str) -> Area | None:
    try:
        return read_area(text) if text else None
    except ValueError as error:
        raise SiteListError(f"{where}: {error}") from error
