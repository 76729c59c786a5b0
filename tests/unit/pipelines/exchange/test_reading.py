"""Packages of other programs: read in both layouts, and refused with the place and the value that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.camtrap_dp.reading import TABLES, UnreadablePackage, open_package
from tests.unit.pipelines.exchange.packages import DEPLOYMENTS, OBSERVATIONS, PROFILE, write_package

OLD = PROFILE.replace("1.0.2", "0.1.6")
OLD_DEPLOYMENTS = (
    "deploymentID,longitude,latitude,start,end,session,array,featureType,baitUse\n"
    "d1,117.2,31.3,2026-05-01T00:00:00Z,2026-06-01T00:00:00Z,spring,west,trail game,none\n"
)
OLD_MEDIA = (
    "mediaID,deploymentID,sequenceID,captureMethod,timestamp,filePath,fileMediatype\n"
    "m1,d1,s1,motion detection,2026-05-02T06:00:00Z,https://example.org/1,image/jpeg\n"
    "m2,d1,s1,motion detection,2026-05-02T06:00:07Z,2.jpg,image/jpeg\n"
)
OLD_OBSERVATIONS = (
    "observationID,deploymentID,sequenceID,mediaID,timestamp,observationType,cameraSetup,sex,countNew,comments\n"
    "o1,d1,s1,,2026-05-02T06:00:00Z,animal,FALSE,unknown,2,wet\n"
    "o2,d1,s1,m2,2026-05-02T06:00:07Z,human,TRUE,female,,\n"
)


def test_tables_of_version_0_1_6_have_the_columns_of_1_0_2(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "old", OLD_DEPLOYMENTS, OLD_MEDIA, OLD_OBSERVATIONS, profile=OLD)
    package = open_package(folder)
    (deployment,) = package.rows("deployments")
    assert (deployment["deploymentStart"], deployment["deploymentGroups"]) == ("2026-05-01T00:00:00Z", "spring | west")
    assert (deployment["featureType"], deployment["baitUse"]) == ("trailGame", "false")
    of_web, of_disk = package.rows("media")
    assert (of_web["captureMethod"], of_web["filePublic"], of_disk["filePublic"]) == (
        "activityDetection",
        "true",
        "false",
    )
    of_sequence, of_file = package.rows("observations")
    assert (of_sequence["observationLevel"], of_file["observationLevel"]) == ("event", "media")
    assert (of_sequence["eventStart"], of_sequence["eventEnd"]) == ("2026-05-02T06:00:00Z", "2026-05-02T06:00:07Z")
    assert (of_sequence["eventID"], of_sequence["sex"]) == ("s1", "")
    assert (of_sequence["observationTags"], of_sequence["observationComments"]) == ("countNew:2", "wet")
    assert (of_file["cameraSetupType"], of_file["sex"]) == ("setup", "female")


def test_the_packages_of_the_standard_and_of_another_program_are_read(shared_data: Path) -> None:
    reference = shared_data / "reference"
    for folder, rows in (
        (reference / "camtrap-dp" / "example", (4, 423, 549)),
        (reference / "statistics" / "camtraptor_mica", (4, 283, 27)),
    ):
        package = open_package(folder)
        assert tuple(sum(1 for _ in package.rows(table)) for table in TABLES) == rows


def test_the_descriptor_may_be_named_itself(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package")
    assert open_package(folder / "datapackage.json").folder == folder


@pytest.mark.parametrize(
    ("descriptor", "expected"),
    [
        ({"profile": "https://example.org/other.json"}, "profile: 'https://example.org/other.json'; expected"),
        ({"profile": PROFILE.replace("1.0.2", "2.0")}, "expected that of Camtrap DP 1.0 or 0.1.6"),
        ({"resources": "none"}, "resources: expected one with the name deployments"),
        ({"resources": [{"name": "deployments", "path": "../secret.csv"}]}, "'../secret.csv'; expected a file in"),
        ({"resources": [{"name": "deployments", "path": "/etc/passwd"}]}, "'/etc/passwd'; expected a file in"),
        ({"resources": [{"name": "deployments", "path": "https://x.org/d.csv"}]}, "expected a file in the folder"),
        ({"resources": [{"name": "deployments", "path": ["a.csv", "b.csv"]}]}, "expected the name of one CSV file"),
        ({"resources": [{"name": "deployments", "path": "absent.csv"}]}, "absent.csv: no such file"),
    ],
)
def test_a_descriptor_that_cannot_be_used_is_named(tmp_path: Path, descriptor: dict[str, Any], expected: str) -> None:
    folder = write_package(tmp_path / "package", **descriptor)
    with pytest.raises(UnreadablePackage, match=_text(expected)):
        list(open_package(folder).rows("deployments"))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (DEPLOYMENTS.replace("latitude", "lat"), "column latitude is missing"),
        (DEPLOYMENTS + "d2,oak\n", "line 3: expected 6 cells"),
        (DEPLOYMENTS + "d2,oak,1,2,3,4,5\n", "line 3: expected 6 cells"),
        ("", "column deploymentID is missing"),
        (DEPLOYMENTS + '"d2\n', "line 2: unexpected end of data"),
        (DEPLOYMENTS + "d2," + "x" * 2_000_000, "line 2: field larger than field limit"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, table: str, expected: str) -> None:
    folder = write_package(tmp_path / "package", deployments=table)
    with pytest.raises(UnreadablePackage, match=_text(expected)):
        list(open_package(folder).rows("deployments"))


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package")
    (folder / "observations.csv").write_bytes(OBSERVATIONS.encode("utf-16"))
    with pytest.raises(UnreadablePackage, match="not UTF-8"):
        list(open_package(folder).rows("observations"))
    (folder / "datapackage.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadablePackage, match="not JSON"):
        open_package(folder)
    (folder / "datapackage.json").write_text("[" * 100_000)
    with pytest.raises(UnreadablePackage, match="not JSON"):
        open_package(folder)


def _text(expected: str) -> str:
    return expected.replace(".", r"\.").replace("[", r"\[")
