"""Levels of protection by name."""

from pathlib import Path

import pytest

from ingest.rules.protection import SpeciesError, protection_of, read_species
from ingest.rules.rule_set import Rule, RulesError, RuleSet, RulesOptions, load_rules
from tests.repository import REPOSITORY

EXAMPLE = REPOSITORY / "configs" / "species.csv"
LEVELS = read_species(EXAMPLE)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Panthera uncia", "I"),
        ("panthera UNCIA", "I"),
        ("Prionailurus bengalensis", "II"),
        ("Panthera tigris altaica", "I"),  # a subspecies is of its species' level
        ("Moschus cupreus", "I"),  # the whole genus is listed
        ("Canis lupus", "II"),
        ("Canis lupus familiaris", None),  # a dog is no wolf here
        ("Sus scrofa", None),
        ("", None),
        (None, None),
    ],
)
def test_a_kind_has_the_level_of_its_nearest_name(name: str | None, level: str | None) -> None:
    assert protection_of(name, LEVELS) == level


def test_the_example_agrees_with_the_national_list(shared_data: Path) -> None:
    national = read_species(shared_data / "reference" / "china" / "protected_list_2021.csv")
    assert len(national) > 950
    checked = {name: level for name, level in LEVELS.items() if name in national}
    assert len(checked) > 120
    assert checked == {name: national[name] for name in checked}


def test_the_national_list_loads_as_it_is_published(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("\ufeff种,学名,保护级别\n　　麝,Moschus spp.,一级\n　*水獭, Lutra lutra ,二级\n（空）,,\n")
    assert read_species(file) == {"moschus": "I", "lutra lutra": "II"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "columns"),
        ("name,protection\na,I\n", "expected scientific_name or 学名"),
        ("scientific_name,protection\nLynx lynx,I\nLYNX LYNX,II\n", "line 3: 'lynx lynx' has level 'II', but 'I'"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "species.csv"
    file.write_text(text)
    with pytest.raises(SpeciesError, match=told):
        load_rules(RulesOptions(species="species.csv"), tmp_path)
    with pytest.raises(SpeciesError, match=r"nothing\.csv"):
        read_species(tmp_path / "nothing.csv")


def test_a_level_that_the_table_does_not_have_is_named() -> None:
    with pytest.raises(RulesError, match=r"protection \['III'\]: the table has \['I', 'II'\]"):
        RuleSet(RulesOptions(rule=(Rule(name="x", protection=("III",)),)), (), LEVELS)
