"""Selects BirdNET's inference runtime, LiteRT or OpenVINO, by measuring both on this machine.

It also verifies that both give equal scores.
"""

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

from contract.durable_file import durable_file
from models.birdnet.derivation import NotDerivable
from models.birdnet.engines import Engine, LiteRtEngine, OpenVinoEngine
from models.birdnet.fast_form import FORM_VERSION
from models.birdnet.package import Package
from models.birdnet.windows import RATE_HZ, WINDOW

RuntimeChoice = Literal["auto", "litert", "openvino"]

_TOLERANCE = 1e-3  # maximum difference between the scores of the two runtimes
_ROUNDS = 5
_log = logging.getLogger(__name__)


class RuntimeDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inference runtime selected for BirdNET, and the reason why it was selected.

    Attributes:
        engine: The runtime to use.
        reason: The reason, for people.
        machine: The machine, versions and number of threads for which the decision is valid.
    """

    engine: Literal["litert", "openvino"]
    reason: str
    machine: str


def open_engine(
    package: Package, runtime: RuntimeChoice, threads: int, cache: Path | None
) -> tuple[Engine, RuntimeDecision]:
    """Load BirdNET in an inference runtime, and return the engine with the reason why the runtime was selected.

    Args:
        package: The installed BirdNET.
        runtime: The runtime; "auto" measures both, unless the cache contains a decision for this machine.
        threads: Number of worker threads.
        cache: Folder for the derived network and the decision; None: no cache.

    Raises:
        NotDerivable, RuntimeError, ImportError, OSError: ``runtime`` is "openvino" and OpenVINO cannot be used.
    """
    machine = _machine(package, threads)
    if runtime == "litert":
        return LiteRtEngine(package.network, threads), RuntimeDecision(
            engine="litert", reason="as set", machine=machine
        )
    if runtime == "openvino":
        return _openvino(package, threads, cache), RuntimeDecision(engine="openvino", reason="as set", machine=machine)
    known = _cached_decision(cache, machine)
    if known is not None and known.engine == "litert":
        return LiteRtEngine(package.network, threads), known
    reference = None if known else LiteRtEngine(package.network, threads)
    try:
        fast = _openvino(package, threads, cache)
    except (NotDerivable, RuntimeError, ImportError) as error:
        engine = reference or LiteRtEngine(package.network, threads)
        return engine, _store_decision("litert", f"OpenVINO cannot be used here: {error}", machine, cache)
    except OSError as error:  # a full disk, for example: not a property of this machine, so it is not stored
        engine = reference or LiteRtEngine(package.network, threads)
        reason = f"the network for OpenVINO cannot be written or read: {error}"
        return engine, _store_decision("litert", reason, machine, None)
    if known is not None or reference is None:
        assert known is not None  # noqa: S101 - reference is None only if there is a cached decision
        return fast, known
    return _compare(reference, fast, machine, cache)


def _openvino(package: Package, threads: int, cache: Path | None) -> Engine:
    return OpenVinoEngine(package.network, package.model.sha256, threads, cache)


def _compare(reference: Engine, fast: Engine, machine: str, cache: Path | None) -> tuple[Engine, RuntimeDecision]:
    windows = trial_windows()
    difference = float(np.abs(_scores(reference, windows) - _scores(fast, windows)).max())
    if not difference <= _TOLERANCE:
        reason = f"OpenVINO's scores differ by {difference:.2g} here, expected at most {_TOLERANCE:g}"
        return reference, _store_decision("litert", reason, machine, cache)
    # The runtimes alternate, so that other load on the machine affects both equally.
    times = [(_time_s(reference, windows), _time_s(fast, windows)) for _ in range(_ROUNDS)]
    slow_ms, fast_ms = (1000 * median(column) / len(windows) for column in zip(*times, strict=True))
    measured = f"measured here: OpenVINO {fast_ms:.1f} ms a window, LiteRT {slow_ms:.1f} ms"
    if fast_ms < slow_ms:
        return fast, _store_decision("openvino", measured, machine, cache)
    return reference, _store_decision("litert", measured, machine, cache)


def trial_windows() -> list[NDArray[np.float32]]:
    """Return synthetic windows for the comparison of the runtimes: noise, a whistle, clicks and near silence."""
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
    return ", ".join([*parts, f"form {FORM_VERSION}", package.model.sha256[:16]])


def _decision_file(cache: Path) -> Path:
    return cache / "birdnet-runtime.json"


def _cached_decision(cache: Path | None, machine: str) -> RuntimeDecision | None:
    if cache is None or not _decision_file(cache).is_file():
        return None
    try:
        decision = msgspec.json.decode(_decision_file(cache).read_bytes(), type=RuntimeDecision)
    except (msgspec.DecodeError, msgspec.ValidationError, OSError):
        return None  # incomplete, unreadable or of another version: measure again and overwrite it
    return decision if decision.machine == machine else None


def _store_decision(
    engine: Literal["litert", "openvino"], reason: str, machine: str, cache: Path | None
) -> RuntimeDecision:
    decision = RuntimeDecision(engine=engine, reason=reason, machine=machine)
    _log.info("BirdNET runs on %s: %s", engine, reason)
    if cache is not None:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with durable_file(_decision_file(cache)) as file:
                file.write(msgspec.json.encode(decision))
        except OSError as error:
            _log.warning(
                "the choice of BirdNET's runtime is not stored, and measured again at the next start: %s", error
            )
    return decision
