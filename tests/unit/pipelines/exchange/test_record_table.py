"""Tables of independent records, as R packages for camera traps take them."""

import csv
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import open_package
from pipelines.exchange.record_table import COLUMNS, TableOptions, write_record_table
from tests.unit.pipelines.exchange.packages import OBSERVATIONS, write_package

ZONE = ZoneInfo("Asia/Shanghai")
HEADER = OBSERVATIONS.splitlines(keepends=True)[0]


def boars(*minutes: int, level: str = "media") -> str:
    """Observations of one boar each, at these minutes after six."""
    rows = (
        f"b{at},d1,m1,e{at},2026-05-02T0{6 + at // 60}:{at % 60:02}:00+08:00,2026-05-02T09:00:00+08:00,{level},animal,"
        "Sus scrofa,1,,,,,human,\n"
        for at in minutes
    )
    return HEADER + "".join(rows)


def table(folder: Path, path: Path, options: TableOptions) -> list[dict[str, str]]:
    write_record_table(open_package(folder), path, options)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_records_within_the_interval_count_once_by_both_definitions(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package", observations=boars(0, 20, 40, 90))
    minutes = timedelta(minutes=30)
    found = table(folder, tmp_path / "a.csv", TableOptions(ZONE, minutes))
    assert [row["Time"] for row in found] == ["06:00:00", "06:40:00", "07:30:00"]
    assert [row["delta.time.mins"] for row in found] == ["0", "40", "50"]
    found = table(folder, tmp_path / "b.csv", TableOptions(ZONE, minutes, "last record"))
    assert [row["Time"] for row in found] == ["06:00:00", "07:30:00"]
    found = table(folder, tmp_path / "c.csv", TableOptions(ZONE, timedelta(0)))
    assert len(found) == 4


def test_animals_in_one_picture_are_one_record_with_their_count(tmp_path: Path) -> None:
    found = table(write_package(tmp_path / "package"), tmp_path / "table.csv", TableOptions(ZONE))
    assert tuple(found[0]) == COLUMNS
    boar = next(row for row in found if row["Species"] == "Sus scrofa")
    assert (boar["Station"], boar["Count"], boar["DateTimeOriginal"]) == ("oak", "2", "2026-05-02 06:00:00")
    assert (boar["Directory"], boar["FileName"]) == ("day", "1.jpg")


def test_events_are_used_where_no_file_has_an_observation(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package", observations=boars(0, 60, level="event"))
    assert len(table(folder, tmp_path / "table.csv", TableOptions(ZONE))) == 2


def test_a_spreadsheet_reads_chinese_and_runs_no_cell(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package")
    found = table(folder, tmp_path / "table.csv", TableOptions(ZONE, for_spreadsheet=True))
    assert (tmp_path / "table.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert "'=1+1" in {row["Species"] for row in found}
    found = table(folder, tmp_path / "plain.csv", TableOptions(ZONE))
    assert "=1+1" in {row["Species"] for row in found}


def test_a_time_without_an_offset_is_named(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package", observations=OBSERVATIONS.replace("+08:00", ""))
    with pytest.raises(InvalidInput, match="observation o1: eventStart is '2026-05-02T06:00:00': expected a time with"):
        table(folder, tmp_path / "table.csv", TableOptions(ZONE))
