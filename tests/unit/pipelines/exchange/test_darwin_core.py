"""Darwin Core archives equal those of the R package camtrapdp, and hold animals alone."""

import csv
import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import open_package
from pipelines.exchange.darwin_core import write_archive
from tests.statistics_reference import Reference
from tests.unit.pipelines.exchange.packages import DEPLOYMENTS, MEDIA, OBSERVATIONS, write_package


@pytest.mark.parametrize(("level", "ending"), [("event", ""), ("media", "_media_based")])
def test_the_archive_of_the_official_example_equals_that_of_camtrapdp(
    shared_data: Path, tmp_path: Path, level: str, ending: str
) -> None:
    reference = Reference(shared_data / "reference" / "statistics" / "camtrapdp_dwc" / "write_dwc")
    package = open_package(shared_data / "reference" / "camtrap-dp" / "example")
    package.descriptor["gbifIngestion"] = {"observationLevel": level}
    report = write_archive(package, tmp_path / "archive.zip")
    found = tables(tmp_path / "archive.zip")
    assert found["occurrence"] == reference.rows(f"occurrence{ending}.csv")
    assert found["multimedia"] == reference.rows(f"multimedia{ending}.csv")
    assert (report.occurrences, report.media) == (len(found["occurrence"]), len(found["multimedia"]))


def test_the_description_of_the_archive_equals_that_of_camtrapdp(shared_data: Path, tmp_path: Path) -> None:
    write_archive(open_package(write_package(tmp_path / "package")), tmp_path / "archive.zip")
    expected = shared_data / "reference" / "statistics" / "camtrapdp_dwc" / "write_dwc" / "meta.xml"
    with zipfile.ZipFile(tmp_path / "archive.zip") as archive:
        found = archive.read("meta.xml").decode()
    canonical = [ElementTree.canonicalize(text, strip_text=True) for text in (found, expected.read_text())]
    assert canonical[0] == canonical[1]


def test_people_vehicles_and_blanks_stay_out(tmp_path: Path) -> None:
    rows = OBSERVATIONS.replace("blank", "human") + (
        "o5,d1,m2,e2,2026-05-02T06:10:00+08:00,2026-05-02T06:10:00+08:00,media,vehicle,,1,,,,,human,\n"
    )
    folder = write_package(tmp_path / "package", observations=rows, gbifIngestion={"observationLevel": "media"})
    write_archive(open_package(folder), tmp_path / "archive.zip")
    assert [row["occurrenceID"] for row in tables(tmp_path / "archive.zip")["occurrence"]] == ["o1", "o2", "o4"]


def test_recordings_are_sounds_of_an_acoustic_recorder(tmp_path: Path) -> None:
    sounds = MEDIA.replace("image/jpeg", "audio/flac")
    folder = write_package(tmp_path / "package", media=sounds, gbifIngestion={"observationLevel": "media"})
    write_archive(open_package(folder), tmp_path / "archive.zip")
    found = tables(tmp_path / "archive.zip")
    assert {row["samplingProtocol"] for row in found["occurrence"]} == {"acoustic recorder"}
    assert {row["type"] for row in found["occurrence"]} == {"Sound"}
    assert {row["dc:type"] for row in found["multimedia"]} == {"Sound"}


def test_the_files_of_an_event_are_those_within_its_time_if_no_observation_names_them(tmp_path: Path) -> None:
    event = "o9,d1,,v1,2026-05-02T06:00:00+08:00,2026-05-02T06:10:00+08:00,event,animal,Sus scrofa,2,,,,,human,\n"
    header = OBSERVATIONS.splitlines(keepends=True)[0]
    folder = write_package(tmp_path / "package", observations=header + event)
    write_archive(open_package(folder), tmp_path / "archive.zip")
    found = tables(tmp_path / "archive.zip")["multimedia"]
    assert [(row["occurrenceID"], row["identifier"]) for row in found] == [("o9", "m1"), ("o9", "m2")]


def test_a_wrong_time_and_an_unknown_deployment_are_named(tmp_path: Path) -> None:
    level = {"observationLevel": "media"}
    folder = write_package(
        tmp_path / "package", observations=OBSERVATIONS.replace("2026-05-02T06:00", "yesterday"), gbifIngestion=level
    )
    with pytest.raises(InvalidInput, match="'yesterday:00"):
        write_archive(open_package(folder), tmp_path / "archive.zip")
    folder = write_package(tmp_path / "package", deployments=DEPLOYMENTS.replace("d1", "d7"), gbifIngestion=level)
    with pytest.raises(InvalidInput, match="observation o1: deployment 'd1': expected one of the package's"):
        write_archive(open_package(folder), tmp_path / "archive.zip")
    assert not (tmp_path / "archive.zip").exists()


def tables(path: Path) -> dict[str, list[dict[str, str]]]:
    """Read the tables of an archive by name."""
    with zipfile.ZipFile(path) as archive:
        return {
            name: list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode(), newline="")))
            for name in ("occurrence", "multimedia")
        }
