"""Occupancy: the proportion of sites at which a species lives, although some visits miss it."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.populations.fitting import ModelFit, fit_model
from pipelines.populations.visits import Visits

Array = NDArray[np.float64]


def naive_occupancy(counts: Array) -> float:
    """Return the proportion of visited sites with at least one detection; it is too low if visits miss animals.

    Args:
        counts: (sites, visits) counts, or 0 and 1; NaN: no visit. At least one site has a visit.
    """
    visited = np.isfinite(counts).any(axis=1)
    return float((counts[visited] > 0).any(axis=1).mean())


def fit_occupancy(visits: Visits, site_names: tuple[str, ...] = (), visit_names: tuple[str, ...] = ()) -> ModelFit:
    """Fit the single-season model of MacKenzie et al. 2002 (doi:10.1890/0012-9658(2002)083[2248:ESORWD]2.0.CO;2).

    Occupancy and detection depend on covariates through logits.

    Args:
        visits: Detections; a count above 1 is a detection.
        site_names: Names of the covariates of sites.
        visit_names: Names of the covariates of visits.
    """
    detected = visits.counts > 0
    ever = detected.any(axis=1)

    def likelihood(state: Array, detection: Array) -> Array:
        log_psi = special.log_expit(visits.of_sites @ state)
        log_absent = special.log_expit(-(visits.of_sites @ state))
        eta = visits.of_visits @ detection
        of_visit = np.where(detected, special.log_expit(eta), special.log_expit(-eta))
        present = log_psi + np.where(visits.seen, of_visit, 0.0).sum(axis=1)
        return np.asarray(np.where(ever, present, np.logaddexp(present, log_absent)))

    return fit_model(likelihood, visits, site_names, visit_names)
