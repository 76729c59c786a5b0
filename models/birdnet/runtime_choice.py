"""Finds out, once on each machine, which way of running BirdNET is faster, and holds it to the same results."""

import logging
import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.birdnet.derivation import NotDerivable
from models.birdnet.engines import Engine, LiteRtEngine, OpenVinoEngine
from models.birdnet.fast_form import FORM
from models.birdnet.package import Package
from models.birdnet.windows import RATE_HZ, WINDOW

RuntimeChoice = Literal["auto", "litert", "openvino"]

_TOLERANCE = 1e-3  # of scores: what the two may differ by
_ROUNDS = 5
_log = logging.getLogger(__name__)


class RuntimeDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured, and what came of it.

    Attributes:
        engine: The runtime to use.
        reason: In words.
        machine: For which machine, versions and number of threads it holds.
    """

    engine: Literal["litert", "openvino"]
    reason: str
    machine: str


def open_engine(
    package: Package, runtime: RuntimeChoice, threads: int, cache: Path | None
) -> tuple[Engine, RuntimeDecision]:
    """Load the runtime asked for, or the faster one.

    Args:
        package: The installed BirdNET.
        runtime: Which; "auto" measures, unless the cache already knows.
        threads: How many windows to work on at once.
        cache: Where the derived network and the verdict are kept; None: nowhere.

    Raises:
        NotDerivable, RuntimeError, ImportError: "openvino" was asked for and cannot be had.
    """
    machine = _machine(package, threads)
    if runtime == "litert":
        return LiteRtEngine(package.network, threads), RuntimeDecision(
            engine="litert", reason="as set", machine=machine
        )
    if runtime == "openvino":
        return _openvino(package, threads, cache), RuntimeDecision(engine="openvino", reason="as set", machine=machine)
    known = _remembered(cache, machine)
    if known is not None and known.engine == "litert":
        return LiteRtEngine(package.network, threads), known
    reference = None if known else LiteRtEngine(package.network, threads)
    try:
        fast = _openvino(package, threads, cache)
    except (NotDerivable, RuntimeError, ImportError) as error:
        engine = reference or LiteRtEngine(package.network, threads)
        return engine, _decided("litert", f"OpenVINO cannot be used here: {error}", machine, cache)
    if known is not None or reference is None:
        assert known is not None  # noqa: S101 - there is no reference only where the verdict is known
        return fast, known
    return _compare(reference, fast, machine, cache)


def _openvino(package: Package, threads: int, cache: Path | None) -> Engine:
    return OpenVinoEngine(package.network, package.model.sha256, threads, cache)


def _compare(reference: Engine, fast: Engine, machine: str, cache: Path | None) -> tuple[Engine, RuntimeDecision]:
    windows = trial_windows()
    difference = float(np.abs(_scores(reference, windows) - _scores(fast, windows)).max())
    if not difference <= _TOLERANCE:
        reason = f"OpenVINO's scores differ by {difference:.2g} here, expected at most {_TOLERANCE:g}"
        return reference, _decided("litert", reason, machine, cache)
    # By turns, so that a burst of other work on the machine strikes both alike.
    times = [(_time_s(reference, windows), _time_s(fast, windows)) for _ in range(_ROUNDS)]
    slow_ms, fast_ms = (1000 * median(column) / len(windows) for column in zip(*times, strict=True))
    measured = f"measured here: OpenVINO {fast_ms:.1f} ms a window, LiteRT {slow_ms:.1f} ms"
    if fast_ms < slow_ms:
        return fast, _decided("openvino", measured, machine, cache)
    return reference, _decided("litert", measured, machine, cache)


def trial_windows() -> list[NDArray[np.float32]]:
    """Make sounds to compare by: noise, a rising whistle, clicks, and nearly nothing."""
    random = np.random.default_rng(24)
    seconds = np.arange(WINDOW) / RATE_HZ
    noise = random.normal(0, 0.1, WINDOW)
    whistle = 0.3 * np.sin(2 * np.pi * (2000 + 600 * seconds) * seconds) + noise / 50
    clicks = (random.random(WINDOW) < 1e-4) * 0.9 + noise / 100
    quiet = noise * 1e-4
    return [sound.astype(np.float32) for sound in (noise, whistle, clicks, quiet)]


def _scores(engine: Engine, windows: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-engine.logits(windows).astype(np.float64)))
    return result


def _time_s(engine: Engine, windows: list[NDArray[np.float32]]) -> float:
    start = time.perf_counter()
    engine.logits(windows)
    return time.perf_counter() - start


def _machine(package: Package, threads: int) -> str:
    from importlib.metadata import PackageNotFoundError, version

    parts = [platform.machine(), platform.processor(), f"{os.cpu_count()} cores", f"{threads} threads"]
    for name in ("openvino", "ai-edge-litert"):
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"no {name}")
    return ", ".join([*parts, f"form {FORM}", package.model.sha256[:16]])


def _place(cache: Path) -> Path:
    return cache / "birdnet-runtime.json"


def _remembered(cache: Path | None, machine: str) -> RuntimeDecision | None:
    if cache is None or not _place(cache).is_file():
        return None
    try:
        verdict = msgspec.json.decode(_place(cache).read_bytes(), type=RuntimeDecision)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None  # half written or of another version: measured again and written anew
    return verdict if verdict.machine == machine else None


def _decided(engine: Literal["litert", "openvino"], reason: str, machine: str, cache: Path | None) -> RuntimeDecision:
    verdict = RuntimeDecision(engine=engine, reason=reason, machine=machine)
    _log.info("BirdNET runs on %s: %s", engine, reason)
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        partial = _place(cache).with_name(f".birdnet-runtime-{os.getpid()}.json")
        partial.write_bytes(msgspec.json.encode(verdict))
        partial.replace(_place(cache))
    return verdict
