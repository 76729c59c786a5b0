"""Results in MegaDetector's format, as its specification and its validator want them."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import open_package
from pipelines.exchange.megadetector import write_results
from tests.unit.pipelines.exchange.packages import OBSERVATIONS, write_package


def results(folder: Path, path: Path) -> dict[str, Any]:
    write_results(open_package(folder), path)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_boxes_species_and_confidence_are_those_of_machine_and_people(tmp_path: Path) -> None:
    found = results(write_package(tmp_path / "package"), tmp_path / "results.json")
    assert found["info"]["format_version"] == "1.6"
    assert found["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle"}
    assert found["classification_categories"] == {"0": "Sus scrofa"}
    boar, blank = found["images"]
    assert boar["file"] == "day/1.jpg"
    assert boar["detections"] == [
        {"category": "1", "conf": 0.75, "bbox": [0.1, 0.2, 0.3, 0.4], "classifications": [["0", 0.75]]},
        {"category": "1", "conf": 1.0, "bbox": [0.5, 0.2, 0.3, 0.4], "classifications": [["0", 1.0]]},
    ]
    assert blank == {"file": "day/2.jpg", "detections": []}


def test_sounds_are_left_out_and_counted(tmp_path: Path) -> None:
    report = write_results(open_package(write_package(tmp_path / "package")), tmp_path / "results.json")
    assert (report.pictures, report.detections, dict(report.left_out)) == (2, 2, {"audio/wav": 1})


def test_an_observation_without_a_box_covers_the_picture(tmp_path: Path) -> None:
    rows = OBSERVATIONS.replace("0.1,0.2,0.3,0.4", ",,,")
    found = results(write_package(tmp_path / "package", observations=rows), tmp_path / "results.json")
    assert found["images"][0]["detections"][0]["bbox"] == [0.0, 0.0, 1.0, 1.0]


def test_a_box_that_is_no_number_is_named(tmp_path: Path) -> None:
    rows = OBSERVATIONS.replace("0.1,0.2", "left,0.2")
    with pytest.raises(InvalidInput, match="observation o1: bboxX is 'left': expected a number"):
        results(write_package(tmp_path / "package", observations=rows), tmp_path / "results.json")


def test_every_picture_of_the_official_example_is_in_the_results(shared_data: Path, tmp_path: Path) -> None:
    found = results(shared_data / "reference" / "camtrap-dp" / "example", tmp_path / "results.json")
    assert len(found["images"]) == 423
    names = set(found["classification_categories"].values())
    assert {"Anas platyrhynchos", "Ardea cinerea"} <= names and "Homo sapiens" not in names
    for image in found["images"]:
        for one in image["detections"]:
            assert 0 <= one["conf"] <= 1 and len(one["bbox"]) == 4
            assert one["category"] in found["detection_categories"]
