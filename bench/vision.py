"""Throughput from 12-megapixel picture files to boxes: Wildpost and ultralytics' predict with the same weights.

    python -m bench.vision [PICTURES] [--quick]

PICTURES is a folder whose JPEG files are enlarged to 4000 x 3000; without it, pictures are synthesised from noise and
shapes. Each contestant runs in its own process, limited to one core and then to two, by turns; a ratio is the median of
the pairs. The limit is the throughput if reading and inference, each measured alone, used the cores without a pause; on
two cores, one process on each measures at the same time, because the cores share memory and may not be twice as fast as
one. Ultralytics comes with the extra `train`; without it, only the limit is compared. Its torch weights are rebuilt
from our ONNX file, and the boxes of both are compared on the same pictures.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.report import report
from models.registry import find_weights

MODEL = "wildpost-nano"
_WIDTH, _HEIGHT = 4000, 3000

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
from models.vision import VisionOptions, look
options = VisionOptions(runtime=sys.argv[5], threads=1, at_once=cores, threshold=0.25)
detector = open_vision(weights, Path(sys.argv[6]), options)
list(look(detector, paths[:2], cores))
start = time.perf_counter()
for _ in range(rounds):
    looked = list(look(detector, paths, cores))
seconds = time.perf_counter() - start
assert not any(one.problem for one in looked)
boxes = [[[d.box.x, d.box.y, d.box.x + d.box.width, d.box.y + d.box.height] for d in one.detections] for one in looked]
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
import contextlib, io, os
os.environ["YOLO_OFFLINE"] = "1"
with contextlib.redirect_stdout(io.StringIO()):
    import torch
    from ultralytics import YOLO
    network = YOLO(weights, task="detect")
    how = {"imgsz": 320, "conf": 0.25, "iou": 0.45, "device": "cpu", "verbose": False, "rect": sys.argv[5] == "fast"}
    names = [str(path) for path in paths]
    network.predict(names[:1], **how)
    torch.set_num_threads(cores)
    start = time.perf_counter()
    for _ in range(rounds):
        results = [network.predict(name, **how)[0] for name in names]
    seconds = time.perf_counter() - start
print_rate(seconds, [result.boxes.xyxyn.tolist() for result in results])
"""
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its results; return 1 if the boxes of the two programs differ."""
    parser = argparse.ArgumentParser(prog="bench.vision", description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?", help="a folder of JPEG files (default: synthetic pictures)")
    parser.add_argument("--quick", action="store_true", help="within 50 seconds: few pictures, one round")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wildpost-bench-") as folder:
        return _measure(chosen.pictures, chosen.quick, Path(folder))


def _measure(pictures: Path | None, quick: bool, folder: Path) -> int:
    count, rounds, turns = (4, 1, 1) if quick else (16, 3, 3)
    make_pictures(folder / "pictures", count, pictures)
    contestants = {
        "openvino": [_OURS, MODEL, "openvino"],
        "onnxruntime": [_OURS, MODEL, "onnxruntime"],
        "read": [_ALONE, MODEL, "read"],
        "network": [_ALONE, MODEL, "network"],
    }
    has_peer = importlib.util.find_spec("ultralytics") is not None
    if has_peer:
        torch_weights, onnx_weights = _ultralytics_weights(folder)
        contestants["ultralytics_torch"] = [_ULTRALYTICS, str(torch_weights), "fast"]
        contestants["ultralytics_onnx"] = [_ULTRALYTICS, str(onnx_weights), "fast"]
    rates: dict[str, list[float]] = {}
    for _ in range(turns):
        for cores in (1, 2):
            for name, contestant in contestants.items():
                rate = (
                    _alone(contestant, folder, rounds, cores)
                    if contestant[0] == _ALONE
                    else _run(contestant, folder, rounds, cores)["rate"]
                )
                rates.setdefault(f"{name}_{cores}", []).append(rate)
    agreement = _agreement(contestants, folder, str(torch_weights)) if has_peer else None
    _print(rates, agreement, has_peer, [path.stat().st_size / 1e6 for path in (folder / "pictures").iterdir()])
    return 1 if agreement is not None and agreement < 0.9 else 0


def _print(rates: dict[str, list[float]], agreement: float | None, has_peer: bool, sizes_mb: list[float]) -> None:
    words = {
        "openvino": "ours, OpenVINO, file to boxes",
        "onnxruntime": "ours, ONNX Runtime, file to boxes",
        "ultralytics_torch": "ultralytics predict, torch",
        "ultralytics_onnx": "ultralytics predict, its ONNX",
        "read": "reading alone",
        "network": "network alone (OpenVINO)",
    }
    for cores in (1, 2):
        pairs = zip(rates[f"read_{cores}"], rates[f"network_{cores}"], strict=True)
        rates[f"limit_{cores}"] = [1 / (1 / read + 1 / network) for read, network in pairs]
    rows, ratios = [], {}
    for name, text in [*words.items(), ("limit", "limit: reading and network without a pause")]:
        if f"{name}_1" not in rates:
            rows.append([text, "not available", "", "", ""])
            continue
        compared = []
        for cores in (1, 2):
            pairs = zip(rates[f"openvino_{cores}"], rates[f"{name}_{cores}"], strict=True)
            compared.append(median(ours / theirs for ours, theirs in pairs))
        if name in ("ultralytics_torch", "ultralytics_onnx", "onnxruntime", "limit"):
            ratios.update({f"{name}_{cores}_core": ratio for cores, ratio in zip((1, 2), compared, strict=True)})
        figures = [f"{median(rates[f'{name}_{cores}']):.1f}" for cores in (1, 2)]
        rows.append([text, *figures, *(f"{ratio:.2f}" if name != "openvino" else "" for ratio in compared)])
    raw: dict[str, object] = {
        "pictures_per_second": {name: [round(rate, 2) for rate in several] for name, several in rates.items()},
        "picture_mb": [round(size, 2) for size in sorted(sizes_mb)],
        "boxes_agree": None if agreement is None else round(agreement, 3),
        "ultralytics": has_peer,
    }
    what = f"pictures of {min(sizes_mb):.1f} to {max(sizes_mb):.1f} MB a second"
    report("vision", [what, "1 core", "2 cores", "ours / it, 1", "ours / it, 2"], rows, ratios, raw)


def _run(contestant: Sequence[str], folder: Path, rounds: int, cores: int) -> dict[str, float]:
    pinned = sorted(os.sched_getaffinity(0))[:cores]
    return _result_of(_start(contestant, folder, rounds, pinned))


def _alone(contestant: Sequence[str], folder: Path, rounds: int, cores: int) -> float:
    """Run a process on each core at the same time and return the sum of their rates."""
    pinned = sorted(os.sched_getaffinity(0))[:cores]
    processes = [_start(contestant, folder, rounds, [core]) for core in pinned]
    for process in processes:
        process.stdout.readline()  # type: ignore[union-attr]
    for process in processes:
        process.stdin.write("go\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    return sum(_result_of(process)["rate"] for process in processes)


def _start(contestant: Sequence[str], folder: Path, rounds: int, pinned: Sequence[int]) -> subprocess.Popen[str]:
    code, weights, how = contestant
    command = ["taskset", "-c", ",".join(map(str, pinned)), sys.executable, "-c", code, str(folder / "pictures")]
    command += [str(rounds), str(len(pinned)), weights, how, str(folder / "weights")]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _result_of(process: subprocess.Popen[str]) -> dict[str, float]:
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {errors[-2000:]}")
    result: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    return result


def _agreement(contestants: dict[str, list[str]], folder: Path, torch_weights: str) -> float:
    """Return the fraction of boxes that both programs found; boxes match at an IoU above 0.5.

    Ultralytics decodes the picture at full size and Wildpost at the scale needed, so edges differ by a few pixels.
    """
    ours = _run(contestants["openvino"], folder, 1, 2)["boxes"]
    theirs = _run([_ULTRALYTICS, torch_weights, "same"], folder, 1, 2)["boxes"]
    pairs = list(zip(ours, theirs, strict=True))  # type: ignore[call-overload]
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


def _ultralytics_weights(folder: Path) -> tuple[Path, Path]:
    """Return our weights as files for ultralytics: a checkpoint, and the ONNX file."""
    from models.train.onnx_weights import save_checkpoint

    ours = find_weights(MODEL, folder / "weights")
    return save_checkpoint(ours, folder / "same.pt"), ours


def make_pictures(folder: Path, count: int, source: Path | None) -> None:
    """Write JPEG files of 12 megapixels, quality 90.

    Raises:
        ValueError: the source has no readable JPEG file.
    """
    import cv2
    import numpy as np

    folder.mkdir()
    random = np.random.default_rng(5)
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")) if source else []
    read = [picture for path in found[: 3 * count] if (picture := cv2.imread(str(path))) is not None][:count]
    if source and not read:
        raise ValueError(f"{source}: no readable JPEG file")
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
