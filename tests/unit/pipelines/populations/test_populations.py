"""Occupancy and abundance equal what the R package unmarked gives."""

import numpy as np
import pytest
from scipy import special

from pipelines.populations.abundance import fit_n_mixture, fit_royle_nichols
from pipelines.populations.fitting import ModelFit
from pipelines.populations.occupancy import fit_occupancy, naive_occupancy
from pipelines.populations.visits import BadVisits, prepare_visits
from tests.statistics_reference import Array, Reference


def logits(fit: ModelFit) -> list[float]:
    return [one.value for one in (*fit.state, *fit.detection)]


def errors(fit: ModelFit) -> list[float]:
    return [one.standard_error for one in (*fit.state, *fit.detection)]


def frogs(reference: Reference) -> tuple[Array, Array]:
    """Detections (sites, visits), and minutes after sunset and temperature of each visit, standardised."""
    rows = reference.rows("unmarked/frog2001pcru.csv")
    sites = list(dict.fromkeys(row["RouteNumStopNum"] for row in rows))
    detected, covariates = np.full((len(sites), 3), np.nan), np.full((len(sites), 3, 2), np.nan)
    for number, site in enumerate(sites):
        for visit, row in enumerate(row for row in rows if row["RouteNumStopNum"] == site):
            detected[number, visit] = float(row["Pcru"]) > 0
            covariates[number, visit] = float(row["MinAfterSunset"]), float(row["Temperature"])
    flat = covariates.reshape(-1, 2)
    return detected, (covariates - np.nanmean(flat, 0)) / np.nanstd(flat, 0, ddof=1)


def test_occupancy_of_frogs(reference: Reference) -> None:
    fit = fit_occupancy(prepare_visits(reference.matrix("unmarked/frogs_pcru_bin.csv")))
    assert logits(fit) == pytest.approx([2.952089, -0.249008], abs=1e-2)
    assert fit.negative_log_likelihood == pytest.approx(228.502079, abs=1e-3)
    assert fit.aic == pytest.approx(461.0042, abs=2e-3)
    assert (fit.sites, fit.warnings) == (130, ())


def test_occupancy_of_frogs_with_covariates_of_visits(reference: Reference) -> None:
    detected, covariates = frogs(reference)
    visits = prepare_visits(detected, None, covariates)
    fit = fit_occupancy(visits, visit_names=("minutes after sunset", "temperature"))
    assert special.expit(fit.state[0].value) == pytest.approx(0.823072, abs=1e-4)
    assert logits(fit) == pytest.approx([1.537304, 0.209771, -0.085546, -1.893615], abs=1e-2)
    assert errors(fit) == pytest.approx([0.292126, 0.206360, 0.159706, 0.290957], abs=1e-2)
    assert fit.aic == pytest.approx(356.7591, abs=2e-3)
    assert [one.name for one in fit.detection] == ["intercept", "minutes after sunset", "temperature"]
    low, high = (special.expit(value) for value in fit.state[0].interval())
    assert (low, high) == pytest.approx((0.724071, 0.891858), abs=1e-3)
    assert naive_occupancy(detected) == pytest.approx(96 / 130)


def test_occupancy_at_its_boundary_warns(reference: Reference) -> None:
    fit = fit_occupancy(prepare_visits(reference.matrix("unmarked/frogs_pfer_bin.csv")))
    assert fit.negative_log_likelihood <= 128.665045
    assert any("ran to its boundary" in warning for warning in fit.warnings)


def crossbills(reference: Reference, *names: str) -> Array:
    return np.stack([reference.column("unmarked/crossbill.csv", name) for name in names], axis=1)


def fit_crossbills(reference: Reference) -> ModelFit:
    """Fit occupancy with elevation and forest of sites and the date of visits, standardised."""
    detected = crossbills(reference, "det991", "det992", "det993")
    site, dates = crossbills(reference, "ele", "forest"), crossbills(reference, "date991", "date992", "date993")
    site = (site - site.mean(0)) / site.std(0, ddof=1)
    visit = ((dates - np.nanmean(dates)) / np.nanstd(dates, ddof=1))[:, :, None]
    return fit_occupancy(prepare_visits(detected, site, visit), ("elevation", "forest"), ("date",))


def test_occupancy_of_crossbills(reference: Reference) -> None:
    alone = fit_occupancy(prepare_visits(crossbills(reference, "det991", "det992", "det993")))
    assert logits(alone) == pytest.approx([-0.546120, -0.593961], abs=1e-2)
    assert alone.negative_log_likelihood == pytest.approx(253.626904, abs=1e-3)
    assert alone.sites == 245
    fit = fit_crossbills(reference)
    assert logits(fit) == pytest.approx([-0.743402, 0.589885, 0.978237, -0.673867, 0.550588], abs=1e-2)
    assert errors(fit) == pytest.approx([0.254048, 0.215183, 0.232192, 0.213909, 0.167199], abs=1e-2)
    assert fit.negative_log_likelihood == pytest.approx(230.91502, abs=1e-3)


def test_royle_nichols_of_frogs(reference: Reference) -> None:
    fit = fit_royle_nichols(prepare_visits(reference.matrix("unmarked/frogs_pcru_bin.csv")), largest=50)
    assert logits(fit) == pytest.approx([3.323605, -3.925125], abs=1e-2)
    assert fit.negative_log_likelihood == pytest.approx(228.895555, abs=1e-3)


def test_n_mixture_of_mallards(reference: Reference) -> None:
    site = np.stack(
        [reference.column("unmarked/mallard_site.csv", name) for name in ("length", "elev", "forest")], axis=1
    )
    intensity, date = (reference.matrix(f"unmarked/mallard_{name}.csv") for name in ("ivel", "date"))
    visit = np.stack([intensity, date, date**2], axis=2)
    visits = prepare_visits(reference.matrix("unmarked/mallard_y.csv"), site, visit)
    fit = fit_n_mixture(visits, ("length", "elevation", "forest"), ("intensity", "date", "date²"), largest=30)
    expected = [-1.989416, -0.412598, -1.506745, -0.707301, 0.255164, 0.297779, -0.368937, 0.009078]
    assert logits(fit) == pytest.approx(expected, abs=1e-2)
    assert fit.aic == pytest.approx(511.20664, abs=2e-3)
    assert fit.sites == 235


def test_estimates_that_depend_on_the_largest_number_of_animals_warn(reference: Reference) -> None:
    """The published estimate of the frogs is one of 50 animals at most: with 100, they are more than twice as many."""
    visits = prepare_visits(reference.matrix("unmarked/frogs_pcru_bin.csv"))
    assert any(
        "the data do not limit the number of animals" in one for one in fit_royle_nichols(visits, largest=50).warnings
    )


def test_few_places_and_single_visits_warn() -> None:
    few = fit_occupancy(prepare_visits(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]] * 2)))
    assert "6 places: expected at least 10 for 2 coefficients" in few.warnings
    once = fit_occupancy(prepare_visits(np.array([[1.0], [0.0]] * 20)))
    assert any("no place was visited twice" in warning for warning in once.warnings)


def test_data_that_fit_the_model_give_no_warning_and_numbers_near_the_truth() -> None:
    random = np.random.default_rng(5)
    present = random.random((200, 1)) < 0.6
    fit = fit_occupancy(prepare_visits((present & (random.random((200, 6)) < 0.4)).astype(float)))
    assert fit.warnings == ()
    assert special.expit(fit.state[0].value) == pytest.approx(0.6, abs=0.1)
    animals = random.poisson(2.0, (200, 1))
    counts = fit_n_mixture(prepare_visits(random.binomial(animals, 0.5, (200, 6)).astype(float)), largest=50)
    assert counts.warnings == ()
    assert np.exp(counts.state[0].value) == pytest.approx(2.0, abs=0.4)


def test_the_smallest_published_case() -> None:
    """Five sites, two visits, alternating detections: unmarked's own test of occu."""
    fit = fit_occupancy(prepare_visits(np.array([0, 1] * 5, float).reshape(5, 2)))
    assert fit.detection[0].value == pytest.approx(0, abs=1e-2)
    assert fit.warnings  # every site is occupied: the boundary


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (np.zeros(3), r"expected \(sites, visits\)"),
        (np.full((2, 2), np.nan), "no site has a visit"),
        (np.array([[0.0, -1.0]]), "count -1"),
        (np.zeros((3, 2)), "nothing was counted"),
    ],
)
def test_visits_that_say_nothing_are_refused(counts: Array, told: str) -> None:
    with pytest.raises(BadVisits, match=told):
        prepare_visits(counts)


def test_a_count_above_the_largest_number_is_refused() -> None:
    with pytest.raises(BadVisits, match="count 9: expected at most 5"):
        fit_n_mixture(prepare_visits(np.array([[9.0, 1.0]])), largest=5)


def test_a_visit_with_a_missing_covariate_is_left_out() -> None:
    covariates = np.array([[[1.0], [np.nan]], [[np.nan], [np.nan]]])
    visits = prepare_visits(np.array([[1.0, 0.0], [1.0, 1.0]]), None, covariates)
    assert visits.sites == 1
    assert visits.seen.tolist() == [[True, False]]
