"""Number of species from stored records: estimates with the unseen ones, rarefaction, coverage, accumulation."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from i18n.taxonomy import shipped_taxonomy
from i18n.taxonomy.domestic import DOMESTIC
from ingest.store.port import Store
from pipelines.diversity.accumulation import species_accumulation
from pipelines.diversity.rarefaction import Sample
from pipelines.diversity.richness import Richness, asymptotic_shannon, asymptotic_simpson, chao1, chao2
from pipelines.populations.detection_history import occasions
from pipelines.populations.species_history import HistoryOptions
from pipelines.trends.counted_records import CountedRecords, EffortTable, count_records, effort_table
from pipelines.trends.request import TrendRequest

# Below this coverage, half of all animals are of species that were not recorded: what is estimated from the rare
# species is then a lower bound far from the truth (Chao & Jost 2012, doi:10.1890/11-1952.1).
LEAST_COVERAGE = 0.5
FEWEST = 20  # records or sampling units; the coverage of fewer is too uncertain to judge them by
CURVE_POINTS = 20
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of a curve of the number of species.

    Attributes:
        size: Number of records, or of sampling units.
        species: Expected number of species.
        coverage: Expected sample coverage; None for an accumulation.
        deviation: Standard deviation of the number of species; None for a rarefaction.
    """

    size: int
    species: float
    coverage: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True)
class SpeciesSurvey:
    """Number of species in a period; domestic animals and what is not identified to species are left out.

    Attributes:
        request: What was asked for.
        counts: Independent records by accepted name, most first.
        units: Number of sampling units: a place in an occasion with effort.
        untrusted: Captures left out because their time is not trusted.
        domestic: Independent records of domestic animals, left out.
        unidentified: Independent records of animals that are not identified to species, left out.
        coverage: Coverage of the sample by records; None without records.
        chao1: Estimate from the records; None if it cannot be trusted.
        chao2: Estimate from the sampling units; None if it cannot be trusted, or nothing is known of the effort.
        shannon: Estimated exponential of Shannon's entropy; None as for ``chao1``.
        simpson: Estimated inverse Simpson concentration; None as for ``chao1``.
        rarefaction: By number of records, up to twice as many as there are.
        accumulation: By number of sampling units.
        warnings: Why numbers are missing.
    """

    request: TrendRequest
    counts: tuple[tuple[str, int], ...]
    units: int
    untrusted: int
    domestic: int
    unidentified: int
    coverage: float | None
    chao1: Richness | None
    chao2: Richness | None
    shannon: float | None
    simpson: float | None
    rarefaction: tuple[CurvePoint, ...]
    accumulation: tuple[CurvePoint, ...]
    warnings: tuple[str, ...]


def species_survey(
    store: Store, request: TrendRequest, options: HistoryOptions, now: datetime | None = None
) -> SpeciesSurvey:
    """Estimate the number of wild species from the independent records of animals.

    Args:
        store: The store.
        request: Days, stations, sensors and independence; its taxon is ignored.
        options: How the period is divided into sampling units; rows are stations.
        now: The current time; None: the system clock.
    """
    counted = count_records(store, request)
    names, code, domestic, unidentified = _species_of(counted)
    chosen = code >= 0
    numbers = np.bincount(code[chosen], minlength=len(names))
    incidence = _incidence(counted, effort_table(store, request, now), code, len(names), options)
    warnings: list[str] = []
    of_records = Sample(numbers.astype(float)) if len(names) else None
    of_units = Sample(incidence.sum(axis=0).astype(float), len(incidence)) if incidence.any() else None
    counts_say = can_be_trusted(of_records, "records", warnings)
    units_say = can_be_trusted(of_units, "sampling units with a record", warnings)
    counts = numbers.astype(float)
    order = sorted(range(len(names)), key=lambda index: (-numbers[index], names[index]))
    return SpeciesSurvey(
        request,
        tuple((names[index], int(numbers[index])) for index in order),
        len(incidence),
        counted.untrusted,
        domestic,
        unidentified,
        of_records.coverage() if of_records else None,
        chao1(counts) if counts_say else None,
        chao2(incidence.sum(axis=0).astype(float), len(incidence)) if units_say else None,
        asymptotic_shannon(counts) if counts_say else None,
        asymptotic_simpson(counts) if counts_say else None,
        _rarefaction(of_records) if of_records else (),
        _accumulation(incidence) if of_units else (),
        tuple(warnings),
    )


def can_be_trusted(sample: Sample | None, what: str, warnings: list[str]) -> bool:
    """Return whether the number of unseen species can be estimated from a sample; a warning says why not."""
    if sample is None:
        warnings.append(f"no {what}")
    elif sample.size < FEWEST:
        warnings.append(f"{sample.size:g} {what}: expected at least {FEWEST} to estimate the number of unseen species")
    elif (coverage := sample.coverage()) < LEAST_COVERAGE:
        warnings.append(
            f"coverage {coverage:.2f} of the {what}: expected at least {LEAST_COVERAGE} to estimate the number of "
            "unseen species"
        )
    else:
        return True
    return False


def _species_of(counted: CountedRecords) -> tuple[list[str], NDArray[np.int64], int, int]:
    """Return species, the species of each independent record (-1: none), and the numbers of records left out."""
    names: list[str] = []
    of_taxon = np.full(max(1, len(counted.records.taxa)), -1)
    kinds = np.zeros(len(of_taxon), np.int64)  # 1: domestic, 2: not identified to species
    for number, (key, kind) in enumerate(counted.records.taxa):
        if kind != "animal":
            continue
        taxon = shipped_taxonomy().find(key, "animal")
        if key in DOMESTIC:
            kinds[number] = 1
        elif taxon is None or taxon.rank not in ("species", "subspecies"):
            kinds[number] = 2
        else:
            of_taxon[number] = len(names)
            names.append(key)
    taxon_of = counted.records.taxon[counted.independent]
    left_out = np.bincount(kinds[taxon_of], minlength=3)
    code = of_taxon[taxon_of]
    present = np.unique(code[code >= 0])
    compact = np.full(len(names) + 1, -1)
    compact[present] = np.arange(len(present))
    return [names[index] for index in present], compact[code], int(left_out[1]), int(left_out[2])


def _incidence(
    counted: CountedRecords, effort: EffortTable, code: NDArray[np.int64], species: int, options: HistoryOptions
) -> NDArray[np.bool_]:
    """Return in which sampling units (units, species) each species was recorded; no units without effort."""
    if not effort.by_day.any():
        return np.zeros((0, species), bool)
    found = occasions(effort.stations, effort.by_day, options.occasion_days, options.first_day)
    station_row = {name: row for row, name in enumerate(effort.stations)}
    stations = np.array([station_row.get(name, -1) for name in counted.records.stations] or [-1])
    station, day = stations[counted.records.station[counted.independent]], counted.day[counted.independent]
    cell, known = found.cells(station, day)
    chosen = known & (station >= 0) & (code >= 0)
    incidence = np.zeros((found.effort_days.size, species), bool)
    incidence[cell[chosen], code[chosen]] = True
    return np.asarray(incidence[~np.isnan(found.effort_days).ravel()])


def _rarefaction(sample: Sample) -> tuple[CurvePoint, ...]:
    sizes = _sizes(int(2 * sample.size))
    return tuple(CurvePoint(size, sample.richness(size), sample.coverage(size)) for size in sizes)


def _accumulation(incidence: NDArray[np.bool_]) -> tuple[CurvePoint, ...]:
    mean, deviation = species_accumulation(incidence)
    return tuple(
        CurvePoint(size, float(mean[size - 1]), None, float(deviation[size - 1])) for size in _sizes(len(incidence))
    )


def _sizes(largest: int) -> list[int]:
    """Return up to ``CURVE_POINTS`` sizes from 1 to the largest."""
    return sorted({int(size) for size in np.rint(np.linspace(1, largest, CURVE_POINTS))})
