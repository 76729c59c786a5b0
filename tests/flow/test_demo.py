"""The whole path on real input: two station processes, a broker, the server, and what is in its store at the end."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

# What BirdNET V2.4 finds in the samples; their README says what is in them.
HEARD = {"Junco hyemalis": 13, "Aegolius funereus": 13, "Strix aluco": 5, "Anas platyrhynchos": 4}


def run_demo(samples: Path, data: Path, simulated: int = 0) -> tuple[dict[str, Any], str]:
    options = ("--samples", str(samples), "--simulate", str(simulated), "--once", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "wildpost", "demo", *options],
        env=os.environ | {"WILDPOST_DATA": str(data), "http_proxy": "", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1, "with --json, standard output holds that line and nothing else"
    return json.loads(lines[0]), done.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


def test_everything_that_can_be_used_is_stored_and_the_rest_is_set_aside(shared_data: Path, data: Path) -> None:
    summary, _ = run_demo(shared_data / "samples", data)
    broken = {"error_img.JPG"}  # the truncated one is examined as far as it goes
    pictures = {file.name for file in (shared_data / "samples" / "pictures").iterdir()}
    recordings = list((shared_data / "samples" / "recordings").iterdir())
    assert summary["pictures"] == len(pictures - broken)
    assert summary["recordings"] == len(recordings)
    assert summary["quarantined"] == len(broken)
    assert summary["events_stored"] == summary["events_sent"] >= summary["pictures"] + summary["recordings"]
    assert summary["flags"] > 0


def test_the_species_are_those_of_the_samples(shared_data: Path, data: Path) -> None:
    summary, _ = run_demo(shared_data / "samples", data)
    assert {taxon: summary["species"].get(taxon) for taxon in HEARD} == HEARD
    assert {"gunshot", "animal", "vehicle", "Canis familiaris"} <= set(summary["species"])


def test_a_second_demo_begins_anew_and_finds_the_same(shared_data: Path, data: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in ("vehicle.jpg", "error_img.JPG"):
        (few / name).write_bytes((shared_data / "samples" / "pictures" / name).read_bytes())
    first, _ = run_demo(few, data)
    second, _ = run_demo(few, data)
    assert first | {"seconds": 0} == second | {"seconds": 0}
    assert first["events_stored"] == 1
    assert first["quarantined"] == 1


def test_pictures_are_processed_by_the_network_in_the_package_whatever_lies_beside_the_samples(
    shared_data: Path, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    for name in ("samples", "weights"):
        (stick / name).mkdir(parents=True)
    for name in ("vehicle.jpg", "IMAG0046_bobcat.JPG", "owl.JPG"):
        (stick / "samples" / name).write_bytes((shared_data / "samples" / "pictures" / name).read_bytes())
    weights = (shared_data / "weights" / "yolox_nano_416_coco.onnx").read_bytes()
    (stick / "weights" / "brought.onnx").write_bytes(weights)
    summary, said = run_demo(stick / "samples", tmp_path / "data")
    assert "processed by wildpost-nano" in said
    assert summary["species"] == {"Felidae": 1, "animal": 1, "vehicle": 1}, "at their shipped thresholds"


def test_a_simulated_reserve_is_counted_apart_and_found_by_the_commands(data: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    Image.new("RGB", (320, 240), "#556").save(tmp_path / "few" / "grey.jpg")
    summary, said = run_demo(tmp_path / "few", data, simulated=1)
    assert summary["simulated"]["stations"] == 1
    assert summary["simulated"]["captures"] > 200
    assert (summary["pictures"], summary["events_stored"], summary["quarantined"], summary["flags"]) == (1, 1, 0, 0)
    assert "Sus scrofa" not in summary["species"]
    assert "marked as simulated" in said

    def wildpost(*options: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "wildpost", *options]
        environment = os.environ | {"WILDPOST_DATA": str(data)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)

    trends = wildpost("trends", "--days", "365", "--json")
    assert "This is the data of the demo" in trends.stderr
    found = json.loads(trends.stdout)
    assert found["simulated_stations"] == ["sim-001"]
    assert found["total"]["independent"] > 100
    exported = wildpost("export", "camtrap-dp", str(tmp_path / "package"), "--place", "31.3", "117.2")
    assert "This is the data of the demo" in exported.stderr
    assert "are simulated" in exported.stdout


def test_file_names_in_chinese_travel_the_whole_way(shared_data: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "红外相机 照片"
    folder.mkdir()
    (folder / "一号机位 车辆.jpg").write_bytes((shared_data / "samples" / "pictures" / "vehicle.jpg").read_bytes())
    summary, _ = run_demo(folder, data)
    assert summary["events_stored"] == 1
    assert summary["species"]["vehicle"] == 1


def test_a_folder_with_nothing_to_show_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "wildpost", "demo", "--samples", str(tmp_path / "empty"), "--once"],
        env=os.environ | {"WILDPOST_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "no picture" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_put_where_the_demo_says_is_on_the_page_soon(shared_data: Path, data: Path, tmp_path: Path) -> None:
    pictures = shared_data / "samples" / "pictures"
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "vehicle.jpg").write_bytes((pictures / "vehicle.jpg").read_bytes())
    command = [sys.executable, "-u", "-m", "wildpost", "demo", "--samples", str(tmp_path / "few"), "--port", "0"]
    command += ["--simulate", "0"]
    environment = os.environ | {"WILDPOST_DATA": str(data)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            said = iter(demo.stdout.readline, "")
            page = next(line.split()[-1] for line in said if "The pages are at" in line)
            next(line for line in said if "Put more files into" in line)
            (Path(next(said).strip()) / "another.jpg").write_bytes((pictures / "vehicle.jpg").read_bytes())
            deadline = time.monotonic() + 60
            while stored(page) < 2:
                assert time.monotonic() < deadline, "the picture never came"
                time.sleep(0.2)
        finally:
            demo.terminate()
    assert demo.returncode == 130
    assert not processes_that_name(data), "a station outlives its demo"


def stored(page: str) -> int:
    with urllib.request.urlopen(f"{page}healthz", timeout=5) as answer:
        return int(json.load(answer)["events"])


def processes_that_name(folder: Path) -> list[str]:
    """Find by their command lines what still works in a folder."""
    running = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            running.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in running if str(folder) in line]
