"""Levels of protection by name."""

from pathlib import Path

import msgspec
import pytest

from contract import Detection
from contract.examples import EVENT
from contract.messages import ObservationType
from ingest.rules.protection import Protection, SpeciesError, read_species
from ingest.rules.rule_set import Rule, RulesError, RuleSet, RulesOptions, load_rules
from tests.repository import REPOSITORY

EXAMPLE = REPOSITORY / "configs" / "species.csv"
LEVELS = read_species(EXAMPLE)


def found(label: str, scientific: str | None = None, kind: ObservationType = "animal") -> Detection:
    return Detection(
        ordinal=0, label=label, observation_type=kind, confidence=0.9, model="wildpost-nano", scientific_name=scientific
    )


@pytest.mark.parametrize("table", [LEVELS, {}], ids=["with the example table", "official lists alone"])
@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Panthera uncia", "I"),
        ("panthera UNCIA", "I"),
        ("Prionailurus bengalensis", "II"),
        ("Panthera tigris altaica", "I"),  # a subspecies is of its species' level
        ("Canis lupus", "II"),
        ("Canis lupus familiaris", None),  # a dog is no wolf here
        ("Felis catus", None),  # all cats are listed, but no domestic one
        ("Sus scrofa", None),
        ("Grus vipio", "I"),
        ("Antigone vipio", "I"),  # the same crane under its name of today
        ("Antigone vipio (Pallas, 1811)", "I"),
        (None, None),
    ],
)
def test_an_animal_has_its_level_under_each_of_its_names(
    name: str | None, level: str | None, table: dict[str, str]
) -> None:
    assert Protection(table).of(found("x", name)) == level


@pytest.mark.parametrize(
    ("label", "level"),
    [("白枕鹤", "I"), ("owl", "II"), ("雕鸮", "II"), ("Snow Leopard", "I"), ("喜鹊", "sanyou"), ("bird", None)],
)
def test_a_label_without_a_scientific_name_is_enough(label: str, level: str | None) -> None:
    assert Protection().of(found(label)) == level


def test_an_unknown_species_has_the_level_of_its_genus() -> None:
    assert Protection().of(found("x", "Moschus cupreus")) == "II"  # by the lists at least; each listed species is I
    assert Protection(LEVELS).of(found("x", "Moschus cupreus")) == "I"


def test_a_table_of_the_reserve_wins_over_the_official_lists() -> None:
    own = Protection({"pica pica": "province", "grus vipio": "none"})
    assert own.of(found("喜鹊")) == "province"
    assert own.of(found("x", "Antigone vipio")) is None
    assert own.of(found("x", "Grus vipio")) is None
    assert own.levels == {"I", "II", "sanyou", "province"}


def test_a_person_or_a_boat_is_never_protected() -> None:
    assert Protection().of(found("crane", None, "vehicle")) is None
    assert Protection().of(found("tiger", "Panthera tigris", "human")) is None


def test_a_rule_about_a_label_holds_for_every_name_of_the_taxon() -> None:
    rule = Rule(name="boar", labels=("野猪",))
    rules = RuleSet(RulesOptions(rule=(rule,)), ())
    for label, scientific in (("wild_boar", None), ("x", "sus scrofa"), ("Wild Boar", None), ("boar", "Sus scrofa L.")):
        event = msgspec.structs.replace(EVENT, detections=(found(label, scientific),))
        assert [flag.rule for flag in rules.evaluate(event, event.captured_at)] == ["boar"], label


def test_the_example_agrees_with_the_national_list(shared_data: Path) -> None:
    national = read_species(shared_data / "reference" / "china" / "protected_list_2021.csv")
    assert len(national) > 950
    checked = {name: level for name, level in LEVELS.items() if name in national}
    assert len(checked) > 120
    assert checked == {name: national[name] for name in checked}


def test_every_name_of_the_national_list_has_its_level_without_a_table(shared_data: Path) -> None:
    national = read_species(shared_data / "reference" / "china" / "protected_list_2021.csv")
    protection = Protection()
    wrong = {
        name: (level, protection.of(found("x", name.capitalize())))
        for name, level in national.items()
        if " " in name and "（" not in name and protection.of(found("x", name.capitalize())) != level
    }
    assert wrong == {}


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


def test_a_level_that_no_list_has_is_named() -> None:
    with pytest.raises(RulesError, match=r"protection \['III'\]: known levels are \['I', 'II', 'sanyou'\]"):
        RuleSet(RulesOptions(rule=(Rule(name="x", protection=("III",)),)), (), LEVELS)
