"""The table of statistics in docs/explanation/statistics.md says what the code computes today.

`python -m pytest tests/unit/pipelines/test_statistics_table.py` prints the table that the page should have.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import special

from contract import Location
from pipelines.activity.circular_tests import rayleigh_test, watson_uniformity
from pipelines.activity.daily_activity import sun_of, sun_time
from pipelines.activity.density import TURN, bandwidth, fit_density
from pipelines.activity.overlap import overlap
from pipelines.diversity.accumulation import species_accumulation
from pipelines.diversity.rarefaction import Sample
from pipelines.diversity.richness import (
    asymptotic_shannon,
    asymptotic_simpson,
    bootstrap_richness,
    chao1,
    chao2,
    jackknife,
)
from pipelines.populations.abundance import fit_n_mixture, fit_royle_nichols
from pipelines.populations.occupancy import fit_occupancy
from pipelines.populations.visits import prepare_visits
from pipelines.trends.independence import ComparedTo, independent_records
from pipelines.trends.negative_binomial import fit_negative_binomial
from pipelines.trends.rates import compare_rates, poisson_rate
from tests.repository import REPOSITORY
from tests.statistics_reference import Reference
from tests.sun_and_moon import PHENOMENA, moon_errors, sun_errors_minutes
from tests.unit.pipelines.populations.test_detection_history import cameras, history, species_records
from tests.unit.pipelines.populations.test_populations import fit_crossbills
from tests.unit.pipelines.populations.test_populations import frogs as frogs_with_covariates

PAGE = REPOSITORY / "docs" / "explanation" / "statistics.md"
HEADING = "| statistic | data | program | its result | ours | tolerance |\n|---|---|---|---|---|---|\n"
Row = tuple[str, str, str, float, float, float]


def rows(reference: Reference) -> Iterator[Row]:
    yield from _records(reference)
    yield from _histories(reference)
    yield from _rates(reference)
    yield from _activity(reference)
    yield from _sun_and_moon(reference)
    yield from _populations(reference)
    yield from _diversity(reference)


def _records(reference: Reference) -> Iterator[Row]:
    synthetic = reference.rows("camtrapR/independence_input_synthetic.csv")
    groups = {(row["Station"], row["Species"]) for row in synthetic}
    definitions: tuple[tuple[ComparedTo, float], ...] = (("last record", 317), ("last independent record", 326))
    for compared_to, expected in definitions:
        kept = 0
        for group in groups:
            times = [
                datetime.fromisoformat(row["DateTimeOriginal"]).replace(tzinfo=UTC)
                for row in synthetic
                if (row["Station"], row["Species"]) == group
            ]
            kept += sum(independent_records(times, timedelta(minutes=30), compared_to))
        name = f"independent records, 30 min, {compared_to}"
        yield name, "400 synthetic records", "camtrapR 3.0.3", expected, kept, 0


def _histories(reference: Reference) -> Iterator[Row]:
    data, program = "sample pictures", "camtrapR 3.0.3"
    found = history(cameras(reference, problems=True), species_records(reference, "VTA"))
    yield (
        "sensor-days, one camera out of order",
        data,
        program,
        122.5,
        float(np.nansum(found.occasions.effort_days)),
        1e-6,
    )
    yield "occasions with VTA, 7 days", data, program, 5, float(np.nansum(found.detected)), 0


def _rates(reference: Reference) -> Iterator[Row]:
    rate = poisson_rate(137, 24.19893)
    assert rate.low is not None
    yield "rate, lower 95 % limit", "137 in 24.19893", "R poisson.test", 4.753124805, rate.low / 100, 1e-8
    index = poisson_rate(4, 9.952072)  # of Anas platyrhynchos
    assert index.per_100_days is not None
    yield "relative abundance index", "mica", "camtraptor 0.28.0", 40.192636, index.per_100_days, 1e-5
    compared = compare_rates(poisson_rate(11, 800), poisson_rate(21, 3011))
    yield "two rates, p", "11 in 800, 21 in 3,011", "R poisson.test", 0.07966863, compared.p_value, 1e-8
    table = reference.rows("poisson/quine.csv")
    columns = [("Eth", "N"), ("Sex", "M"), ("Age", "F1"), ("Age", "F2"), ("Age", "F3"), ("Lrn", "SL")]
    design = np.array([[1.0, *(float(row[name] == value) for name, value in columns)] for row in table])
    fit = fit_negative_binomial(np.array([float(row["Days"]) for row in table]), design)
    yield "negative binomial, theta", "quine", "MASS glm.nb", 1.274892646, fit.theta, 1e-5


def _activity(reference: Reference) -> Iterator[Row]:
    tiger, macaque = (
        TURN * reference.column("overlap/kerinci.csv", "Time", Zone="2", Sps=name) for name in ("tiger", "macaque")
    )
    data = "Kerinci, zone 2"
    yield "kernel concentration, tiger", data, "overlap 0.3.5", 10.31842641, bandwidth(tiger), 1e-3
    yield "overlap Dhat1", data, "overlap 0.3.5", 0.4275681, overlap(tiger, macaque, "Dhat1"), 1e-3
    yield "overlap Dhat4", data, "overlap 0.3.5", 0.4205464, overlap(tiger, macaque, "Dhat4"), 1e-3
    yield "overlap Dhat5", data, "overlap 0.3.5", 0.3974940, overlap(tiger, macaque, "Dhat5"), 1e-3
    for name, level in (("ocelot", 0.38594), ("brocket", 0.51060), ("paca", 0.35042)):
        times = TURN * reference.column("activity/BCItime_8species.csv", "time", species=name)
        found = fit_density(times).activity_level
        yield f"activity level, {name}", "Barro Colorado", "activity 1.3.4", level, found, 1e-5
    turtles = np.radians(reference.column("circular/turtles.csv", "arrival_deg"))
    yield "Rayleigh test, mean length", "turtles", "circular 0.4", 0.8186, rayleigh_test(turtles).statistic, 5e-5
    yield "Watson's U², uniformity", "turtles", "circular 0.4", 0.4544, watson_uniformity(turtles), 5e-5


def _sun_and_moon(reference: Reference) -> Iterator[Row]:
    fixtures, data = reference.folder / "sun" / "fixtures.json", "14 places, 13 days"
    for name in PHENOMENA:
        errors = sun_errors_minutes(fixtures, name)
        yield f"{name}, mean difference in minutes", data, "USNO", 0, float(errors.mean()), 0.4
        yield f"{name}, largest difference in minutes", data, "USNO", 0, float(errors.max()), 0.8
    lit = moon_errors(fixtures)
    yield "lit part of the moon, mean difference", "52 times", "JPL Horizons", 0, float(lit.mean()), 0.002
    yield "lit part of the moon, largest difference", "52 times", "JPL Horizons", 0, float(lit.max()), 0.005
    edinburgh = Location(latitude=56, longitude=-3)
    total = 0.0
    for row in reference.rows("overlap/simCalls.csv"):
        day, hours = date.fromisoformat(row["dates"]), float(row["time"]) * 24 / TURN
        total += sun_time(hours, *sun_of(day, edinburgh, ZoneInfo("UTC"))) * TURN / 24
    yield "sun time, sum of radians", "100 calls at 56° N 3° W", "overlap 0.3.5", 207.0542, total, 1e-2


def _populations(reference: Reference) -> Iterator[Row]:
    frogs = prepare_visits(reference.matrix("unmarked/frogs_pcru_bin.csv"))
    occupancy, nichols = fit_occupancy(frogs), fit_royle_nichols(frogs, largest=50)
    yield "occupancy, logit", "frogs", "unmarked 1.5.0", 2.952089, occupancy.state[0].value, 1e-2
    yield "occupancy, −log L", "frogs", "unmarked 1.5.0", 228.502079, occupancy.negative_log_likelihood, 1e-3
    yield "Royle-Nichols, log abundance", "frogs", "unmarked 1.5.0", 3.323605, nichols.state[0].value, 1e-2
    yield "Royle-Nichols, −log L", "frogs", "unmarked 1.5.0", 228.895555, nichols.negative_log_likelihood, 1e-3
    detected, covariates = frogs_with_covariates(reference)
    fit = fit_occupancy(prepare_visits(detected, None, covariates))
    data = "frogs, time and temperature"
    yield "occupancy", data, "unmarked 1.5.0", 0.823072, float(special.expit(fit.state[0].value)), 1e-3
    yield "occupancy, AIC", data, "unmarked 1.5.0", 356.7591, fit.aic, 2e-3
    yield "detection, effect of temperature", data, "unmarked 1.5.0", -1.893615, fit.detection[2].value, 1e-2
    crossbills = fit_crossbills(reference)
    data = "crossbills, height and forest"
    yield "occupancy, −log L", data, "unmarked 1.5.0", 230.91502, crossbills.negative_log_likelihood, 1e-3
    yield "occupancy, effect of height", data, "unmarked 1.5.0", 0.589885, crossbills.state[1].value, 1e-2
    boundary = fit_occupancy(prepare_visits(reference.matrix("unmarked/frogs_pfer_bin.csv")))
    yield "fits at the boundary that warn", "frogs, pfer", "unmarked 1.5.0", 1, float(bool(boundary.warnings)), 0
    site = np.stack(
        [reference.column("unmarked/mallard_site.csv", name) for name in ("length", "elev", "forest")], axis=1
    )
    intensity, date = (reference.matrix(f"unmarked/mallard_{name}.csv") for name in ("ivel", "date"))
    counts = prepare_visits(
        reference.matrix("unmarked/mallard_y.csv"), site, np.stack([intensity, date, date**2], axis=2)
    )
    yield "N-mixture, AIC", "mallards", "unmarked 1.5.0", 511.20664, fit_n_mixture(counts, largest=30).aic, 2e-3


def _diversity(reference: Reference) -> Iterator[Row]:
    spiders = reference.column("iNEXT/spider_abundance.csv", "value", assemblage="Girdled")
    sample, data, program = Sample(spiders), "spiders, girdled", "iNEXT 3.0.2"
    yield "Chao1", data, program, 43.893, chao1(spiders).estimate, 5e-4
    yield "Shannon, asymptotic", data, program, 13.826, asymptotic_shannon(spiders), 5e-4
    yield "Simpson, asymptotic", data, program, 8.175, asymptotic_simpson(spiders), 5e-4
    yield "sample coverage", data, program, 0.9289, sample.coverage(), 5e-5
    yield "species in 84 records", data, program, 18.9123597, sample.richness(84), 1e-6
    yield "records for a coverage of 0.9", data, program, 84.8756518, sample.size_for_coverage(0.9), 5e-3
    ants = reference.column("iNEXT/ant_incidence_freq.csv", "value", assemblage="h50m")
    yield "Chao2", "ants, h50m", program, 279.1085, chao2(ants[1:], 599).estimate, 1e-4
    logged = Sample(reference.column("iNEXT/spider_abundance.csv", "value", assemblage="Logged"))
    yield "sample coverage", "spiders, logged", program, 0.9446, logged.coverage(), 5e-5
    trees = reference.matrix("vegan/BCI.csv")[:, 1:] > 0
    data, program = "trees, Barro Colorado", "vegan 2.6-4"
    chao = chao2(trees.sum(axis=0).astype(float), 50)
    yield "Chao2", data, program, 236.3732, chao.estimate, 1e-4
    yield "Chao2, standard error", data, program, 6.543610, chao.standard_error, 1e-5
    yield "jackknife, order 1", data, program, 245.58, jackknife(trees), 1e-4
    yield "jackknife, order 2", data, program, 247.8722, jackknife(trees, 2), 1e-4
    yield "bootstrap", data, program, 235.6862, bootstrap_richness(trees), 1e-4
    mean, deviation = species_accumulation(trees)
    for name, column, ours in (("species", "richness", mean), ("standard deviation of species", "sd", deviation)):
        expected = float(reference.column("vegan/BCI_specaccum_exact.csv", column)[24])
        yield f"{name} in 25 plots", data, program, expected, float(ours[24]), 1e-6


def test_every_statistic_is_within_its_tolerance_and_the_page_says_so(reference: Reference) -> None:
    table = HEADING
    for statistic, data, program, expected, ours, tolerance in rows(reference):
        assert ours == pytest.approx(expected, abs=tolerance), statistic
        table += f"| {statistic} | {data} | {program} | {expected:.6g} | {ours:.4g} | {tolerance:g} |\n"
    assert table in PAGE.read_text(encoding="utf-8"), f"the table in {PAGE} should be\n{table}"
