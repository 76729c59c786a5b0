"""A site's list of species limits a classifier's claims by place and season, and its mistakes are named."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contract import Alternative, Classification, Location
from models.factory import open_classifier
from models.port import Classifier, Evidence
from models.species import SpeciesOptions
from models.species.site_list import SiteListError, read_site_list
from tests.species_network import colour_network, registry_of

MARSH = Location(latitude=31.5, longitude=117.25)
TABLE = """taxon,months,area,remark
Grus monacha,10-3,,winter guest
Sus scrofa,,,
Hydropotes inermis,"4, 6-8",31 117 32 118,
deer,,,
"""


def _name(label: str) -> str | None:
    return label if label[0].isupper() else None


def classifier(folder: Path, names: Sequence[str], options: SpeciesOptions, table: str = TABLE) -> Classifier:
    """Open a classifier of three classes with the names, limited to the site's list."""
    site = folder / "marsh.csv"
    site.write_text(table, encoding="utf-8")
    weights = colour_network(folder / "fixed.onnx")
    labels = [(name, _name(name) or "") for name in (*names, "none of these", "nor this")[:3]]
    return open_classifier("fixed", folder, options, registry_of(folder, "fixed", weights, labels), site)


def limited(
    folder: Path,
    *ranked: tuple[str, float],
    at: datetime | None = datetime(2026, 1, 15, tzinfo=UTC),
    place: Location | None = MARSH,
    threshold: float = 0.3,
    alternatives: int = 3,
) -> Classification | None:
    options = SpeciesOptions(threshold=threshold, alternatives=alternatives)
    one = classifier(folder, [name for name, _ in ranked], options)
    probabilities = np.array([*(sure for _, sure in ranked), 0.0, 0.0][:3])
    return one.decide([Evidence(probabilities, at, place)])


def test_a_plausible_claim_passes_without_its_implausible_alternatives(tmp_path: Path) -> None:
    claim = limited(tmp_path, ("Sus scrofa", 0.7), ("Panthera leo", 0.2), ("deer", 0.1))
    assert claim is not None
    assert (claim.label, claim.confidence, claim.model) == ("Sus scrofa", 0.7, "fixed+marsh")
    assert claim.alternatives == (Alternative(label="deer", confidence=0.1),)


def test_no_more_alternatives_are_reported_than_wished(tmp_path: Path) -> None:
    for wished in (0, 1, 2):
        answer = (("Sus scrofa", 0.5), ("deer", 0.3), ("Hydropotes inermis", 0.2))
        claim = limited(tmp_path, *answer, at=None, alternatives=wished)
        assert claim is not None and len(claim.alternatives) == wished


def test_in_place_of_an_implausible_claim_stands_the_best_plausible_one_if_it_is_sure_enough(tmp_path: Path) -> None:
    claim = limited(tmp_path, ("Panthera leo", 0.5), ("deer", 0.4), ("Sus scrofa", 0.1))
    assert claim is not None and (claim.label, claim.confidence, claim.scientific_name) == ("deer", 0.4, None)
    assert limited(tmp_path, ("Panthera leo", 0.5), ("deer", 0.4), threshold=0.45) is None
    assert limited(tmp_path, ("Panthera leo", 0.9), ("deer", 0.1)) is None


@pytest.mark.parametrize(("month", "kept"), [(10, True), (12, True), (3, True), (4, False), (9, False)])
def test_a_season_may_go_over_the_turn_of_the_year(tmp_path: Path, month: int, kept: bool) -> None:
    claim = limited(tmp_path, ("Grus monacha", 0.9), at=datetime(2026, month, 1, tzinfo=UTC))
    assert (claim is not None) == kept


@pytest.mark.parametrize(
    ("month", "place", "kept"),
    [
        (4, MARSH, True),
        (5, MARSH, False),
        (7, MARSH, True),
        (7, Location(latitude=30.9, longitude=117.25), False),
        (7, Location(latitude=31.5, longitude=118.5), False),
        (7, None, True),
    ],
)
def test_an_area_limits_a_species_to_a_part_of_the_site(
    tmp_path: Path, month: int, place: Location | None, kept: bool
) -> None:
    at = datetime(2026, month, 1, tzinfo=UTC)
    assert (limited(tmp_path, ("Hydropotes inermis", 0.9), at=at, place=place) is not None) == kept


def test_an_unknown_time_rules_nothing_out(tmp_path: Path) -> None:
    assert limited(tmp_path, ("Hydropotes inermis", 0.9), at=None) is not None


def test_taxa_are_compared_without_regard_to_case(tmp_path: Path) -> None:
    assert limited(tmp_path, ("Sus Scrofa", 0.9)) is not None


def test_the_model_names_classifier_and_list_and_changes_with_the_list(tmp_path: Path) -> None:
    tables = (TABLE, TABLE + "Vulpes vulpes,,,\n")
    models = [classifier(tmp_path, ["deer"], SpeciesOptions(), table).model for table in tables]
    assert models[0].name == models[1].name == "fixed+marsh"
    assert models[0].version.startswith("1+") and models[0].version != models[1].version
    assert models[0].sha256 != models[1].sha256


def test_a_species_of_the_list_makes_the_groups_above_it_plausible(tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    file.write_text("taxon,months,area\nCapreolus pygargus,,\n野猪,,\nfelid,,\n", encoding="utf-8")
    site = read_site_list(file)
    assert site.holds(["Cervidae", "Artiodactyla", "Mammalia"], None, None)
    assert site.holds(["Sus scrofa", "Sus", "Suidae"], None, None)
    assert site.holds(["Panthera onca", "Panthera", "Felidae"], None, None), "below a group of the list"
    assert not site.holds(["Sus domesticus", "Sus", "Suidae"], None, None)
    assert not site.holds(["Canidae", "Carnivora"], None, None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("taxon,months\nSus scrofa,\n", "expected taxon, months, area"),
        ("taxon,months,area\n", "no species"),
        ("taxon,months,area\n,1-3,\n", "line 2: no taxon"),
        ("taxon,months,area\nSus scrofa,spring,\n", "line 2: months 'spring'"),
        ("taxon,months,area\nSus scrofa,0-13,\n", "months '0-13'"),
        ("taxon,months,area\nSus scrofa,,31 117 32\n", "area '31 117 32'"),
        ("taxon,months,area\nSus scrofa,,32 117 31 118\n", "expected south <= north"),
    ],
)
def test_a_mistake_in_the_list_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "marsh.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SiteListError, match=named):
        read_site_list(file)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteListError, match=r"marsh\.csv"):
        read_site_list(tmp_path / "marsh.csv")
