"""Which labels may be shown in an alert, and what stands for the others."""

import pytest

from i18n.known_labels import OTHER, KnownLabels

LABELS = KnownLabels(["quad bike", "moschus berezovskii"])


@pytest.mark.parametrize("label", ["gunshot", "Gunshot", "wild boar", "wild_boar", "油锯声", "Sus scrofa", "quad bike"])
def test_labels_of_the_taxa_table_and_of_the_settings_are_known(label: str) -> None:
    assert LABELS.kind(label) == label


@pytest.mark.parametrize("kind", ["human", "unclassified", "silent", "deaf", OTHER])
def test_words_of_the_contract_and_of_the_server_are_known(kind: str) -> None:
    assert KnownLabels().kind(kind) == kind


@pytest.mark.parametrize(
    "label",
    [
        "点击 http://evil.example/1",
        "gunshot http://evil.example",
        "gunshot\u202e",
        "gunshot\nStation: lake-07",
        "quad bikes",
        "拨打 13800001111",
        "",
    ],
)
def test_any_other_text_is_shown_as_other(label: str) -> None:
    assert LABELS.kind(label) == OTHER


def test_an_explanation_keeps_what_the_server_computed_and_drops_text_of_the_station() -> None:
    values = {"label": "visit evil.example", "scientific_name": "call me", "sensor": "call-13800001111", "zone": "west"}
    assert LABELS.reason(values) == {"label": OTHER, "zone": "west"}


def test_a_known_scientific_name_replaces_an_unknown_label() -> None:
    values = {"label": "visit evil.example", "scientific_name": "Moschus berezovskii", "protection": "I"}
    assert LABELS.reason(values) == {
        "label": "Moschus berezovskii",
        "scientific_name": "Moschus berezovskii",
        "protection": "I",
    }
