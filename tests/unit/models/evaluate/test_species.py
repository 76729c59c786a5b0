"""A classifier is measured by taxon and rank, on labelled boxes, folders and crops."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import Detection
from models.evaluate.labels import BadLabels
from models.evaluate.species import NO_ANIMAL, LabelledCrop, evaluate_species
from models.evaluate.species_labels import read_crops
from models.factory import open_classifier
from models.port import Crop, Framing
from models.species import SpeciesClassifier, SpeciesOptions
from tests.species_network import colour_network, registry_of

LABELS = [("fox", "Vulpes vulpes"), ("boar", "Sus scrofa"), ("deer", "Cervidae")]  # red, green and blue crops
COLOURS = {"fox": (10, 10, 240), "boar": (10, 240, 10), "deer": (240, 10, 10), "grey": (120, 120, 120)}
ANIMAL = Detection(ordinal=0, label="animal", observation_type="animal", confidence=1.0, model="label")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> SpeciesClassifier:
    folder = tmp_path_factory.mktemp("classifier")
    weights = colour_network(folder / "colours.onnx", scale=9.0)
    registry = registry_of(folder, "colours", weights, LABELS, output="logits", threshold=0.6)
    return open_classifier("colours", folder, SpeciesOptions(threads=1), registry)


def crop(colour: str, taxon: str) -> LabelledCrop:
    return LabelledCrop(Crop(np.full((20, 20, 3), COLOURS[colour], np.uint8), ANIMAL), taxon)


def test_answers_are_compared_with_the_taxonomy(classifier: SpeciesClassifier) -> None:
    crops = [crop("fox", "赤狐"), crop("boar", "red fox"), crop("grey", "Vulpes vulpes")]
    crops += [
        crop("deer", "Capreolus pygargus"),
        crop("fox", "Lynx lynx"),
        crop("grey", "猞猁"),
        crop("deer", NO_ANIMAL),
    ]
    result = evaluate_species(classifier, crops)
    figures = {one.taxon.name: one for one in result.taxa}
    fox, deer, lynx = figures["Vulpes vulpes"], figures["Capreolus pygargus"], figures["Lynx lynx"]
    assert (fox.crops, fox.top1, fox.answered, fox.correct) == (3, 2, 2, 1)
    assert (deer.crops, deer.answered, deer.correct) == (1, 1, 1), "a group above the taxon is correct"
    assert (lynx.taxon.is_known, lynx.answered, lynx.correct) == (False, 1, 0)
    assert (figures[NO_ANIMAL].taxon.is_known, figures[NO_ANIMAL].correct) == (False, 0)
    assert result.confusions == (("Vulpes vulpes", "Sus scrofa", 1),)
    assert result.unknown_rejected == 0.5, "the lynx that looks like nothing"


def test_without_crops_there_are_no_figures(classifier: SpeciesClassifier) -> None:
    result = evaluate_species(classifier, [])
    assert (result.taxa, result.confusions) == ((), ()) and np.isnan(result.open_set_threshold)


def test_a_label_that_is_no_animal_is_refused(classifier: SpeciesClassifier) -> None:
    with pytest.raises(BadLabels, match="taxon 'truck': expected a scientific, English or Chinese name"):
        evaluate_species(classifier, [crop("fox", "truck")])


def picture(path: Path, *colours: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.hstack([np.full((40, 40, 3), COLOURS[one], np.uint8) for one in colours]))


def test_boxes_of_a_dataset_are_crops_if_their_class_is_an_animal(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png", "fox", "boar")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.25 0.5 0.5 1\n1 0.75 0.5 0.5 1\n2 0.5 0.5 1 1\n")
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "labels" / "broken.txt").write_text("0 0.5 0.5 1 1\n")
    (tmp_path / "data.yaml").write_text("path: .\ntest: images\nnames: [renard, wild boar, truck]\n")
    unusable: list[str] = []
    meanings = {"renard": "Vulpes vulpes"}
    found = list(read_crops(tmp_path, Framing(), None, lambda path, _: unusable.append(path.name), None, meanings))
    assert [(one.taxon, tuple(one.crop.pixels[20, 20])) for one in found] == [
        ("Vulpes vulpes", COLOURS["fox"]),
        ("wild boar", COLOURS["boar"]),
    ]
    assert unusable == ["broken.png"]
    with pytest.raises(BadLabels, match="no split 'val'"):
        list(read_crops(tmp_path, Framing(), None, lambda *_: None, "val", meanings))


def test_pictures_in_folders_of_taxa_are_crops_without_a_detector(tmp_path: Path) -> None:
    picture(tmp_path / "赤狐" / "a.png", "fox")
    picture(tmp_path / "blank" / "b.png", "grey")
    found = list(read_crops(tmp_path, Framing(0.5, True), None, lambda *_: None))
    assert [(one.taxon, one.crop.pixels.shape) for one in found] == [(NO_ANIMAL, (40, 40, 3)), ("赤狐", (40, 40, 3))]


def test_a_folder_without_a_taxon_is_refused_before_any_picture_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "camera 7" / "a.png", "fox")
    with pytest.raises(BadLabels, match="camera 7: expected a folder named after one animal taxon"):
        list(read_crops(tmp_path, Framing(), None, lambda *_: None))
    with pytest.raises(BadLabels, match="expected a YOLO"):
        list(read_crops(tmp_path / "nothing", Framing(), None, lambda *_: None))
