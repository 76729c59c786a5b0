"""Maximum-likelihood fits of hierarchical models, with warnings where an estimate cannot be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from pipelines.populations.visits import Visits

Array = NDArray[np.float64]
# A logit or logarithm beyond this, or with a larger standard error, says that the estimate ran to its boundary.
BOUNDARY, LARGEST_ERROR = 7.0, 5.0


@dataclass(frozen=True, slots=True)
class Coefficient:
    """An estimated coefficient, on the scale of its link.

    Attributes:
        name: Name of the covariate, "intercept" for the first.
        value: The estimate.
        standard_error: Its standard error; NaN if it could not be computed.
    """

    name: str
    value: float
    standard_error: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the Wald interval."""
        width = float(stats.norm.ppf((1 + confidence) / 2)) * self.standard_error
        return self.value - width, self.value + width


@dataclass(frozen=True, slots=True)
class ModelFit:
    """A fitted model of a population.

    Attributes:
        state: Coefficients of occupancy (logit) or abundance (logarithm).
        detection: Coefficients of the detection probability (logit).
        negative_log_likelihood: Minimum of the negative logarithm of the likelihood.
        sites: Number of sites with at least one visit.
        covariance: (k, k) covariance of all coefficients, those of the state first.
        warnings: Why the estimates must not be reported as they are; empty if they can be.
    """

    state: tuple[Coefficient, ...]
    detection: tuple[Coefficient, ...]
    negative_log_likelihood: float
    sites: int
    covariance: Array
    warnings: tuple[str, ...]

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2 * self.negative_log_likelihood + 2 * (len(self.state) + len(self.detection))


def fit_model(
    likelihood: Callable[[Array, Array], Array], visits: Visits, site_names: Sequence[str], visit_names: Sequence[str]
) -> ModelFit:
    """Maximise a likelihood and return coefficients with standard errors.

    Args:
        likelihood: Logarithm of the likelihood of each site (sites,), for the coefficients of the state (k,) and of
            detection (m,).
        visits: The visits that it is of.
        site_names: Names of the covariates of sites.
        visit_names: Names of the covariates of visits.
    """
    split = visits.of_sites.shape[1]
    names = [*_names(split, site_names), *_names(visits.of_visits.shape[2], visit_names)]

    def objective(parameters: Array) -> float:
        return -float(likelihood(parameters[:split], parameters[split:]).sum())

    start = np.zeros(len(names))
    found = optimize.minimize(objective, start, method="BFGS", options={"gtol": 1e-6, "maxiter": 1_000})
    values, hessian = np.asarray(found.x), _hessian(objective, np.asarray(found.x))
    try:
        covariance = linalg.inv(hessian)
        errors = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.nan))
    except (linalg.LinAlgError, ValueError):
        covariance = np.full_like(hessian, np.nan)
        errors = np.full(len(values), np.nan)
    everything = [
        Coefficient(name, float(value), float(error)) for name, value, error in zip(names, values, errors, strict=True)
    ]
    return ModelFit(
        tuple(everything[:split]),
        tuple(everything[split:]),
        float(found.fun),
        visits.sites,
        covariance,
        tuple(_warnings(everything)),
    )


def _warnings(coefficients: list[Coefficient]) -> list[str]:
    found = []
    for one in coefficients:
        if not np.isfinite(one.standard_error):
            found.append(f"{one.name}: the standard error cannot be computed; the data do not determine this model")
        elif abs(one.value) > BOUNDARY or one.standard_error > LARGEST_ERROR:
            found.append(
                f"{one.name}: {one.value:.2f} with standard error {one.standard_error:.2f}: the estimate ran to its "
                "boundary; too few detections or visits for this model"
            )
    return found


def _hessian(objective: Callable[[Array], float], at: Array) -> Array:
    """Return the matrix of second derivatives, by central differences."""
    size = len(at)
    steps = 1e-4 * np.maximum(1.0, np.abs(at))
    hessian = np.zeros((size, size))
    for i in range(size):
        for j in range(i, size):
            a, b = np.zeros(size), np.zeros(size)
            a[i], b[j] = steps[i], steps[j]
            difference = objective(at + a + b) - objective(at + a - b) - objective(at - a + b) + objective(at - a - b)
            hessian[i, j] = hessian[j, i] = difference / (4 * steps[i] * steps[j])
    return hessian


def _names(count: int, names: Sequence[str]) -> list[str]:
    """Return names for an intercept and ``count - 1`` covariates."""
    return ["intercept", *names[: count - 1], *(f"covariate {number}" for number in range(len(names) + 1, count))]
