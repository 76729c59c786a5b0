"""Populations from a store whose truth is known, as library, as commands and as files for R."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.store.duckdb.store import DuckDbStore
from pipelines.diversity.rarefaction import Sample
from pipelines.diversity.species_survey import can_be_trusted, species_survey
from pipelines.populations.covariates import BadCovariates, read_covariates
from pipelines.populations.report import PopulationReport, population_report
from pipelines.populations.species_history import HistoryOptions, NoHistory, species_history
from pipelines.trends.request import TrendRequest
from tests.simulated_survey import COMMON, DAYS, FIRST, STATIONS, ZONE, SimulatedSurvey, station_name
from wildpost.cli.main import main

LAST = FIRST + timedelta(days=DAYS - 1)
BOAR = TrendRequest(FIRST, LAST, ZONE, taxon="Sus scrofa")
DAYS_ASKED = ["--from", FIRST.isoformat(), "--to", LAST.isoformat()]


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSurvey:
    return SimulatedSurvey(tmp_path_factory.mktemp("survey"))


@pytest.fixture
def store(survey: SimulatedSurvey) -> Iterator[DuckDbStore]:
    with closing(DuckDbStore(survey.folder / "detections.duckdb", read_only=True)) as opened:
        yield opened


def model(report: PopulationReport, name: str) -> Any:
    (found,) = (one for one in report.models if one.name == name)
    return found


def test_occupancy_with_imperfect_detection_is_near_the_truth(store: DuckDbStore, survey: SimulatedSurvey) -> None:
    species = species_history(store, BOAR, HistoryOptions(3))
    report = population_report(species)
    assert species.history.detected.shape == (STATIONS, 14)
    assert np.nansum(species.history.occasions.effort_days) == pytest.approx(STATIONS * DAYS)
    assert (species.untrusted, species.without_effort) == (1, 0)
    found = model(report, "occupancy")
    assert found.warnings == ()
    truth = survey.with_boar.mean()
    assert found.state.low < truth < found.state.high
    assert found.state.value == pytest.approx(truth, abs=0.05)
    assert report.naive <= found.state.value
    assert found.detection.value == pytest.approx(1 - (1 - 0.12) ** 3, abs=0.06)


def test_stations_of_one_place_are_one_row_with_the_effort_of_all(store: DuckDbStore) -> None:
    species = species_history(store, BOAR, HistoryOptions(7, by="place"))
    assert species.history.occasions.places == tuple(f"valley {number}" for number in range(4))
    assert species.history.occasions.effort_days.tolist() == [[70.0] * 6] * 4
    few = model(population_report(species), "occupancy")
    assert few.state is None
    assert any("4 places: expected at least 10" in warning for warning in few.warnings)


def test_a_covariate_of_places_is_found_and_no_number_is_given_for_too_many(
    store: DuckDbStore, survey: SimulatedSurvey
) -> None:
    species = species_history(store, BOAR, HistoryOptions(3))
    water = {station_name(n): (float(has) + 0.6 * np.sin(7.0 * n),) for n, has in enumerate(survey.with_boar)}
    found = model(population_report(species, water, ("water",)), "occupancy")
    assert found.warnings == ()
    assert [one.name for one in found.fit.state] == ["intercept", "water"]
    assert found.fit.state[1].value > 2 * found.fit.state[1].standard_error > 0
    perfect = {name: (float(survey.with_boar[n]),) for n, name in enumerate(map(station_name, range(STATIONS)))}
    separated = model(population_report(species, perfect, ("perfect",)), "occupancy")
    assert separated.state is None
    assert any("ran to its boundary" in warning for warning in separated.warnings)
    with pytest.raises(BadCovariates, match="flat: 40 values, all the same"):
        population_report(species, dict.fromkeys(perfect, (2.0,)), ("flat",))
    with pytest.raises(BadCovariates, match="log effort: 560 values, all the same"):
        population_report(species, with_effort=True)


def test_a_species_that_was_never_recorded_has_no_numbers(store: DuckDbStore) -> None:
    report = population_report(species_history(store, replace(BOAR, taxon="Panthera tigris"), HistoryOptions()))
    assert report.naive == 0
    assert all(one.state is None and "nothing was counted" in one.warnings[0] for one in report.models)


def test_without_effort_there_is_no_history(store: DuckDbStore) -> None:
    early = replace(BOAR, first=date(2025, 1, 1), last=date(2025, 1, 31))
    with pytest.raises(NoHistory, match="no station is known to have worked"):
        species_history(store, early, HistoryOptions())


def test_species_are_wild_and_identified(store: DuckDbStore) -> None:
    found = species_survey(store, BOAR, HistoryOptions())
    assert sorted(name for name, _ in found.counts) == sorted(("Sus scrofa", *COMMON))
    assert (found.domestic, found.unidentified, found.untrusted) == (1, 1, 1)
    assert found.units == STATIONS * 6
    assert found.chao1 is not None
    assert found.chao2 is not None
    assert (found.chao1.estimate, found.chao2.estimate, found.coverage) == (4, 4, 1)
    assert found.accumulation[-1].species == pytest.approx(4)
    assert found.rarefaction[-1].size == 2 * sum(records for _, records in found.counts)


def test_few_records_give_no_number_of_unseen_species(store: DuckDbStore) -> None:
    few = replace(BOAR, last=FIRST + timedelta(days=6), stations=(station_name(0), station_name(1)))
    found = species_survey(store, few, HistoryOptions())
    assert (found.chao1, found.chao2, found.shannon, found.simpson) == (None, None, None, None)
    assert any("records: expected at least 20" in warning for warning in found.warnings)
    assert any("2 sampling units with a record: expected at least 20" in warning for warning in found.warnings)
    none = species_survey(store, replace(BOAR, first=date(2025, 1, 1), last=date(2025, 1, 9)), HistoryOptions())
    assert (none.counts, none.units, none.coverage) == ((), 0, None)
    assert none.warnings == ("no records", "no sampling units with a record")


def test_a_sample_with_low_coverage_gives_no_number_of_unseen_species() -> None:
    warnings: list[str] = []
    assert not can_be_trusted(Sample(np.ones(30)), "records", warnings)
    assert warnings == ["coverage 0.00 of the records: expected at least 0.5 to estimate the number of unseen species"]
    assert can_be_trusted(Sample(np.full(30, 5.0)), "records", warnings)


def test_the_command_prints_numbers_or_why_there_are_none(
    survey: SimulatedSurvey, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["populations", *DAYS_ASKED, "--data", str(survey.folder)]
    assert main([*asked, "--taxon", "野猪", "--occasion-days", "3"]) == 0
    text = capsys.readouterr().out
    assert "Sus scrofa, 2026-03-02 to 2026-04-12" in text
    assert "left out: 1 captures whose time is not trusted" in text
    assert "occupancy: occupancy 0." in text
    assert main([*asked, "--taxon", "野猪", "--by", "place", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in found["models"]] == [None] * 3
    assert all(one["warnings"] for one in found["models"])
    assert found["naive_occupancy"] == 1
    assert main([*asked, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["species"]) == 4
    (tmp_path / "sites.csv").write_text("station,height\nridge-00,1\nridge-00,2\n")
    for words, told in (
        (["--effort"], "--covariates and --effort: expected --taxon too"),
        (["--taxon", "野猪", "--covariate", "height"], "--covariates and --covariate: expected both or none"),
        (
            ["--taxon", "野猪", "--covariate", "height", "--covariates", str(tmp_path / "sites.csv")],
            "line 3: 'ridge-00': expected each place once",
        ),
        (["--taxon", "野猪", "--occasion-days", "0"], "occasions of 0 days: expected 1 to 366"),
    ):
        assert main([*asked, *words]) == 1
        assert told in capsys.readouterr().err


def test_the_files_for_r_have_detections_counts_effort_and_days(
    survey: SimulatedSurvey, store: DuckDbStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "history"
    asked = ["export", "detection-history", str(out), "--taxon", "wild boar", "--data", str(survey.folder)]
    assert main([*asked, "--from", "2026-02-23", "--to", LAST.isoformat(), "--first-day", "own"]) == 0
    assert f"{out}: Sus scrofa, 40 places, 6 occasions" in capsys.readouterr().out
    history = species_history(store, BOAR, HistoryOptions()).history
    for name, matrix in (
        ("history", history.detected),
        ("counts", history.animals),
        ("effort", history.occasions.effort_days),
    ):
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            heading, *rows = list(csv.reader(file))
        assert heading == ["place", "o1", "o2", "o3", "o4", "o5", "o6"]
        assert [row[0] for row in rows] == [station_name(number) for number in range(STATIONS)]
        assert [[float(cell) for cell in row[1:]] for row in rows] == matrix.tolist()
    days = (out / "occasions.csv").read_text(encoding="utf-8").splitlines()
    assert days[:2] == ["place,occasion,first_day,last_day", "ridge-00,o1,2026-03-02,2026-03-08"]
    assert main([*asked, *DAYS_ASKED]) == 1  # the folder exists
    assert str(out) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("height\n1\n", "expected place or station among them"),
        ("place,width\na,1\n", "expected height among them"),
        ("place,height\na,tall\n", "line 2, height: 'tall': expected a number"),
        ("place,height\na,inf\n", "expected a finite number"),
        ("", "expected place or station among them"),
    ],
)
def test_tables_of_covariates_that_cannot_be_used_are_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "covariates.csv"
    path.write_text(text)
    with pytest.raises(BadCovariates, match=told):
        read_covariates(path, ["height"])


def test_a_missing_value_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "covariates.csv"
    path.write_text("\ufeffStation,height\na,NA\nb,\nc,3\n", encoding="utf-8")
    found = read_covariates(path, ["height"])
    assert np.isnan([found["a"][0], found["b"][0]]).all()
    assert found["c"] == (3.0,)
