"""Regression of counts that vary more than a Poisson distribution allows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, special, stats

Array = NDArray[np.float64]
_LARGEST_STEPS = 500


@dataclass(frozen=True, slots=True)
class NegativeBinomialFit:
    """Maximum-likelihood fit of a negative-binomial regression with logarithmic link.

    Attributes:
        coefficients: (k,) effects on the logarithm of the expected count.
        standard_errors: (k,) their standard errors.
        theta: Dispersion: the variance is mu + mu² / theta; infinite for a Poisson distribution.
        log_likelihood: Logarithm of the likelihood.
    """

    coefficients: Array
    standard_errors: Array
    theta: float
    log_likelihood: float

    def interval(self, confidence: float = 0.95) -> tuple[Array, Array]:
        """Return the lower and upper limits (k,) of the Wald intervals of the coefficients."""
        width = float(stats.norm.ppf((1 + confidence) / 2)) * self.standard_errors
        return self.coefficients - width, self.coefficients + width


def fit_negative_binomial(counts: Array, design: Array, effort: Array | None = None) -> NegativeBinomialFit:
    """Fit a negative-binomial regression (NB2; Venables & Ripley 2002, section 7.4).

    Args:
        counts: (n,) counts.
        design: (n, k) covariates, with a column of ones for the intercept.
        effort: (n,) effort of each count, in any unit; the expected count is proportional to it. None: all equal.

    Raises:
        ValueError: the shapes do not fit, an effort is not positive, or the columns of the design depend on each other.
    """
    counts, design = np.asarray(counts, float), np.asarray(design, float)
    offset = np.zeros(len(counts)) if effort is None else np.log(np.asarray(effort, float))
    if design.shape[:1] != counts.shape or offset.shape != counts.shape or not np.isfinite(offset).all():
        raise ValueError(
            f"counts {counts.shape}, design {design.shape}, effort {offset.shape}: expected the same number of rows, "
            "and an effort above 0"
        )
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError("the columns of the design depend on each other: expected independent covariates")

    def expected(beta: Array) -> Array:
        return np.asarray(np.exp(np.clip(design @ beta + offset, -30, 30)))

    def negative(parameters: Array) -> tuple[float, Array]:
        beta, theta = parameters[:-1], np.exp(parameters[-1])
        mu = expected(beta)
        value = _log_likelihood(counts, mu, theta)
        d_eta = (counts - mu) * theta / (mu + theta)
        d_theta = (
            special.digamma(counts + theta)
            - special.digamma(theta)
            + np.log(theta / (mu + theta))
            + (mu - counts) / (mu + theta)
        )
        return -value, -np.append(design.T @ d_eta, theta * d_theta.sum())

    start = np.zeros(design.shape[1] + 1)
    start[:-1] = linalg.lstsq(design, np.log(counts + 0.5) - offset)[0]
    bounds = [(None, None)] * design.shape[1] + [(-10.0, 15.0)]
    found = optimize.minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _LARGEST_STEPS, "ftol": 1e-14}
    )
    beta, theta = found.x[:-1], float(np.exp(found.x[-1]))
    mu = expected(beta)
    information = design.T @ (design * (mu / (1 + mu / theta))[:, None])
    errors = np.sqrt(np.diag(linalg.inv(information)))
    return NegativeBinomialFit(beta, errors, theta, _log_likelihood(counts, mu, theta))


def _log_likelihood(counts: Array, mu: Array, theta: float) -> float:
    return float(
        np.sum(
            special.gammaln(counts + theta)
            - special.gammaln(theta)
            - special.gammaln(counts + 1)
            + theta * np.log(theta / (mu + theta))
            + special.xlogy(counts, mu / (mu + theta))
        )
    )
