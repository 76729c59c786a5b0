"""Files get their deployment from options, a table or the names of folders."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath

import pytest

from pipelines.card_import.deployment_table import parse_moment, read_deployment_table
from pipelines.card_import.deployments import CardDeployment, CardTableError, Placement, message_name, parse_pattern

ZONE = timezone(timedelta(hours=8))


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "deployments.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_folder_names_give_place_and_deployment() -> None:
    placement = Placement(None, parse_pattern("{place}/{deployment}"))
    found = placement.of(PurePosixPath("北坡/2026/DCIM/100MEDIA"))
    assert found == CardDeployment("site-2d678181", "2026", location_name="北坡")
    assert placement.of(PurePosixPath("北坡")) is None
    assert "does not match" in placement.why_not(PurePosixPath("北坡"))


@pytest.mark.parametrize(
    ("pattern", "folder", "expected"),
    [
        ("{place}_{deployment}", "ridge_spring", ("ridge", "spring")),
        ("{}/{place}/{deployment}", "2026/ridge/spring", ("ridge", "spring")),
        ("cards/{place}-cam{}/{deployment}", "cards/ridge-cam3/spring/DCIM", ("ridge", "spring")),
    ],
)
def test_a_pattern_may_have_fixed_and_ignored_parts(pattern: str, folder: str, expected: tuple[str, str]) -> None:
    found = Placement(None, parse_pattern(pattern)).of(PurePosixPath(folder))
    assert found is not None and found.key == expected


@pytest.mark.parametrize("pattern", ["", "a//b", "{deployment}", "{place}/{place}", "{where}/{place}"])
def test_a_pattern_that_says_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(CardTableError, match="pattern"):
        parse_pattern(pattern)


def test_names_of_any_script_become_names_of_messages() -> None:
    assert message_name("ridge-07") == "ridge-07"
    names = {message_name(name) for name in ("北坡", "南坡", "ridge 7", "ridge-7", "ridge/7", "x" * 100)}
    assert len(names) == 6 and all(len(name) <= 63 and name.isascii() for name in names)


def test_a_table_of_ones_own_is_read_in_gb18030_with_semicolons(tmp_path: Path) -> None:
    text = "folder;station;deployment;latitude;longitude;start;end;problem1_from;problem1_to\n"
    text += "北坡\\2026;北坡;春;30.5;103.2;2026/5/1;2026/6/1;2026-05-10;2026-05-12\n"
    by_folder, others = read_deployment_table(table(tmp_path, text, "gb18030"), ZONE)
    one = by_folder[PurePosixPath("北坡/2026")]
    assert others == [] and one.location is not None and one.location.latitude == 30.5
    assert (one.start, one.end) == (datetime(2026, 5, 1, tzinfo=ZONE), datetime(2026, 6, 2, tzinfo=ZONE))
    assert one.faults == ((datetime(2026, 5, 10, tzinfo=ZONE), datetime(2026, 5, 13, tzinfo=ZONE)),)
    assert one.location_name == "北坡"


def test_the_deployments_of_a_camtrap_dp_package_are_a_table(tmp_path: Path) -> None:
    text = "deploymentID,locationID,locationName,latitude,longitude,deploymentStart,deploymentEnd,cameraModel\n"
    text += "d1,loc1,Ridge,30.5,103.2,2026-05-01T00:00:00Z,2026-06-01T00:00:00Z,Reconyx\n"
    _, (one,) = read_deployment_table(table(tmp_path, text), ZONE)
    assert (one.key, one.start, one.camera_model) == (("loc1", "d1"), datetime(2026, 5, 1, tzinfo=UTC), "Reconyx")
    place = Placement(None, parse_pattern("{place}/{deployment}"), {}, [one])
    assert place.of(PurePosixPath("loc1/d1")) == one


def test_the_camera_operation_table_of_camtrapr_is_a_table(tmp_path: Path) -> None:
    text = "Station,Setup_date,Retrieval_date,Problem1_from,Problem1_to\nA,2026-05-01,2026-06-01,,\n"
    _, (one,) = read_deployment_table(table(tmp_path, text), ZONE)
    assert (one.key, one.faults) == (("A", "A"), ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected 'station'"),
        ("station,folder\n", "no rows"),
        ("name,folder\na,b\n", "expected 'station'"),
        ("station,start\na,tomorrow\n", "line 2: start 'tomorrow'"),
        ("station,start,end\na,2026-05-03,2026-05-01\n", "before its start"),
        ("station,latitude,longitude\na,95,3\n", "decimal degrees"),
        ("station,latitude,longitude\na,30°,3\n", "decimal degrees"),
        ("station,problem1_from\na,2026-05-01\n", "problem1_to"),
        ("station,folder\na,../b\n", "below the imported folder"),
        ("station,folder\na,x\nb,x\n", "named twice"),
        ("station,habitat\na,forest\na,meadow\n", "differently"),
        ("station,place\na,b\n", "two columns mean"),
        ("station,start,end\na,1026-05-01,2026-05-02\n", "a a: 1026-05-01.* expected at most 100 years"),
        ("station,problem1_from,problem1_to\na,0206-05-01,2026-05-02\n", "expected at most 100 years"),
        ("station\n" + "a\n" * 100_001, "more than 100000 rows"),
        ("station," * 1_001, "1002 columns; expected at most 1000"),
        ("name," * 1_000, "^.{1,500}$"),
        ("station,end\na,9998-12-31\n", "line 2: end '9998-12-31'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(CardTableError, match=problem):
        read_deployment_table(table(tmp_path, text), ZONE)


def test_a_line_ends_at_a_line_feed_only(tmp_path: Path) -> None:
    text = "station,comments\r\na,one\u2028two\x0bthree\r\n"
    _, (one,) = read_deployment_table(table(tmp_path, text), ZONE)
    assert one.comments == "one\u2028two\x0bthree"


def test_the_deepest_folder_of_a_table_counts() -> None:
    outer, inner = CardDeployment("a", "a"), CardDeployment("b", "b")
    placement = Placement(None, None, {PurePosixPath("x"): outer, PurePosixPath("x/y"): inner})
    assert placement.of(PurePosixPath("x/z")) == outer and placement.of(PurePosixPath("x/y/DCIM")) == inner


def test_a_date_is_its_first_moment_or_its_end() -> None:
    assert parse_moment("2026-5-1", ZONE, "start") == datetime(2026, 5, 1, tzinfo=ZONE)
    assert parse_moment("2026-05-01", ZONE, "end", ends=True) == datetime(2026, 5, 2, tzinfo=ZONE)
    assert parse_moment("2026-05-01T12:00+00:00", ZONE, "end", ends=True) == datetime(2026, 5, 1, 12, tzinfo=UTC)
