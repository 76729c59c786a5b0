"""`wildpost models run`: real detectors over real files, in one process and in several, past every broken one."""

import csv
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from models.registry import load_registry
from pipelines.detect.batch import examine_all, files_in
from pipelines.detect.examination import ExaminationTask

SHOT = "gunshot_149177-6-0-0.flac"


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wildpost", "models", "run", *map(str, words)]
    environment = {"WILDPOST_DATA": str(folder / "data"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def recordings(tmp_path: Path, shared_data: Path) -> Path:
    """Five recordings in two folders, one of an hour's name."""
    folder = tmp_path / "card"
    (folder / "b").mkdir(parents=True)
    samples = shared_data / "samples" / "recordings"
    shutil.copy(samples / SHOT, folder / "20260521_053000.flac")
    shutil.copy(samples / "rain.ogg", folder / "rain.ogg")
    shutil.copy(samples / "chainsaw.ogg", folder / "b" / "saw.ogg")
    shutil.copy(samples / "dog.ogg", folder / "b" / "狗.ogg")
    shutil.copy(samples / "tawny_owl.flac", folder / "b" / "owl.flac")
    (folder / ".hidden.ogg").write_bytes(b"")
    (folder / "notes.txt").write_text("no recording")
    return folder


def test_species_are_named_in_the_terms_of_camtrap_dp(tmp_path: Path, recordings: Path, shared_data: Path) -> None:
    table = tmp_path / "birds.csv"
    words = ("--csv", table, "--json", "--deployment", "ridge-a", "--utc-offset", "+09:00")
    ended = run(tmp_path, "birdnet", recordings / "b" / "owl.flac", recordings / "20260521_053000.flac", *words)
    assert ended.returncode == 0, ended.stderr
    rows = rows_of(table)
    report = json.loads(ended.stdout)
    assert (report["files"], report["unusable"], report["observations"]) == (2, 0, len(rows))
    assert "Strix aluco" in {row["scientificName"] for row in rows if row["mediaID"].endswith("owl.flac")}
    last = rows[-1]
    assert last["mediaID"].endswith("20260521_053000.flac")
    assert last["eventStart"].startswith("2026-05-21T05:30:0")
    assert last["eventStart"].endswith("+09:00")
    schema = json.loads((shared_data / "reference" / "camtrap-dp" / "observations-table-schema.json").read_text())
    fields = {field["name"]: field for field in schema["fields"]}
    assert list(rows[0]) == [name for name in fields if name in rows[0]], "its columns, in its order"
    assert len({row["observationID"] for row in rows}) == len(rows)
    for row in rows:
        for name, field in fields.items():
            rule = field.get("constraints", {})
            assert not rule.get("required") or row[name], f"{name} is needed"
            assert not rule.get("enum") or row.get(name, "") in ("", *rule["enum"]), f"{name} {row.get(name)}"
            if field["type"] == "datetime" and row.get(name):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", row[name])


def test_a_second_opinion_is_named_in_the_table(tmp_path: Path, recordings: Path, shared_data: Path) -> None:
    weights, table = shared_data / "weights" / "yamnet", tmp_path / "table.csv"
    ended = run(tmp_path, "threat-sounds", recordings, "--csv", table, "--second-opinion", "--folder", weights)
    assert ended.returncode == 0, ended.stderr
    shots = [row for row in rows_of(table) if row["observationComments"] == "gunshot"]
    assert [Path(row["mediaID"]).name for row in shots] == ["20260521_053000.flac"]
    assert "threat-sounds+yamnet" in shots[0]["classifiedBy"]


def test_several_processes_write_the_same_table_as_one(tmp_path: Path, recordings: Path) -> None:
    tables = []
    for processes in (1, 3):
        table = tmp_path / f"{processes}.csv"
        ended = run(tmp_path, "threat-sounds", recordings, "--csv", table, "--processes", processes)
        assert ended.returncode == 0, ended.stderr
        tables.append([{**row, "classificationTimestamp": ""} for row in rows_of(table)])
    assert tables[0] == tables[1]
    found = {Path(row["mediaID"]).name: row["observationComments"] for row in tables[0]}
    assert found["20260521_053000.flac"] == "gunshot"
    assert {row["deploymentID"] for row in tables[0]} == {"card", "b"}
    (rain,) = [row for row in tables[0] if row["mediaID"].endswith("rain.ogg")]
    assert (rain["observationType"], rain["classificationProbability"]) == ("blank", "")
    assert set(found) == {"20260521_053000.flac", "rain.ogg", "saw.ogg", "狗.ogg", "owl.flac"}


@pytest.mark.parametrize("processes", [1, 2])
def test_files_that_cannot_be_read_are_set_aside_with_their_reason(
    processes: int, tmp_path: Path, recordings: Path
) -> None:
    (recordings / "empty.wav").write_bytes(b"")
    (recordings / "lies.flac").write_bytes(b"not a recording")
    table = tmp_path / "out.csv"
    ended = run(tmp_path, "threat-sounds", recordings, "--csv", table, "--json", "--processes", processes)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["files"], report["unusable"]) == (7, 2)
    with (tmp_path / "out-unusable.csv").open(encoding="utf-8", newline="") as file:
        reasons = {Path(row["filePath"]).name: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {"empty.wav", "lies.flac"}
    assert all("expected" in reason for reason in reasons.values())
    assert {Path(row["mediaID"]).name for row in rows_of(table)}.isdisjoint(reasons)
    alone = run(tmp_path, "threat-sounds", recordings / "empty.wav")
    assert (alone.returncode, len(alone.stdout.splitlines())) == (1, 1), "only the heading, and what is wrong"
    assert "empty.wav" in alone.stderr


def test_spans_run_on_over_a_long_recording(tmp_path: Path, recordings: Path) -> None:
    shot, rate_hz = soundfile.read(recordings / "20260521_053000.flac", dtype="float32", always_2d=True)
    long = np.zeros((rate_hz * 150, shot.shape[1]), np.float32)
    long[rate_hz * 130 : rate_hz * 130 + len(shot)] = shot
    soundfile.write(tmp_path / "20260601_000000.flac", long, rate_hz)
    (heard,) = list(examine_all([tmp_path / "20260601_000000.flac"], threat(tmp_path), 1))
    assert heard.duration_s == 150
    starts = [one.span.start_s for one in heard.found if one.span and one.label == "gunshot"]
    assert starts
    assert all(128 <= start <= 140 for start in starts)


def test_pictures_have_boxes_and_an_empty_one_is_a_blank(tmp_path: Path, shared_data: Path) -> None:
    weights = tmp_path / "data" / "models"
    weights.mkdir(parents=True)
    shutil.copy(shared_data / "weights" / "yolox_nano_416_coco.onnx", weights / "yolox_nano.onnx")
    pictures = shared_data / "samples" / "pictures"
    table = tmp_path / "out.csv"
    chosen = [pictures / "owl.JPG", pictures / "blank.jpg"]
    ended = run(tmp_path, "yolox-nano", *chosen, "--csv", table, "--threshold", "0.5")
    assert ended.returncode == 0, ended.stderr
    owl, blank = rows_of(table)
    assert (owl["observationType"], owl["classificationMethod"]) == ("animal", "machine")
    assert 0 < float(owl["bboxWidth"]) <= 1
    assert owl["eventStart"] == owl["eventEnd"]
    assert (blank["observationType"], blank["bboxX"]) == ("blank", "")


def test_on_a_terminal_it_shows_how_far_it_is(tmp_path: Path, recordings: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "wildpost", "models", "run", "threat-sounds", str(recordings)]
    environment = {"WILDPOST_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin", "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert b"5/5" in shown
    assert b"x real time" in shown


def threat(folder: Path) -> ExaminationTask:
    return ExaminationTask("threat-sounds", load_registry(), folder, folder, UTC)


def test_a_process_that_is_killed_costs_no_file(tmp_path: Path, recordings: Path) -> None:
    files = [recordings / "rain.ogg"] * 12
    results = examine_all(files, threat(tmp_path), 2)
    done = [next(results)]
    workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    workers[0].kill()
    done += list(results)
    assert [one.path for one in done] == files
    assert [one.problem for one in done] == [""] * 12


def test_files_are_listed_no_further_ahead_than_needed(tmp_path: Path, recordings: Path) -> None:
    listed = 0

    def listing() -> Iterator[Path]:
        nonlocal listed
        for _ in range(1000):
            listed += 1
            yield recordings / "rain.ogg"

    results = examine_all(listing(), threat(tmp_path), 2)
    next(results)
    assert listed <= 10
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_a_folder_is_read_in_order_without_hidden_files(recordings: Path) -> None:
    found = [str(path.relative_to(recordings)) for path in files_in([recordings], frozenset({".ogg", ".flac"}))]
    assert found == ["20260521_053000.flac", "rain.ogg", "b/owl.flac", "b/saw.ogg", "b/狗.ogg"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["threat-sounds", "no-such-folder"], "no-such-folder"),
        (["threat-sounds", "."], "no file with a suffix of"),
        (["no-such-model", "card"], "no-such-model"),
        (["threat-sounds", "card", "--processes", "0"], "--processes 0"),
        (["threat-sounds", "card", "--threshold", "2"], "--threshold 2"),
        (["threat-sounds", "card", "--latitude", "31"], "longitude"),
        (["threat-sounds", "card", "--utc-offset", "8"], "--utc-offset: Expected a text such as +08:00"),
        (["threat-sounds", "card", "--json"], "--csv"),
        (["threat-sounds", "card", "--csv", "card/notes.txt"], "already exists"),
        (["yolox-nano", "card"], "no file with a suffix of"),
        (["yamnet", "card"], "expected vision, birdnet or threat"),
        (["threat-sounds", "card", "--second-opinion"], "wildpost models pull yamnet"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    words: list[str], said: str, tmp_path: Path, recordings: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    if words[1] == ".":
        words = [words[0], str(empty)]
    before = sorted(tmp_path.rglob("*"))
    ended = run(tmp_path, *words)
    assert ended.returncode == 1, ended.stdout
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert sorted(path for path in tmp_path.rglob("*") if "data" not in path.parts[-1]) == before
