"""Throughput from 12-megapixel picture files to boxes: Wildpost and ultralytics' predict with the same weights.

    python -m bench.vision [PICTURES] [--quick]

PICTURES is a folder whose JPEG files are enlarged to 4000 x 3000; without it, pictures are synthesised from noise and
shapes. Each contestant runs in its own process, limited to one core and then to two, by turns; a ratio is the median of
the pairs. The limit is the throughput if reading and inference, each measured alone, used the cores without a pause; on
two cores, one process on each measures at the same time, because the cores share memory and may not be twice as fast as
one. Ultralytics runs in the environment of the extra `train` (`make bench-peers` creates it); without it, only the
limit is compared. It runs the same ONNX file, since its torch cannot build the network of version 2, and the boxes of
both are compared on the same pictures.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.peers import TRAIN_PYTHON, ultralytics_problem
from bench.ratios import cell, median_of, median_ratio
from bench.report import Report, run_bench
from captures.picture import read_picture
from models.registry import entry_named, find_weights, load_registry

MODEL = "wildpost-nano"
_WIDTH, _HEIGHT = 4000, 3000


def input_px() -> int:
    """Return the side of the network's input in pixels."""
    facts = entry_named(MODEL, load_registry()).vision
    assert facts is not None
    return facts.width


_READY = """
import json, sys, time
from pathlib import Path
paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
rounds, cores, weights = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
def print_rate(seconds, boxes=None):
    print(json.dumps({"rate": rounds * len(paths) / seconds, "boxes": boxes}))
"""
_OURS = (
    _READY
    + """
from models.factory import open_vision
from models.vision import VisionOptions, detect_in_pictures
options = VisionOptions(runtime=sys.argv[5], threads=1, at_once=cores, threshold=0.25)
detector = open_vision(weights, Path(sys.argv[6]), options)
list(detect_in_pictures(detector, paths[:2], cores))
start = time.perf_counter()
for _ in range(rounds):
    results = list(detect_in_pictures(detector, paths, cores))
seconds = time.perf_counter() - start
assert not any(result.problem for result in results)
boxes = [[[d.box.x, d.box.y, d.box.x + d.box.width, d.box.y + d.box.height] for d in r.detections] for r in results]
print_rate(seconds, boxes)
"""
)
_ALONE = (
    _READY
    + """
from models.factory import open_vision
from models.vision import VisionOptions
detector = open_vision(weights, Path(sys.argv[6]), VisionOptions(threads=1))
prepared = [detector.preprocess(path) for path in paths]
detector.predict(prepared[:1])
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
for _ in range(rounds):
    if sys.argv[5] == "read":
        for path in paths:
            detector.preprocess(path)
    else:
        for one in prepared:
            detector.predict([one])
print_rate(time.perf_counter() - start)
"""
)
_ULTRALYTICS = (
    _READY
    + """
import contextlib, io
from models.train.ultralytics_env import isolate_ultralytics
isolate_ultralytics()
with contextlib.redirect_stdout(io.StringIO()):
    import torch
    from ultralytics import YOLO
    network = YOLO(weights, task="detect")
    how = {"imgsz": int(sys.argv[7]), "conf": 0.25, "iou": 0.45, "device": "cpu", "verbose": False}
    names = [str(path) for path in paths]
    network.predict(names[:1], rect=True, **how)
    torch.set_num_threads(cores)
    start = time.perf_counter()
    for _ in range(rounds):
        for name in names:
            network.predict(name, rect=True, **how)
    seconds = time.perf_counter() - start
    boxes = None
    if sys.argv[5] == "boxes" and cores > 1:  # once is enough; square, as ours
        boxes = [network.predict(name, rect=False, **how)[0].boxes.xyxyn.tolist() for name in names]
print_rate(seconds, boxes)
"""
)


Boxes = list[list[list[float]]]  # of each picture: left, top, right, bottom
_PEER = "ultralytics_onnx"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A script whose speed is measured, with its arguments: a file of weights, and a mode.

    The mode is a runtime, or what the script measures.
    """

    code: str
    weights: str
    mode: str
    python: str = sys.executable


class Measurement(msgspec.Struct, frozen=True):
    """Output of a contestant's script: pictures per second, and boxes as fractions of the picture's size."""

    rate: float
    boxes: Boxes | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its results; return 1 if the boxes of Wildpost and ultralytics differ."""
    parser = argparse.ArgumentParser(prog="bench.vision", description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?", help="a folder of JPEG files (default: synthetic pictures)")
    parser.add_argument("--quick", action="store_true", help="within 50 seconds: few pictures, one round")
    chosen = parser.parse_args(arguments)
    return run_bench("vision", lambda report: _measure(chosen.pictures, chosen.quick, report))


def _measure(pictures: Path | None, quick: bool, report: Report) -> bool:
    count, rounds, turns = (4, 1, 1) if quick else (16, 3, 3)
    with tempfile.TemporaryDirectory(prefix="wildpost-bench-") as name:
        folder = Path(name)
        make_pictures(folder / "pictures", count, pictures)
        contestants = {
            "openvino": Contestant(_OURS, MODEL, "openvino"),
            "onnxruntime": Contestant(_OURS, MODEL, "onnxruntime"),
            "read": Contestant(_ALONE, MODEL, "read"),
            "network": Contestant(_ALONE, MODEL, "network"),
        }
        if problem := ultralytics_problem():
            report.missing["ultralytics"] = problem
        else:
            contestants[_PEER] = _ultralytics(folder)
        results: dict[str, list[Measurement | None]] = {}
        for _ in range(turns):
            for cores in (1, 2):
                for name, contestant in contestants.items():
                    run = _run_on_each_core if contestant.code == _ALONE else _run
                    result = report.attempt(f"{name}_{cores}", run, contestant, folder, rounds, cores)
                    results.setdefault(f"{name}_{cores}", []).append(result)
        sizes_mb = sorted(path.stat().st_size / 1e6 for path in (folder / "pictures").iterdir())
    ours, theirs = (_boxes_of(results.get(f"{name}_2", [])) for name in ("openvino", _PEER))
    agreement = box_agreement(ours, theirs) if ours and theirs else None
    rates = {name: [one.rate if one else None for one in several] for name, several in results.items()}
    summarise(rates, agreement, sizes_mb, report)
    return agreement is None or agreement >= 0.9


def summarise(
    rates: dict[str, list[float | None]], agreement: float | None, sizes_mb: Sequence[float], report: Report
) -> None:
    """Compute the medians and ratios by contestant and number of cores, and store them in the report."""
    words = {
        "openvino": "ours, OpenVINO, file to boxes",
        "onnxruntime": "ours, ONNX Runtime, file to boxes",
        _PEER: "ultralytics predict, the same ONNX",
        "read": "reading alone",
        "network": "network alone (OpenVINO)",
        "limit": "limit: reading and network without a pause",
    }
    for cores in (1, 2):
        pairs = zip(rates[f"read_{cores}"], rates[f"network_{cores}"], strict=True)
        rates[f"limit_{cores}"] = [
            1 / (1 / read + 1 / network) if read and network else None for read, network in pairs
        ]
    rows, ratios = [], dict[str, float | None]()
    for name, text in words.items():
        compared = []
        for cores in (1, 2):
            theirs = rates.get(f"{name}_{cores}")
            compared.append(median_ratio(rates[f"openvino_{cores}"], theirs) if theirs else None)
            if name in (_PEER, "onnxruntime", "limit"):
                ratios[f"{name}_{cores}_core"] = compared[-1]
        figures = [cell(median_of(rates.get(f"{name}_{cores}", [])), ".1f") for cores in (1, 2)]
        rows.append([text, *figures, *("" if name == "openvino" else cell(one, ".2f") for one in compared)])
    raw: dict[str, object] = {
        "pictures_per_second": {
            name: [None if rate is None else round(rate, 2) for rate in several] for name, several in rates.items()
        },
        "picture_mb": [round(size, 2) for size in sizes_mb],
        "boxes_agree": None if agreement is None else round(agreement, 3),
    }
    heading = [f"pictures/s, {min(sizes_mb):.1f} to {max(sizes_mb):.1f} MB each", "1 core", "2 cores"]
    report.results([*heading, "ours / it, 1", "ours / it, 2"], rows, ratios, raw)


def _run(contestant: Contestant, folder: Path, rounds: int, cores: int) -> Measurement:
    return _result_of(_start(contestant, folder, rounds, sorted(os.sched_getaffinity(0))[:cores]))


def _run_on_each_core(contestant: Contestant, folder: Path, rounds: int, cores: int) -> Measurement:
    """Run a contestant's process on each core at the same time; return the sum of the measured rates."""
    pinned = sorted(os.sched_getaffinity(0))[:cores]
    processes = [_start(contestant, folder, rounds, [core]) for core in pinned]
    try:
        for process in processes:
            process.stdout.readline()  # type: ignore[union-attr]
        for process in processes:
            process.stdin.write("go\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        return Measurement(sum(_result_of(process).rate for process in processes))
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(contestant: Contestant, folder: Path, rounds: int, pinned: Sequence[int]) -> subprocess.Popen[str]:
    command = ["taskset", "-c", ",".join(map(str, pinned)), contestant.python, "-c", contestant.code]
    command += [str(folder / "pictures"), str(rounds), str(len(pinned))]
    command += [contestant.weights, contestant.mode, str(folder / "weights"), str(input_px())]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _result_of(process: subprocess.Popen[str]) -> Measurement:
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a process ended with {process.returncode}: {errors[-2000:]}")
    return msgspec.json.decode(output.strip().splitlines()[-1], type=Measurement)


def _boxes_of(results: Sequence[Measurement | None]) -> Boxes:
    return next((result.boxes for result in results if result and result.boxes), [])


def box_agreement(ours: Boxes, theirs: Boxes) -> float:
    """Return the fraction of boxes that Wildpost and ultralytics both found, matched at an IoU above 0.5.

    Ultralytics decodes the picture at full size and Wildpost at the scale needed, so edges differ by a few pixels.
    """
    pairs = list(zip(ours, theirs, strict=True))
    matched = sum(any(_iou(a, b) > 0.5 for b in second) for first, second in pairs for a in first)
    most = sum(max(len(first), len(second)) for first, second in pairs)
    return matched / most if most else 1.0


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def _ultralytics(folder: Path) -> Contestant:
    """Return ultralytics' contestant, which runs our ONNX file."""
    return Contestant(_ULTRALYTICS, str(find_weights(MODEL, folder / "weights")), "boxes", str(TRAIN_PYTHON))


def make_pictures(folder: Path, count: int, source: Path | None) -> None:
    """Write JPEG files of 12 megapixels, quality 90.

    Raises:
        ValueError: the source has no JPEG file, or one that cannot be read.
    """
    import cv2
    import numpy as np

    folder.mkdir()
    random = np.random.default_rng(5)
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")) if source else []
    read = [read_picture(path, _WIDTH).pixels for path in found[:count]]
    if source and not read:
        raise ValueError(f"{source}: no JPEG file")
    for at in range(count):
        if read:
            picture = cv2.resize(read[at % len(read)], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
        else:
            coarse = random.integers(0, 255, (60, 80, 3), np.uint8)
            picture = cv2.resize(coarse, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
            cv2.ellipse(picture, (2000, 1800), (700, 400), 10 * at, 0, 360, (40, 60, 90), -1)
        grain = random.normal(0, 3, (_HEIGHT, _WIDTH, 1))  # sensor noise, which determines the file size
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{at:03d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    sys.exit(main())
