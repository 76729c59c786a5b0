"""Animals of a package as points of a map."""

import json
from pathlib import Path

import pytest
from shapely.geometry import shape

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import open_package
from pipelines.exchange.geojson import write_geojson
from tests.unit.pipelines.exchange.packages import DEPLOYMENTS, OBSERVATIONS, write_package
from wildpost.cli.main import main


def test_animals_are_points_with_what_is_known_of_them(tmp_path: Path) -> None:
    path = tmp_path / "animals.geojson"
    assert write_geojson(open_package(write_package(tmp_path / "package")), path) == 3
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["type"] == "FeatureCollection"
    first, second, third = found["features"]
    assert (shape(first["geometry"]).x, shape(first["geometry"]).y) == (117.2, 31.3)
    assert (first["id"], first["properties"]["scientificName"], first["properties"]["count"]) == ("o1", "Sus scrofa", 1)
    assert first["properties"]["classificationProbability"] == 0.75
    assert second["properties"]["classificationProbability"] is None
    assert third["properties"]["scientificName"] == "=1+1"


def test_of_both_levels_the_events_are_written(tmp_path: Path) -> None:
    event = OBSERVATIONS.splitlines()[1].replace("o1,d1,m1", "o9,d1,").replace(",media,", ",event,") + "\n"
    folder = write_package(tmp_path / "package", observations=OBSERVATIONS + event)
    path = tmp_path / "animals.geojson"
    assert write_geojson(open_package(folder), path) == 1
    assert [one["id"] for one in json.loads(path.read_text())["features"]] == ["o9"]


def test_people_and_empty_pictures_are_no_points(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package", observations=OBSERVATIONS.replace(",animal,", ",human,"))
    path = tmp_path / "animals.geojson"
    assert write_geojson(open_package(folder), path) == 0
    assert json.loads(path.read_text()) == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("north", "latitude is 'north': expected a number"),
        ("131.3", "position 117.2, 131.3"),
        ("nan", "latitude is 'nan'"),
        ("", "position 117.2, None"),
    ],
)
def test_positions_that_are_none_are_named(tmp_path: Path, wrong: str, told: str) -> None:
    folder = write_package(tmp_path / "package", deployments=DEPLOYMENTS.replace("31.3", wrong))
    with pytest.raises(InvalidInput, match=f"deployment d1: .*{told}"):
        write_geojson(open_package(folder), tmp_path / "animals.geojson")


def test_the_command_writes_a_new_file_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, path = write_package(tmp_path / "package"), tmp_path / "animals.geojson"
    words = ["export", "geojson", str(path), "--package", str(folder)]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{path}: 3 points\n"
    assert main(words) == 1
    assert str(path) in capsys.readouterr().err
