"""A classifier feeds its network as the registry entry says, and refuses what does not belong together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract import Classification, Detection
from models.factory import open_classifier
from models.port import Crop
from models.registry import WeightsError, WeightsMismatch, load_registry
from models.species import SpeciesClassifier, SpeciesOptions
from tests.species_network import colour_network, registry_of

LABELS = [("first", "Primus primus"), ("second", ""), ("third", "Tertius tertius")]
ANIMAL = Detection(ordinal=0, label="animal", observation_type="animal", confidence=1.0, model="eye")
BLUE_GREEN_RED = (200, 90, 20)


def crop(*colour: int) -> Crop:
    return Crop(np.full((30, 50, 3), colour or BLUE_GREEN_RED, np.uint8), ANIMAL)


def classifier(folder: Path, options: SpeciesOptions | None = None, scale: float = 1.0, **facts: Any) -> Any:
    weights = colour_network(folder / "colours.onnx", scale=scale)
    told = {"output": "logits", "threshold": 0.0} | facts
    return open_classifier("colours", folder, options, registry_of(folder, "colours", weights, LABELS, **told))


def claim(one: Any, *colour: int) -> Classification | None:
    claims: list[Classification | None] = one.classify([crop(*colour)])
    return claims[0]


@pytest.mark.parametrize(("channels", "best"), [("bgr", "first"), ("rgb", "third")])
def test_colours_come_in_the_order_that_the_entry_names(tmp_path: Path, channels: str, best: str) -> None:
    found = claim(classifier(tmp_path, channels=channels))
    assert found is not None and found.label == best
    assert found.scientific_name == {"first": "Primus primus", "third": "Tertius tertius"}[best]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_confidence_is_the_softmax_of_normalised_colours(tmp_path: Path, runtime: Any) -> None:
    facts: dict[str, Any] = {"channels": "bgr", "mean": (0.5, 0.25, 0.1), "std": (0.5, 0.25, 0.2)}
    found = claim(classifier(tmp_path, SpeciesOptions(runtime=runtime), **facts))
    logits = (np.array(BLUE_GREEN_RED) / 255 - [0.5, 0.25, 0.1]) / [0.5, 0.25, 0.2]
    expected = np.exp(logits) / np.exp(logits).sum()
    order = np.argsort(-expected)
    assert found is not None
    ranked = [found.confidence, *(one.confidence for one in found.alternatives)]
    assert ranked == pytest.approx(expected[order], abs=1e-4)
    assert [found.label, *(one.label for one in found.alternatives)] == [LABELS[at][0] for at in order]


def test_a_temperature_softens_logits_and_probabilities_alike(tmp_path: Path) -> None:
    sharp = claim(classifier(tmp_path, scale=8.0))
    soft = claim(classifier(tmp_path, scale=8.0, temperature=4.0))
    assert sharp is not None and soft is not None and soft.confidence < sharp.confidence
    equal = claim(classifier(tmp_path, scale=2.0))
    assert equal is not None and soft.confidence == pytest.approx(equal.confidence, abs=1e-4)


def test_below_the_threshold_no_claim_is_made(tmp_path: Path) -> None:
    assert claim(classifier(tmp_path, threshold=0.9)) is None
    assert claim(classifier(tmp_path, SpeciesOptions(threshold=0.3), threshold=0.9)) is not None
    assert claim(classifier(tmp_path, SpeciesOptions(threshold=0.9), threshold=0.0)) is None


def test_as_many_alternatives_are_reported_as_wished(tmp_path: Path) -> None:
    for wished, reported in ((0, 0), (1, 1), (20, 2)):
        found = claim(classifier(tmp_path, SpeciesOptions(alternatives=wished)))
        assert found is not None and len(found.alternatives) == reported


def test_labels_that_are_not_the_ones_that_the_entry_pins_are_refused(tmp_path: Path) -> None:
    classifier(tmp_path)
    table = tmp_path / "colours-labels.csv"
    table.write_text(table.read_text().replace("first", "worst"))
    with pytest.raises(WeightsMismatch, match=r"colours-labels\.csv: sha256 .* expected"):
        open_classifier("colours", tmp_path, None, load_registry(tmp_path / "colours.toml"))


def test_weights_that_are_not_the_ones_that_the_entry_pins_are_refused(tmp_path: Path) -> None:
    classifier(tmp_path)
    colour_network(tmp_path / "colours.onnx", scale=3.0)
    with pytest.raises(WeightsMismatch, match="colours"):
        open_classifier("colours", tmp_path, None, load_registry(tmp_path / "colours.toml"))


def test_a_network_with_other_outputs_than_labels_is_refused(tmp_path: Path) -> None:
    weights = colour_network(tmp_path / "colours.onnx")
    registry = registry_of(tmp_path, "colours", weights, LABELS[:2])
    with pytest.raises(WeightsError, match=r"output of shape .*expected \(batch, 2\)"):
        open_classifier("colours", tmp_path, None, registry)


@pytest.mark.parametrize("text", ["name\nfox\n", "label,scientific_name\n,Vulpes vulpes\n"])
def test_a_table_that_holds_no_labels_is_refused(tmp_path: Path, text: str) -> None:
    import hashlib

    weights = colour_network(tmp_path / "colours.onnx")
    registry_of(tmp_path, "colours", weights, LABELS)
    file = tmp_path / "colours.toml"
    table = tmp_path / "colours-labels.csv"
    before = hashlib.sha256(table.read_bytes()).hexdigest()
    table.write_text(text)
    file.write_text(file.read_text().replace(before, hashlib.sha256(table.read_bytes()).hexdigest()))
    with pytest.raises(WeightsError, match=r"colours-labels\.csv.*expected"):
        open_classifier("colours", tmp_path, None, load_registry(file))


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(WeightsError, match="'wildpost-nano' is of kind 'vision': expected a species classifier"):
        open_classifier("wildpost-nano", Path())
    with pytest.raises(WeightsError, match="expected a species classifier"):
        SpeciesClassifier(Path("nothing"), load_registry()["wildpost-nano"])


def test_an_entry_of_kind_species_needs_its_table(tmp_path: Path) -> None:
    registry_of(tmp_path, "colours", colour_network(tmp_path / "colours.onnx"), LABELS)
    file = tmp_path / "colours.toml"
    file.write_text(file.read_text().partition("[models.colours.species]")[0])
    with pytest.raises(WeightsError, match="a table 'species' belongs to kind 'species'"):
        load_registry(file)
