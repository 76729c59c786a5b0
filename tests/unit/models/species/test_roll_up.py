"""A classifier answers at the most specific rank of which it is sure, and only taxa that can occur."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contract import Classification, Location
from models.factory import open_classifier
from models.port import Classifier, Evidence
from models.registry import Rank, WeightsError
from models.species import SpeciesOptions
from models.species.areas import Area
from models.species.labels import TaxonLabel
from models.species.roll_up import Node, TaxonTree
from tests.species_network import colour_network, registry_of

MAMMALS: tuple[tuple[Rank, str], ...] = (("order", "Carnivora"), ("class", "Mammalia"))
CATS: tuple[tuple[Rank, str], ...] = (("genus", "Panthera"), ("family", "Felidae"), *MAMMALS)
LABELS = (
    TaxonLabel("tiger", "Panthera tigris", CATS),
    TaxonLabel("leopard", "Panthera pardus", CATS),
    TaxonLabel("badger", "Mustelidae", (("family", "Mustelidae"), *MAMMALS)),
    TaxonLabel("otter", "Lutrinae", (("family", "Mustelidae"), *MAMMALS)),
    TaxonLabel("ostrich", "Struthio camelus", (("genus", "Struthio"), ("class", "Aves"))),
)
LIMITS = {"species": 0.6, "genus": 0.6, "family": 0.65, "order": 0.75, "class": 0.9}


def answer(*scores: float, plausible: Callable[[Node], bool] = lambda _: True) -> tuple[str, Rank, float] | None:
    found = TaxonTree(LABELS).answer(np.array(scores), LIMITS.__getitem__, plausible)
    return None if found is None else (found[0].name, found[0].rank, round(found[1], 4))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.7, 0.2, 0.1, 0, 0), ("Panthera tigris", "species", 0.7)),
        ((0.45, 0.4, 0.1, 0, 0.05), ("Panthera", "genus", 0.85)),
        ((0, 0, 0.35, 0.5, 0.15), ("Mustelidae", "family", 0.85)),
        ((0.3, 0.1, 0.2, 0.2, 0.2), ("Carnivora", "order", 0.8)),
        ((0.2, 0.2, 0.1, 0.1, 0.4), None),
        ((0, 0, 0, 0, 1), ("Struthio camelus", "species", 1.0)),
        ((np.nan, np.nan, np.nan, np.nan, np.nan), None),
    ],
)
def test_probabilities_are_summed_over_the_taxonomy(
    scores: tuple[float, ...], expected: tuple[str, Rank, float] | None
) -> None:
    assert answer(*scores) == expected


def test_a_group_of_one_class_is_not_an_answer() -> None:
    assert {node.name for node in TaxonTree(LABELS).nodes} == {
        *("Panthera tigris", "Panthera pardus", "Panthera", "Mustelidae", "Lutrinae"),
        *("Carnivora", "Struthio camelus"),
    }, "Felidae are Panthera here, Mammalia are Carnivora, Aves and Struthio one species"


def test_what_cannot_occur_still_counts_for_its_group() -> None:
    def no_tiger(node: Node) -> bool:
        return node.name != "Panthera tigris"

    assert answer(0.9, 0.05, 0, 0, 0, plausible=no_tiger) == ("Panthera", "genus", 0.95)


def test_the_label_of_a_group_is_that_of_its_class_or_its_name() -> None:
    nodes = {node.name: node for node in TaxonTree(LABELS).nodes}
    assert (nodes["Mustelidae"].label, nodes["Mustelidae"].scientific_name) == ("badger", "Mustelidae")
    assert (nodes["Panthera"].label, nodes["Panthera"].scientific_name) == ("Panthera", "Panthera")
    assert nodes["Panthera tigris"].lineage == ("Panthera tigris", "Panthera", "Felidae", "Carnivora", "Mammalia")


TABLE = """label,scientific_name,genus,family,order,class,areas
tiger,Panthera tigris,Panthera,Felidae,Carnivora,Mammalia,-7 68 55 142
jaguar,Panthera onca,Panthera,Felidae,Carnivora,Mammalia,-40 -115 34 -34
deer,Cervidae,,Cervidae,Artiodactyla,Mammalia,
"""


def classifier(folder: Path, table: str = TABLE) -> Classifier:
    labels = [("", "")] * 3
    weights = colour_network(folder / "cats.onnx")
    registry_of(folder, "cats", weights, labels)
    (folder / "cats-labels.csv").write_text(table, encoding="utf-8")
    import hashlib

    file = folder / "cats.toml"
    digest = hashlib.sha256((folder / "cats-labels.csv").read_bytes()).hexdigest()
    lines = [
        f'labels_sha256 = "{digest}"' if one.startswith("labels_") else one for one in file.read_text().split("\n")
    ]
    file.write_text("\n".join([*lines, "thresholds = { class = 0.95 }", ""]))
    from models.registry import load_registry

    return open_classifier("cats", folder, SpeciesOptions(threshold=0.6), load_registry(file))


def decided(one: Classifier, *scores: tuple[float, ...], place: Location | None = None) -> Classification | None:
    return one.decide([Evidence(np.array(row), None, place) for row in scores])


def test_a_species_is_not_named_where_it_does_not_occur(tmp_path: Path) -> None:
    one = classifier(tmp_path)
    anhui, pantanal = Location(latitude=31.3, longitude=117.2), Location(latitude=-17, longitude=-57)
    everywhere = decided(one, (0.1, 0.8, 0.1))
    assert everywhere is not None and everywhere.scientific_name == "Panthera onca"
    there = decided(one, (0.1, 0.8, 0.1), place=pantanal)
    assert there is not None and there.label == "jaguar"
    assert [alternative.label for alternative in there.alternatives] == ["deer"], "no tiger there"
    here = decided(one, (0.1, 0.8, 0.1), place=anhui)
    assert here is not None and (here.scientific_name, here.confidence) == ("Panthera", 0.9)
    assert [alternative.label for alternative in here.alternatives] == ["tiger", "deer"]


def test_several_crops_of_one_animal_vote(tmp_path: Path) -> None:
    one = classifier(tmp_path)
    unsure = (0.3, 0.3, 0.4)
    assert decided(one, unsure) is not None and decided(one, unsure) == decided(one, unsure, unsure)
    together = decided(one, unsure, (0.9, 0.05, 0.05), (0.8, 0.1, 0.1))
    assert together is not None and together.scientific_name == "Panthera tigris"
    assert together.confidence == pytest.approx((0.3 + 0.9 + 0.8) / 3, abs=1e-4)


def test_a_mistake_in_the_areas_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="line 2: area '-7 68 55': expected south west north east"):
        classifier(tmp_path, TABLE.replace("55 142", "55"))


def test_an_area_holds_its_borders() -> None:
    area = Area(-7, 68, 55, 142)
    assert area.contains(Location(latitude=-7, longitude=142))
    assert not area.contains(Location(latitude=-7.1, longitude=100))
