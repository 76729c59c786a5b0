"""Maximum-likelihood fits of hierarchical models, with warnings where an estimate cannot be trusted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from pipelines.populations.visits import Visits

Array = NDArray[np.float64]
# A logit or logarithm beyond this, or with a larger standard error, says that the estimate ran to its boundary.
BOUNDARY, LARGEST_ERROR = 7.0, 5.0
# The gradient of the negative log-likelihood at the minimum; numerical gradients of a converged fit are below 1e-4.
LARGEST_GRADIENT = 1e-2
# With fewer places, estimates are biased and Wald intervals too narrow (Guillera-Arroita, Ridout & Morgan 2010,
# doi:10.1111/j.2041-210X.2010.00017.x); each coefficient needs places of its own.
FEWEST_PLACES, PLACES_PER_COEFFICIENT = 10, 3


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
    likelihood: Callable[[Array, Array], Array],
    visits: Visits,
    site_names: Sequence[str],
    visit_names: Sequence[str],
    start: Array | None = None,
) -> ModelFit:
    """Maximise a likelihood and return coefficients with standard errors.

    The fit has a warning if it did not converge, if the Hessian at the maximum is not positive definite, if an estimate
    ran to its boundary, if no place has two visits, or if there are too few places.

    Args:
        likelihood: Logarithm of the likelihood of each site (sites,), for the coefficients of the state (k,) and of
            detection (m,).
        visits: The visits that it is of.
        site_names: Names of the covariates of sites.
        visit_names: Names of the covariates of visits.
        start: (k + m,) coefficients to begin with; None: zeros.
    """
    split = visits.of_sites.shape[1]
    names = [*_names(split, site_names), *_names(visits.of_visits.shape[2], visit_names)]

    def objective(parameters: Array) -> float:
        return -float(likelihood(parameters[:split], parameters[split:]).sum())

    begin = np.zeros(len(names)) if start is None else start
    # BFGS reports a loss of precision where the gradient is as small as it gets: the gradient decides.
    found = optimize.minimize(objective, begin, method="BFGS", options={"gtol": 1e-6, "maxiter": 1_000})
    converged = bool(np.isfinite(found.fun) and np.abs(found.jac).max() <= LARGEST_GRADIENT)
    values, hessian = np.asarray(found.x), _hessian(objective, np.asarray(found.x))
    try:
        factor = linalg.cho_factor(hessian)
        covariance = np.asarray(linalg.cho_solve(factor, np.eye(len(values))))
        errors = np.sqrt(np.diag(covariance))
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
        (*_of_data(visits, len(names)), *_of_result(everything, converged)),
    )


def _of_data(visits: Visits, coefficients: int) -> Iterator[str]:
    needed = max(FEWEST_PLACES, PLACES_PER_COEFFICIENT * coefficients)
    if visits.sites < needed:
        yield f"{visits.sites} places: expected at least {needed} for {coefficients} coefficients"
    if visits.seen.sum(axis=1).max() < 2:
        yield "no place was visited twice: occupancy and detection cannot be told apart"


def _of_result(coefficients: Sequence[Coefficient], converged: bool) -> Iterator[str]:
    if not converged:
        yield "the fit did not converge"
    if not all(np.isfinite(one.standard_error) for one in coefficients):
        yield "the Hessian is not positive definite: the data do not determine this model"
    for one in coefficients:
        if abs(one.value) > BOUNDARY or one.standard_error > LARGEST_ERROR:
            yield (
                f"{one.name}: {one.value:.2f} with standard error {one.standard_error:.2f}: the estimate ran to its "
                "boundary; too few detections or visits for this model"
            )


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
