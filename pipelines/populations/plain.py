"""Populations and numbers of species as JSON-compatible types; what is not known, or cannot be trusted, is null."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.diversity.richness import Richness
from pipelines.diversity.species_survey import CurvePoint, SpeciesSurvey
from pipelines.populations.covariates import Standardised
from pipelines.populations.fitting import Coefficient
from pipelines.populations.report import Estimate, FittedModel, PopulationReport
from pipelines.trends.plain import plain_independence, plain_request
from pipelines.trends.request import TrendRequest


def plain_population(report: PopulationReport) -> dict[str, Any]:
    """Return the report of one species."""
    species = report.species
    found = species.history.occasions
    return {
        "taxon": species.request.taxon,
        **_request(species.request),
        "occasion_days": found.days,
        "places": len(found.places),
        "occasions": int((~np.isnan(found.effort_days)).sum()),
        "effort_days": float(np.nansum(found.effort_days)),
        "records": int(np.nansum(species.history.records)),
        "places_with_records": report.places_with_records,
        "untrusted_times": species.untrusted,
        "records_without_effort": species.without_effort,
        "naive_occupancy": report.naive,
        "covariates": [
            {"of": of, "name": name, "mean": mean, "standard_deviation": deviation}
            for of, found_ in (("place", report.site_covariates), ("occasion", report.visit_covariates))
            if found_
            for name, mean, deviation in _scales(found_)
        ],
        "models": [_model(one) for one in report.models],
    }


def _request(request: TrendRequest) -> dict[str, Any]:
    return {**plain_request(request), "independence": plain_independence(request)}


def _scales(found: Standardised) -> Sequence[tuple[str, float, float]]:
    return list(zip(found.names, found.means, found.deviations, strict=True))


def _model(model: FittedModel) -> dict[str, Any]:
    fit = model.fit if not model.warnings else None
    return {
        "model": model.name,
        "state": _estimate(model.state),
        "detection": _estimate(model.detection),
        "state_coefficients": _coefficients(fit.state) if fit else None,
        "detection_coefficients": _coefficients(fit.detection) if fit else None,
        "negative_log_likelihood": fit.negative_log_likelihood if fit else None,
        "aic": fit.aic if fit else None,
        "places": fit.sites if fit else None,
        "warnings": list(model.warnings),
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    return {"value": found.value, "interval": [found.low, found.high]} if found else None


def _coefficients(found: Sequence[Coefficient]) -> list[dict[str, Any]]:
    return [{"name": one.name, "value": one.value, "standard_error": one.standard_error} for one in found]


def plain_survey(survey: SpeciesSurvey) -> dict[str, Any]:
    """Return the number of species."""
    return {
        **_request(survey.request),
        "species": [{"name": name, "records": records} for name, records in survey.counts],
        "sampling_units": survey.units,
        "untrusted_times": survey.untrusted,
        "domestic_records": survey.domestic,
        "unidentified_records": survey.unidentified,
        "coverage": survey.coverage,
        "chao1": _richness(survey.chao1),
        "chao2": _richness(survey.chao2),
        "shannon": survey.shannon,
        "simpson": survey.simpson,
        "rarefaction": [_point(one) for one in survey.rarefaction],
        "accumulation": [_point(one) for one in survey.accumulation],
        "warnings": list(survey.warnings),
    }


def _richness(found: Richness | None) -> dict[str, Any] | None:
    return (
        {
            "observed": found.observed,
            "estimate": found.estimate,
            "standard_error": found.standard_error,
            "interval": [found.low, found.high],
        }
        if found
        else None
    )


def _point(point: CurvePoint) -> dict[str, Any]:
    return {
        "size": point.size,
        "species": point.species,
        "coverage": point.coverage,
        "standard_deviation": point.deviation,
    }
