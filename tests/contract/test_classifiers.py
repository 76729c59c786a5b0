"""What every classifier does, run against each of them, on animals cut from real camera-trap pictures."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from captures.picture import read_picture
from contract import Event, Location, decode, encode, topic_of
from contract.examples import EVENT
from models.crops import classify_animals, cut
from models.factory import open_classifier, open_vision
from models.port import Classifier, Crop, Framing
from models.species import SpeciesOptions
from tests.species_network import colour_network, registry_of

COLOURS = [("blue", ""), ("Viridis viridis", "Viridis viridis"), ("red", "")]
PICTURES = (
    "sangliers/3.1 D (29).jpg",
    "sangliers/3.1 D (32).jpg",
    "chevreuil/3.1 D (4).jpg",
    "blaireaux/3.1 D (22).jpg",
)
EXPECTED = ["Sus scrofa", "Sus scrofa", "Cervidae", "Mustelidae"]
FRAMING = Framing(margin=0.12, square=True)  # as wildpost-species was trained
JUNE, HERE = datetime(2026, 6, 1, 12, tzinfo=UTC), Location(latitude=46.5, longitude=6.3)


@pytest.fixture(scope="session")
def pictures(shared_data: Path) -> list[Path]:
    """Pictures of one wild boar, another, a roe deer and a badger."""
    return [shared_data / "vision" / "camtrap_jura" / name for name in PICTURES]


@pytest.fixture(scope="session")
def crops(pictures: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Crop]:
    """The surest animal that the shipped detector finds in each picture, cut at full resolution."""
    detector = open_vision("wildpost-nano", tmp_path_factory.mktemp("none"))
    found = []
    for path in pictures:
        animal = next(
            one for one in detector.predict([detector.preprocess(path)])[0] if one.observation_type == "animal"
        )
        assert animal.box is not None
        found.append(Crop(cut(read_picture(path, 1_000_000).pixels, animal.box, FRAMING), animal, JUNE, HERE))
    return found


class Opened:
    """Classifiers under test, opened from the same registry files as a station's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[str, Classifier] = {}

    def __getitem__(self, name: str) -> Classifier:
        if name not in self._opened:
            self._opened[name] = getattr(self, f"_{name.replace('-', '_')}")()
        return self._opened[name]

    def _colours(self, runtime: Any = "openvino", batch: int | str = "batch") -> Classifier:
        weights = colour_network(self._folder / f"colours-{runtime}-{batch}.onnx", batch, scale=2.0)
        name = f"colours-{runtime}"
        registry = registry_of(self._folder, name, weights, COLOURS, output="logits", channels="bgr", threshold=0.0)
        return open_classifier(name, self._folder, SpeciesOptions(runtime=runtime, threads=1), registry)

    def _colours_onnxruntime(self) -> Classifier:
        return self._colours("onnxruntime", 1)

    def _species(self, site_list: Path | None = None) -> Classifier:
        return open_classifier("wildpost-species", self._folder, SpeciesOptions(threads=1), site_list=site_list)

    def _species_with_site_list(self) -> Classifier:
        site = self._folder / "jura.csv"
        site.write_text(
            "taxon,months,area\nSus scrofa,,\nCapreolus capreolus,,\n鹿科,4-10,46 6 47 7\nVulpes vulpes,,\n",
            encoding="utf-8",
        )
        return self._species(site)


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return Opened(tmp_path_factory.mktemp("classifiers"))


@pytest.fixture(params=["colours", "colours-onnxruntime", "species", "species-with-site-list"])
def classifier(request: pytest.FixtureRequest, opened: Opened) -> Iterator[Classifier]:
    yield opened[request.param]


def test_each_crop_gets_one_answer_in_its_place(classifier: Classifier, crops: list[Crop]) -> None:
    together = classifier.classify(crops)
    assert len(together) == len(crops)
    assert classifier.classify(crops[::-1]) == together[::-1]
    alone = [classifier.classify([crop])[0] for crop in crops]
    for one, other in zip(alone, together, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.label, one.model) == (other.label, other.model)
            assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_no_crop_is_no_trouble(classifier: Classifier) -> None:
    assert classifier.classify([]) == []


def test_a_claim_is_ranked_and_names_the_model(classifier: Classifier, crops: list[Crop]) -> None:
    claims = [claim for claim in classifier.classify(crops) if claim is not None]
    assert claims
    for claim in claims:
        assert claim.model == classifier.model.name
        ranked = [claim.confidence, *(one.confidence for one in claim.alternatives)]
        assert ranked == sorted(ranked, reverse=True) and 0 <= ranked[-1] <= ranked[0] <= 1
        labels = [claim.label, *(one.label for one in claim.alternatives)]
        assert len(set(labels)) == len(labels) and all(labels)


def test_the_crops_are_left_as_they_are(classifier: Classifier, crops: list[Crop]) -> None:
    before = [crop.pixels.copy() for crop in crops]
    classifier.classify(crops)
    assert all(np.array_equal(crop.pixels, pixels) for crop, pixels in zip(crops, before, strict=True))


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (2000, 3), (3000, 4000)])
def test_crops_of_any_size_are_taken(classifier: Classifier, crops: list[Crop], shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(np.uint8)
    assert len(classifier.classify([Crop(pixels, crops[0].detection)])) == 1


def test_time_and_place_may_be_unknown(classifier: Classifier, crops: list[Crop]) -> None:
    unknown = [Crop(crop.pixels, crop.detection) for crop in crops]
    assert len(classifier.classify(unknown)) == len(crops)


def test_several_threads_may_ask_at_once(classifier: Classifier, crops: list[Crop]) -> None:
    expected = classifier.classify(crops)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(classifier.classify, [crops] * 8))
    assert all(answer == expected for answer in answers)


def test_a_claim_travels_beside_the_detector_s_claim(classifier: Classifier, pictures: Sequence[Path]) -> None:
    pixels = read_picture(pictures[0], 1_000_000).pixels
    found = [one for one in EVENT.detections if one.box is not None]
    animal = msgspec.structs.replace(found[0], label="animal", observation_type="animal", scientific_name=None)
    (classified,) = classify_animals(classifier, pixels, [animal], JUNE, HERE)
    assert msgspec.structs.replace(classified, classification=None) == animal
    models = (*EVENT.models, classifier.model)
    event = msgspec.structs.replace(EVENT, detections=(classified,), models=models)
    read = decode(topic_of("wildpost", EVENT.station, "event"), encode(event))
    assert isinstance(read, Event) and read == event


def test_the_shipped_classifier_names_animals_of_camera_traps(opened: Opened, crops: list[Crop]) -> None:
    claims = opened["species"].classify(crops)
    assert [claim.scientific_name if claim else None for claim in claims] == EXPECTED


def test_the_crops_of_one_animal_are_decided_together(classifier: Classifier, crops: list[Crop]) -> None:
    evidence = classifier.examine(crops)
    assert [classifier.decide([one]) for one in evidence] == classifier.classify(crops)
    both = classifier.decide(evidence[:2])
    assert both is not None and both == classifier.decide([evidence[1], evidence[0]])


def test_a_site_list_drops_what_does_not_occur_and_keeps_the_classifier_s_confidence(
    opened: Opened, crops: list[Crop]
) -> None:
    plain, limited = opened["species"], opened["species-with-site-list"]
    claims = limited.classify(crops)
    assert [claim.scientific_name if claim else None for claim in claims[:3]] == EXPECTED[:3]
    assert claims[3] is None or claims[3].scientific_name in ("Mammalia", "Carnivora"), "no badger on the list"
    assert [claim.confidence for claim in claims[:3] if claim] == [
        claim.confidence for claim in plain.classify(crops)[:3] if claim
    ]
    assert limited.model.name == "wildpost-species+jura" and limited.model.sha256 != plain.model.sha256
