"""The statistical day: how often each finding comes past a sensor, by hour and month."""

import hashlib
import math
import tomllib
from functools import cached_property, lru_cache
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from contract import Model
from contract.bounds import Fraction, Text
from contract.deployment import SensorKind
from contract.messages import ObservationType

_FILE = Path(__file__).with_name("statistics.toml")
MODEL = "simulation"  # name of the model that every simulated detection names
_Rate = Annotated[float, Meta(ge=0, le=100_000)]
_Hours = Annotated[tuple[_Rate, ...], Meta(min_length=24, max_length=24)]
_Months = Annotated[tuple[_Rate, ...], Meta(min_length=12, max_length=12)]


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frequency of one kind of finding.

    Attributes:
        label: Label, as a detector gives it.
        sensor: Kind of sensor that finds it.
        per_100_days: Visits per 100 days of one sensor, on the average of the year.
        activity: Name of its distribution over the hours.
        months: Relative frequency of the months, January first.
        group: Mean number in one capture, at least 1.
        false_share: Share of false findings.
        scientific_name: Scientific name; "": none.
        observation_type: Type of the observation.
    """

    label: Text
    sensor: SensorKind
    per_100_days: _Rate
    activity: str
    months: _Months
    group: Annotated[float, Meta(ge=1, le=20)]
    false_share: Fraction
    scientific_name: str = ""
    observation_type: ObservationType = "animal"


class Blanks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frequency of a camera's captures without a detection."""

    per_100_days: _Rate
    activity: str


class Statistics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Frequencies of all findings, and the distributions over the hours by name."""

    activity: dict[str, _Hours]
    blank: Blanks
    finding: tuple[Finding, ...]

    @cached_property
    def model(self) -> Model:
        """The model that simulated detections name; its hash is that of these statistics."""
        digest = hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()
        return Model(name=MODEL, version="1", sha256=digest)


@lru_cache(maxsize=1)
def shipped_statistics() -> Statistics:
    """Read the statistics that are part of Wildpost."""
    return msgspec.convert(tomllib.loads(_FILE.read_text(encoding="utf-8")), Statistics)


def poisson(mean: float, random: Random) -> int:
    """Draw a number from the Poisson distribution.

    Source: multiplication of uniform numbers, Knuth, The Art of Computer Programming, volume 2, section 3.4.1; a large
    mean is drawn in parts, since the sum of Poisson numbers is a Poisson number.
    """
    drawn = 0
    while mean > 0:
        part = min(mean, 30.0)  # exp(-30) is far above the smallest float
        mean -= part
        limit, product = math.exp(-part), random.random()
        while product > limit:
            drawn += 1
            product *= random.random()
    return drawn
