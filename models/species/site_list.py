"""Limits a classifier to the species that a site's CSV list allows at a location in a month."""

import csv
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contract import Alternative, Classification, Location, Model
from contract.errors import InvalidInput
from models.port import Classifier, Crop, Framing

_COLUMNS = ("taxon", "months", "area")
_ALL_YEAR = frozenset(range(1, 13))


class SiteListError(InvalidInput):
    """A site's list of species cannot be used; the message names the file, and the line if one line is wrong."""


@dataclass(frozen=True, slots=True)
class SiteSpecies:
    """The months and the area in which one taxon of a site's list is plausible.

    Attributes:
        months: The months in which the taxon occurs, 1 to 12.
        area: The area in which the taxon occurs: south, west, north and east borders in degrees (WGS 84); None: the
            whole site.
    """

    months: frozenset[int]
    area: tuple[float, float, float, float] | None

    def occurs(self, taken_at: datetime | None, location: Location | None) -> bool:
        """Return whether the taxon is plausible at a time and place.

        An unknown time counts as plausible, and so does an unknown place.
        """
        if taken_at is not None and taken_at.month not in self.months:
            return False
        if self.area is None or location is None:
            return True
        south, west, north, east = self.area
        return south <= location.latitude <= north and west <= location.longitude <= east


@dataclass(frozen=True, slots=True)
class SiteList:
    """The species that are plausible at a site, read from a CSV file.

    Attributes:
        name: Name of the CSV file without its suffix.
        sha256: Hash of the CSV file.
        species: Months and areas by taxon. The key is the scientific name in lower case, or the classifier's label in
            lower case for a class without a scientific name.
    """

    name: str
    sha256: str
    species: dict[str, tuple[SiteSpecies, ...]]

    def holds(self, taxon: str, taken_at: datetime | None, location: Location | None) -> bool:
        """Return whether the site's list contains a taxon for the given time and location."""
        return any(one.occurs(taken_at, location) for one in self.species.get(taxon.lower(), ()))


class SiteFilter:
    """A classifier that limits the results of another classifier to a site's list of species.

    See ``Classifier`` for the contract.

    The most probable taxon in the list is returned with its original confidence, if that reaches the threshold. The
    confidences of taxa outside the list are not redistributed to the taxa in the list: if the network is confident of
    a species outside the list, the picture probably shows something outside the list, and no result is returned.
    """

    def __init__(self, classifier: Classifier, site: SiteList, threshold: float, alternatives: int = 3) -> None:
        """Limit the results of a classifier to a site's list of species.

        Args:
            classifier: A classifier with threshold 0 and many alternatives, so that species in the list are among its
                results.
            site: The list of species.
            threshold: The lowest confidence at which a classification is returned.
            alternatives: Maximum number of less probable taxa in each classification.
        """
        self._classifier, self._site = classifier, site
        self._threshold, self._alternatives = threshold, alternatives
        inner = classifier.model
        self._model = Model(
            name=f"{inner.name}+{site.name}"[:200],
            version=f"{inner.version}+{site.sha256[:8]}"[:200],
            sha256=hashlib.sha256(f"{inner.sha256} {site.sha256}".encode()).hexdigest(),
        )

    @property
    def model(self) -> Model:
        """Name, version and hash that identify the classifier together with the site's list.

        The hash is the sha256 of the classifier's hash and the list's hash, joined by a space.
        """
        return self._model

    @property
    def framing(self) -> Framing:
        """The margin and the shape of the crops; see ``Classifier.framing``."""
        return self._classifier.framing

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        """Return the taxon of the animal in each crop, if the site's list contains it; see ``Classifier.classify``."""
        return [
            None if claim is None else self._limited(claim, crop)
            for claim, crop in zip(self._classifier.classify(crops), crops, strict=True)
        ]

    def _limited(self, claim: Classification, crop: Crop) -> Classification | None:
        best = Alternative(label=claim.label, confidence=claim.confidence, scientific_name=claim.scientific_name)
        plausible = [
            one
            for one in (best, *claim.alternatives)
            if self._site.holds(one.scientific_name or one.label, crop.taken_at, crop.location)
        ]
        if not plausible or plausible[0].confidence < self._threshold:
            return None
        return Classification(
            label=plausible[0].label,
            confidence=plausible[0].confidence,
            model=self._model.name,
            scientific_name=plausible[0].scientific_name,
            alternatives=tuple(plausible[1 : 1 + self._alternatives]),
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
    for row in reader:
        where = f"site list {path}, line {reader.line_num}"
        taxon, months, area = (str(row[column] or "").strip() for column in _COLUMNS)
        if not taxon:
            raise SiteListError(f"{where}: no taxon")
        one = SiteSpecies(_months(months, where), _area(area, where))
        species[taxon.lower()] = (*species.get(taxon.lower(), ()), one)
    if not species:
        raise SiteListError(f"site list {path}: no species: every claim would be dropped")
    return SiteList(path.stem, hashlib.sha256(data).hexdigest(), species)


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


def _area(text: str, where: str) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        south, west, north, east = (float(part) for part in text.split())
    except ValueError as error:
        raise SiteListError(f"{where}: area {text!r}: expected south west north east, in degrees") from error
    if not (-90 <= south <= north <= 90 and -180 <= west <= east <= 180):
        raise SiteListError(f"{where}: area {text!r}: expected south <= north, west <= east, in degrees")
    return south, west, north, east
