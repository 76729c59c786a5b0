"""One animal is one taxon, under whatever name it comes."""

from itertools import pairwise

import pytest

from i18n.taxonomy import display_name, shipped_taxonomy, taxon_search

TAXONOMY = shipped_taxonomy()


@pytest.mark.parametrize(
    ("label", "scientific"),
    [
        ("wild boar", None),
        ("wild_boar", None),
        ("Wild Boar", None),
        ("WILD-BOAR", None),
        ("wild boar", "Sus scrofa"),
        ("boar", "sus scrofa"),
        ("boar", "Sus scrofa "),
        ("boar", "Sus scrofa Linnaeus, 1758"),
        ("boar", "Sus scrofa (Linnaeus, 1758)"),
        ("boar", "Sus scrofa L."),
        ("boar", "Sus scrofa ussuricus"),
        ("boar", "Sus_scrofa"),
        ("野猪", None),
        ("Sus scrofa", None),
    ],
)
def test_the_wild_boar_is_counted_under_one_name(label: str, scientific: str | None) -> None:
    assert TAXONOMY.key(label, scientific, "animal") == "Sus scrofa"


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("Grus vipio", "Antigone vipio"),
        ("Canis lupus familiaris", "Canis familiaris"),
        ("Sus scrofa domesticus", "Sus domesticus"),
        ("Pallas’s cat", "Otocolobus manul"),
        ("猫头鹰", "Strigiformes"),
        ("human", "person"),
        ("Homo sapiens", "person"),
        ("voice", "voice"),
        ("Ｗｉｌｄ　ｂｏａｒ", "Sus scrofa"),
        ("Macaca sp.", "Macaca"),
    ],
)
def test_synonyms_and_spellings_lead_to_the_accepted_name(name: str, accepted: str) -> None:
    found = TAXONOMY.find(name)
    assert found is not None
    assert found.key == accepted


def test_a_name_of_two_taxa_finds_neither_and_counts_as_it_is() -> None:
    assert TAXONOMY.find("yak") is None
    assert TAXONOMY.key("yak", None, "animal") == "yak"
    assert TAXONOMY.key("yak", "Bos mutus", "animal") == "Bos mutus"


def test_an_unknown_name_counts_under_one_spelling() -> None:
    keys = {TAXONOMY.key("x", name, "animal") for name in ("Novus ignotus", "novus ignotus", " Novus  ignotus ")}
    assert keys == {"Novus ignotus"}
    assert {TAXONOMY.key(label, None, "animal") for label in ("odd_thing", "odd thing", " odd  thing")} == {"odd thing"}


def test_a_vehicle_is_never_an_animal() -> None:
    assert TAXONOMY.find("crane", "vehicle") is None
    assert TAXONOMY.key("boat", None, "vehicle") == "boat"


def test_every_synonym_and_every_accepted_name_finds_its_own_taxon() -> None:
    for taxon in TAXONOMY.taxa:
        assert TAXONOMY.find(taxon.key) is taxon


def test_every_protected_taxon_has_a_chinese_name_or_belongs_to_a_split_species() -> None:
    listed = [taxon for taxon in TAXONOMY.taxa if TAXONOMY.protection(taxon.key)]
    assert len(listed) > 2_800
    nameless = [
        taxon.key
        for taxon in listed
        if not taxon.zh and not any("split" in entry.remark for entry in TAXONOMY.protection(taxon.key))
    ]
    assert nameless == []


@pytest.mark.parametrize(
    ("label", "scientific", "zh", "en"),
    [
        ("White-naped Crane", "Antigone vipio", "白枕鹤", "White-naped Crane"),
        ("bear", None, "熊", "bear"),
        ("boar", "Sus scrofa", "野猪", "wild boar"),
        ("gunshot", None, "枪声", "gunshot"),
        ("odd_thing", None, "odd thing", "odd thing"),
    ],
)
def test_names_for_people(label: str, scientific: str | None, zh: str, en: str) -> None:
    assert display_name(label, scientific, "zh_CN") == zh
    assert display_name(label, scientific, "en") == en


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("野猪", "Sus scrofa"),
        ("yezhu", "Sus scrofa"),
        ("yz", "Sus scrofa"),
        ("wild b", "Sus scrofa"),
        ("Sus scr", "Sus scrofa"),
        ("白枕", "Antigone vipio"),
        ("baizhen", "Antigone vipio"),
        ("人", "person"),
    ],
)
def test_a_few_letters_in_any_script_find_a_taxon(typed: str, first: str) -> None:
    assert first in [taxon.key for taxon in taxon_search().find(typed)][:5]


def test_the_search_is_bounded_and_puts_equal_names_first() -> None:
    assert taxon_search().find(" ") == ()
    assert len(taxon_search().find("a")) == 20
    assert taxon_search().find("bear")[0].key == "Ursidae"


def test_lineage_goes_from_the_taxon_to_its_class() -> None:
    boar = TAXONOMY.find("野猪")
    assert boar is not None
    assert boar.lineage == ("Sus scrofa", "Sus", "Suidae", "Artiodactyla", "Mammalia")
    assert all(a != b for a, b in pairwise(boar.lineage))


@pytest.mark.parametrize(
    ("label", "scientific_name", "zh"),
    [
        ("Carrion Crow", "Corvus corone", "小嘴乌鸦"),
        ("Large-billed Crow", "Corvus macrorhynchos", "大嘴乌鸦"),
        ("Large Hawk-Cuckoo", "Hierococcyx sparverioides", "大鹰鹃"),
        ("Amur Stonechat", "Saxicola stejnegeri", "东亚石䳭"),
        ("Elliot's Pheasant", "Syrmaticus ellioti", "白颈长尾雉"),
    ],
)
def test_birds_that_are_heard_in_china_have_a_chinese_name(label: str, scientific_name: str, zh: str) -> None:
    assert display_name(label, scientific_name, "zh_CN") == zh
