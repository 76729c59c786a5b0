"""Rates per 100 station-days with exact intervals, and the comparison of two rates."""

from dataclasses import dataclass

from scipy import special, stats

DAYS = 100.0  # rates are per this many station-days, as in papers on camera traps
# Of less effort, no rate is given: a sensor that watched for some seconds would have an interval up to millions. A
# sensor that missed a little of a single day still has a rate of that day.
LEAST_EFFORT_DAYS, LEAST_SHARE_OF_DAY = 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of records over an effort, as a rate per 100 station-days.

    Attributes:
        count: Number of independent records.
        effort_days: Station-days of effort; a fraction counts.
        per_100_days: Records per 100 station-days; None without or with too little effort: not known, which is not
            zero.
        low: Lower limit of the confidence interval, in the same unit; None if the rate is not known.
        high: Upper limit, in the same unit; None if the rate is not known.
    """

    count: int
    effort_days: float
    per_100_days: float | None
    low: float | None
    high: float | None

    @property
    def too_little_effort(self) -> bool:
        """Whether the rate is not known although there was some effort."""
        return self.per_100_days is None and self.effort_days > 0


def least_effort_days(days: int) -> float:
    """Return the station-days that a rate of a period of some days needs: one, and half of one for a single day."""
    return min(LEAST_EFFORT_DAYS, LEAST_SHARE_OF_DAY * days)


def poisson_rate(
    count: int, effort_days: float, confidence: float = 0.95, least_days: float = LEAST_EFFORT_DAYS
) -> Rate:
    """Return a rate with its exact Poisson interval (Garwood 1936, doi:10.1093/biomet/28.3-4.437).

    Args:
        count: Number of independent records.
        effort_days: Station-days of effort.
        confidence: Confidence of the interval.
        least_days: With less effort, the rate is not known.

    Raises:
        ValueError: the count or the effort is negative, or the confidence is not between 0 and 1.
    """
    if count < 0 or effort_days < 0 or not 0 < confidence < 1:
        raise ValueError(
            f"count {count}, effort {effort_days} days, confidence {confidence}: expected a count and an effort of at "
            "least 0, and a confidence between 0 and 1"
        )
    if effort_days == 0 or effort_days < least_days:
        return Rate(count, effort_days, None, None, None)
    tail = (1 - confidence) / 2
    # Half the quantile of a chi-squared distribution is the quantile of a gamma distribution.
    low = float(special.gammaincinv(count, tail)) if count else 0.0
    high = float(special.gammaincinv(count + 1, 1 - tail))
    return Rate(count, effort_days, *(DAYS * value / effort_days for value in (count, low, high)))


@dataclass(frozen=True, slots=True)
class RateComparison:
    """Comparison of two rates.

    Attributes:
        ratio: First rate over the second; infinite if only the second is zero, None if both are.
        low: Lower limit of the confidence interval of the ratio.
        high: Upper limit; may be infinite.
        p_value: Two-sided p-value of the hypothesis that the rates are equal.
    """

    ratio: float | None
    low: float
    high: float
    p_value: float


def compare_rates(first: Rate, second: Rate, confidence: float = 0.95) -> RateComparison:
    """Compare two rates by the exact conditional test (Fay 2010, doi:10.32614/RJ-2010-008).

    Given the sum of both counts, the first is binomial with the first effort's share of both efforts.

    Raises:
        ValueError: one of the rates has no effort.
    """
    if not first.effort_days or not second.effort_days:
        raise ValueError(f"efforts {first.effort_days} and {second.effort_days} days: expected both above 0")
    total = first.count + second.count
    if total == 0:
        return RateComparison(None, 0.0, float("inf"), 1.0)
    share = first.effort_days / (first.effort_days + second.effort_days)
    test = stats.binomtest(first.count, total, share)
    interval = test.proportion_ci(confidence, "exact")
    scale = second.effort_days / first.effort_days
    ratio, low, high = (
        scale * value / (1 - value) if value < 1 else float("inf")
        for value in (first.count / total, float(interval.low), float(interval.high))
    )
    return RateComparison(ratio, low, high, float(test.pvalue))
