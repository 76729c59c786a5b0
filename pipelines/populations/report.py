"""Occupancy and abundance of a species from its detection history; no number where a model cannot be trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from pipelines.populations.abundance import fit_n_mixture, fit_royle_nichols
from pipelines.populations.covariates import Standardised, effort_of_occasions, of_places
from pipelines.populations.fitting import Coefficient, ModelFit
from pipelines.populations.occupancy import fit_occupancy, naive_occupancy
from pipelines.populations.species_history import SpeciesHistory
from pipelines.populations.visits import BadVisits, Visits, prepare_visits

ModelName = Literal["occupancy", "Royle-Nichols", "N-mixture"]
_LARGEST = 100  # animals at a place


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with its 95 % Wald interval, computed on the scale of its link."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model of a population.

    Attributes:
        name: The model.
        fit: The fit; None if the data do not allow one.
        state: Occupancy, or animals at a place, of an average place; None if the fit has warnings.
        detection: Probability of detection in an average occasion, for Royle-Nichols and N-mixture of one animal; None
            if the fit has warnings.
        warnings: Why there are no numbers.
    """

    name: ModelName
    fit: ModelFit | None
    state: Estimate | None
    detection: Estimate | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PopulationReport:
    """Occupancy and abundance of one species.

    Attributes:
        species: The detection history.
        naive: Share of places with a record; too low if occasions miss animals.
        places_with_records: Number of places with a record.
        models: The models.
        site_covariates: Covariates of places.
        visit_covariates: Covariates of occasions.
    """

    species: SpeciesHistory
    naive: float
    places_with_records: int
    models: tuple[FittedModel, ...]
    site_covariates: Standardised | None
    visit_covariates: Standardised | None


def population_report(
    species: SpeciesHistory,
    covariates: Mapping[str, Sequence[float]] | None = None,
    names: Sequence[str] = (),
    with_effort: bool = False,
) -> PopulationReport:
    """Fit the three models to a detection history.

    Args:
        species: The detection history.
        covariates: Covariates of places, see ``read_covariates``; None: no covariates.
        names: Names of the covariates.
        with_effort: Whether detection depends on the logarithm of the sensor-days of an occasion.

    Raises:
        BadCovariates: a covariate cannot be used.
    """
    history = species.history
    site = of_places(history, covariates, names) if covariates is not None else None
    visit = effort_of_occasions(history) if with_effort else None
    of_sites, of_visits = (one.values if one else None for one in (site, visit))
    site_names, visit_names = (one.names if one else () for one in (site, visit))

    def model(name: ModelName, counts: np.typing.NDArray[np.float64], fit: Callable[[Visits], ModelFit]) -> FittedModel:
        try:
            found = fit(prepare_visits(counts, of_sites, of_visits))
        except BadVisits as error:
            return FittedModel(name, None, None, None, (str(error),))
        if found.warnings:
            return FittedModel(name, found, None, None, found.warnings)
        of_state = special.expit if name == "occupancy" else np.exp
        return FittedModel(
            name, found, _estimate(found.state[0], of_state), _estimate(found.detection[0], special.expit), ()
        )

    animals = history.animals
    largest = max(_LARGEST, 3 * int(np.nanmax(animals)))
    models = (
        model("occupancy", animals, lambda visits: fit_occupancy(visits, site_names, visit_names)),
        model("Royle-Nichols", animals, lambda visits: fit_royle_nichols(visits, site_names, visit_names, largest)),
        model("N-mixture", animals, lambda visits: fit_n_mixture(visits, site_names, visit_names, largest)),
    )
    with_records = int((history.records > 0).any(axis=1).sum())
    return PopulationReport(species, naive_occupancy(animals), with_records, models, site, visit)


def _estimate(coefficient: Coefficient, inverse: Callable[[float], Any]) -> Estimate:
    low, high = coefficient.interval()
    return Estimate(float(inverse(coefficient.value)), float(inverse(low)), float(inverse(high)))
