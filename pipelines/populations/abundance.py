"""Abundance from repeated visits without marked animals: Royle-Nichols and N-mixture models."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.populations.fitting import ModelFit, fit_model
from pipelines.populations.visits import BadVisits, Visits

Array = NDArray[np.float64]
Likelihood = Callable[[Array, Array], Array]
# The estimates of the usual and of twice the largest number may differ by this, on the scale of the links.
LARGEST_CHANGE = 0.1


def fit_royle_nichols(
    visits: Visits, site_names: tuple[str, ...] = (), visit_names: tuple[str, ...] = (), largest: int = 50
) -> ModelFit:
    """Fit the model of Royle & Nichols 2003 (doi:10.1890/0012-9658(2003)084[0777:EAFRPA]2.0.CO;2).

    Sites with more animals are detected more often: p = 1 - (1 - r)^N, with a Poisson number N of animals.

    Args:
        visits: Detections; a count above 1 is a detection.
        site_names: Names of the covariates of sites.
        visit_names: Names of the covariates of visits.
        largest: Largest number of animals at a site that is summed over.
    """
    return _fit(lambda limit: _royle_nichols(visits, limit), visits, site_names, visit_names, largest)


def _royle_nichols(visits: Visits, largest: int) -> Likelihood:
    detected = visits.counts > 0
    numbers = np.arange(largest + 1.0)

    def likelihood(state: Array, detection: Array) -> Array:
        eta = visits.of_visits @ detection
        missed = special.log_expit(-eta)[:, :, None] * numbers  # log (1 - r)^N
        with np.errstate(divide="ignore"):
            of_visit = np.where(detected[:, :, None], np.log(-np.expm1(missed)), missed)
        given = np.where(visits.seen[:, :, None], of_visit, 0.0).sum(axis=1)
        return np.asarray(special.logsumexp(given + _log_poisson(visits, state, numbers), axis=1))

    return likelihood


def fit_n_mixture(
    visits: Visits, site_names: tuple[str, ...] = (), visit_names: tuple[str, ...] = (), largest: int = 100
) -> ModelFit:
    """Fit the N-mixture model of Royle 2004 (doi:10.1111/j.0006-341X.2004.00142.x) to counts.

    Each of a Poisson number of animals is counted on a visit with the detection probability.

    Args:
        visits: Counts of animals.
        site_names: Names of the covariates of sites.
        visit_names: Names of the covariates of visits.
        largest: Largest number of animals at a site that is summed over.

    Raises:
        BadVisits: a count is above ``largest``.
    """
    if visits.counts.max() > largest:
        raise BadVisits(f"count {visits.counts.max():g}: expected at most {largest}, the largest number summed over")
    return _fit(lambda limit: _n_mixture(visits, limit), visits, site_names, visit_names, largest)


def _n_mixture(visits: Visits, largest: int) -> Likelihood:
    numbers = np.arange(largest + 1.0)
    counts, unseen = visits.counts[:, :, None], numbers - visits.counts[:, :, None]
    with np.errstate(invalid="ignore"):
        ways = special.gammaln(numbers + 1) - special.gammaln(counts + 1) - special.gammaln(np.maximum(unseen, 0) + 1)
    ways = np.where(unseen < 0, -np.inf, ways)

    def likelihood(state: Array, detection: Array) -> Array:
        eta = (visits.of_visits @ detection)[:, :, None]
        of_visit = ways + counts * special.log_expit(eta) + np.maximum(unseen, 0) * special.log_expit(-eta)
        given = np.where(visits.seen[:, :, None], of_visit, 0.0).sum(axis=1)
        return np.asarray(special.logsumexp(given + _log_poisson(visits, state, numbers), axis=1))

    return likelihood


def _fit(
    likelihood: Callable[[int], Likelihood],
    visits: Visits,
    site_names: tuple[str, ...],
    visit_names: tuple[str, ...],
    largest: int,
) -> ModelFit:
    """Fit with numbers of animals up to ``largest``, and warn if twice as many give other estimates."""
    fit = fit_model(likelihood(largest), visits, site_names, visit_names)
    if fit.warnings:
        return fit
    values = np.array([one.value for one in (*fit.state, *fit.detection)])
    wider = fit_model(likelihood(2 * largest), visits, site_names, visit_names, values)
    change = np.abs(values - [one.value for one in (*wider.state, *wider.detection)]).max()
    if change <= LARGEST_CHANGE:
        return fit
    return replace(
        fit,
        warnings=(
            f"the estimates change by {change:.2f} if {2 * largest} animals at a place are allowed instead of "
            f"{largest}: the data do not limit the number of animals",
        ),
    )


def _log_poisson(visits: Visits, beta: Array, numbers: Array) -> Array:
    """Return the logarithm of the Poisson probabilities (sites, numbers) of numbers of animals."""
    log_mean = np.clip(visits.of_sites @ beta, -30, 30)[:, None]
    return np.asarray(numbers * log_mean - np.exp(log_mean) - special.gammaln(numbers + 1))
