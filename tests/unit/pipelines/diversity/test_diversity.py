"""Numbers of species equal what the R packages iNEXT and vegan give."""

import numpy as np
import pytest
from numpy.typing import NDArray

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
from tests.statistics_reference import Array, Reference

UNITS = {"h50m": 599, "h500m": 230, "h1070m": 150, "h1500m": 200, "h2000m": 200}


def spiders(reference: Reference, assemblage: str) -> Array:
    return reference.column("iNEXT/spider_abundance.csv", "value", assemblage=assemblage)


def ants(reference: Reference, assemblage: str) -> Sample:
    counts = reference.column("iNEXT/ant_incidence_freq.csv", "value", assemblage=assemblage)
    return Sample(counts[1:], UNITS[assemblage])  # the first number is that of the units


def trees(reference: Reference) -> NDArray[np.bool_]:
    return reference.matrix("vegan/BCI.csv")[:, 1:] > 0


def test_chao1_of_spiders(reference: Reference) -> None:
    found = chao1(spiders(reference, "Girdled"))
    assert found.observed == 26
    assert found.estimate == pytest.approx(43.893, abs=1e-3)
    assert (found.standard_error, found.low, found.high) == pytest.approx((14.306, 30.511, 96.971), abs=1e-3)


def test_asymptotic_diversity_of_spiders(reference: Reference) -> None:
    for row in reference.rows("iNEXT/spider_asymptotic.csv"):
        counts = spiders(reference, row["Assemblage"])
        found = {
            "Species richness": chao1(counts).estimate,
            "Shannon diversity": asymptotic_shannon(counts),
            "Simpson diversity": asymptotic_simpson(counts),
        }[row["Diversity"]]
        assert found == pytest.approx(float(row["Estimator"]), rel=1e-9)


def test_rarefaction_and_extrapolation_of_spiders(reference: Reference) -> None:
    for row in reference.rows("iNEXT/spider_size_based.csv"):
        sample, size, order = Sample(spiders(reference, row["Assemblage"])), float(row["m"]), int(row["Order.q"])
        assert sample.coverage(size) == pytest.approx(float(row["SC"]), abs=1e-9)
        if order == 0 or size <= sample.size:
            assert sample.hill_number(order, size) == pytest.approx(float(row["qD"]), rel=1e-9), row


def test_rarefaction_and_extrapolation_of_ants_by_traps(reference: Reference) -> None:
    rows = [row for row in reference.rows("iNEXT/ant_size_based.csv") if row["Order.q"] == "0"]
    assert len(rows) > 90
    for row in rows:
        sample, size = ants(reference, row["Assemblage"]), float(row["t"])
        assert sample.richness(size) == pytest.approx(float(row["qD"]), rel=1e-9), row
        assert sample.coverage(size) == pytest.approx(float(row["SC"]), abs=1e-9)


def test_the_size_with_a_coverage(reference: Reference) -> None:
    for row in reference.rows("iNEXT/spider_estimateD_cov0.9.csv"):
        sample = Sample(spiders(reference, row["Assemblage"]))
        size = sample.size_for_coverage(0.9)
        assert sample.coverage(size) == pytest.approx(0.9)
        assert size == pytest.approx(float(row["m"]), abs=5e-3)  # R searches to a coarser tolerance


def test_estimates_of_the_trees_of_barro_colorado(reference: Reference) -> None:
    found = chao2(trees(reference).sum(axis=0).astype(float), 50)
    assert found.observed == 225
    assert found.estimate == pytest.approx(236.3732, abs=1e-4)
    assert found.standard_error == pytest.approx(6.543610, abs=1e-5)
    assert jackknife(trees(reference)) == pytest.approx(245.58)
    assert jackknife(trees(reference), 2) == pytest.approx(247.8722, abs=1e-4)
    assert bootstrap_richness(trees(reference)) == pytest.approx(235.6862, abs=1e-4)


def test_accumulation_of_the_trees_of_barro_colorado(reference: Reference) -> None:
    mean, deviation = species_accumulation(trees(reference))
    assert mean == pytest.approx(reference.column("vegan/BCI_specaccum_exact.csv", "richness"), rel=1e-9)
    assert deviation == pytest.approx(reference.column("vegan/BCI_specaccum_exact.csv", "sd"), abs=1e-9)


def test_species_that_all_were_seen_often_leave_none_unseen() -> None:
    found = chao1(np.array([9.0, 8.0, 7.0]))
    assert (found.estimate, found.low, found.high) == (3, 3, 3)
    assert Sample(np.array([9.0, 8.0, 7.0])).coverage() == 1


def test_singletons_without_doubletons_have_a_finite_estimate() -> None:
    found = chao1(np.array([1.0, 1.0, 1.0, 5.0]))
    assert 4 < found.estimate < 10
    assert found.low >= 4


@pytest.mark.parametrize("counts", [[], [0.0, 0.0]])
def test_no_records_have_no_estimate(counts: list[float]) -> None:
    with pytest.raises(ValueError, match="no records"):
        chao1(np.array(counts))


def test_impossible_questions_are_named() -> None:
    with pytest.raises(ValueError, match="order 3: expected 1 or 2"):
        jackknife(np.ones((3, 2), bool), 3)
    with pytest.raises(ValueError, match="expected at most 2"):
        chao2(np.array([3.0]), 2)
    sample = Sample(np.array([3.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="order 1"):
        sample.hill_number(1, 50)
    with pytest.raises(ValueError, match=r"coverage 1\.5"):
        sample.size_for_coverage(1.5)
