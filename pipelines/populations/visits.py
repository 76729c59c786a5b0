"""Repeated visits to sites: what was counted, and the covariates of sites and visits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class BadVisits(ValueError):
    """The visits cannot be analysed; the message says why."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Counts at sites on repeated visits, with covariates; sites without a visit are left out.

    Attributes:
        counts: (sites, visits) what was counted; NaN where there was no visit.
        of_sites: (sites, k) covariates of the state, the first column ones.
        of_visits: (sites, visits, m) covariates of detection, the first ones; 0 where there was no visit.
        seen: (sites, visits) whether there was a visit.
    """

    counts: Array
    of_sites: Array
    of_visits: Array
    seen: NDArray[np.bool_]

    @property
    def sites(self) -> int:
        """Number of sites with at least one visit."""
        return len(self.counts)


def prepare_visits(
    counts: Array, site_covariates: Array | None = None, visit_covariates: Array | None = None
) -> Visits:
    """Add intercepts, and leave out visits with missing covariates and sites without a visit.

    Args:
        counts: (sites, visits) counts, or 0 and 1; NaN: no visit.
        site_covariates: (sites, k) covariates of the state.
        visit_covariates: (sites, visits, m) covariates of detection; a visit with NaN in one is left out.

    Raises:
        BadVisits: the shapes do not fit, a count is negative, no site has a visit, or nothing was ever counted.
    """
    counts = np.asarray(counts, float)
    if counts.ndim != 2:
        raise BadVisits(f"counts of shape {counts.shape}: expected (sites, visits)")
    sites, visits = counts.shape
    of_sites = np.ones((sites, 0)) if site_covariates is None else np.asarray(site_covariates, float).reshape(sites, -1)
    of_visits = np.ones((sites, visits, 0)) if visit_covariates is None else np.asarray(visit_covariates, float)
    if of_visits.shape[:2] != counts.shape:
        raise BadVisits(f"visit covariates of shape {of_visits.shape}: expected ({sites}, {visits}, ...)")
    seen = np.isfinite(counts) & np.isfinite(of_visits).all(axis=2)
    kept = seen.any(axis=1) & np.isfinite(of_sites).all(axis=1)
    if not kept.any():
        raise BadVisits("no site has a visit with all covariates")
    counts, seen, of_sites, of_visits = counts[kept], seen[kept], of_sites[kept], of_visits[kept]
    if (counts[seen] < 0).any():
        raise BadVisits(f"count {counts[seen].min():g}: expected at least 0")
    if not counts[seen].any():
        raise BadVisits("nothing was counted on any visit: neither occupancy nor detection can be estimated")
    ones = np.ones((len(counts), 1))
    return Visits(
        np.where(seen, counts, 0.0),
        np.hstack([ones, of_sites]),
        np.where(seen[:, :, None], np.concatenate([np.ones((*counts.shape, 1)), of_visits], axis=2), 0.0),
        seen,
    )
