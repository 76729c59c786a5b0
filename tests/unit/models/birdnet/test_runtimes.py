import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.sound import read_stretches
from models.birdnet import BirdNet, BirdNetOptions
from models.birdnet.derivation import Band, NotDerivable, derive
from models.birdnet.detector import confidences
from models.birdnet.engines import BATCH_SIZE, LiteRtEngine, OpenVinoEngine
from models.birdnet.fast_form import fold_frames
from models.birdnet.package import Package, find_package
from models.birdnet.runtime_choice import open_engine, trial_windows
from models.birdnet.windows import WINDOW, windows_of


@pytest.fixture(scope="module")
def package() -> Package:
    return find_package()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def both(package: Package, cache: Path) -> tuple[LiteRtEngine, OpenVinoEngine]:
    return LiteRtEngine(package.network, 2), OpenVinoEngine(package.network, package.model.sha256, 2, cache)


def check_alike(both: tuple[LiteRtEngine, OpenVinoEngine], windows: list[NDArray[np.float32]]) -> None:
    expected, found = (confidences(engine.logits(windows), 1.0) for engine in both)
    assert np.abs(expected - found).max() < 1e-3
    assert np.array_equal(expected >= 0.25, found >= 0.25)


def test_both_runtimes_score_the_recordings_alike(both: tuple[LiteRtEngine, OpenVinoEngine], shared_data: Path) -> None:
    paths = [*sorted((shared_data / "samples" / "recordings").iterdir())]
    for folder in ("edge_cases", "birds_east_asia", "esc50", "urbansound8k", "guns_vs_other", "chainsaw_board"):
        found = sorted(path for path in (shared_data / "sound" / folder).rglob("*.*") if path.suffix != ".csv")
        paths += found[:: max(1, len(found) // 4)]
    heard = 0
    for path in paths:
        try:
            windows = [samples for _, samples in windows_of(read_stretches(path))][:6]
        except Unreadable:
            continue
        check_alike(both, windows)
        heard += len(windows)
    assert heard > 60


def test_both_runtimes_score_made_sounds_alike(both: tuple[LiteRtEngine, OpenVinoEngine]) -> None:
    check_alike(both, [*trial_windows(), np.zeros(WINDOW, np.float32), np.full(WINDOW, 0.5, np.float32)])


def test_the_order_of_windows_is_kept_by_threads(both: tuple[LiteRtEngine, OpenVinoEngine]) -> None:
    windows = trial_windows()[:3]
    for engine in both:
        alone = np.concatenate([engine.logits([window]) for window in windows])
        assert np.abs(engine.logits(windows) - alone).max() < 1e-4
        assert np.array_equal(engine.logits(windows[:1]), alone[:1])


def test_windows_heard_together_are_scored_as_alone(both: tuple[LiteRtEngine, OpenVinoEngine]) -> None:
    silence = np.zeros(WINDOW, np.float32)
    windows = [np.roll(sound, 999 * turn) for turn in range(3) for sound in (*trial_windows(), silence)]
    assert len(windows) - 3 > 2 * BATCH_SIZE  # two threads hear four each at once, and the rest one by one
    alone = np.concatenate([both[1].logits([window]) for window in windows])
    assert np.abs(both[1].logits(windows) - alone).max() < 1e-2  # of logits; in the nearly silent window most
    assert np.abs(confidences(both[1].logits(windows), 1.0) - confidences(alone, 1.0)).max() < 1e-4
    check_alike(both, windows)


def test_folded_frames_give_what_whole_frames_do(package: Package) -> None:
    sound = trial_windows()[1]
    for band in derive(package.network, WINDOW).bands:
        length = len(band.matrix)
        folded = np.empty((511, length // 2), np.float32)
        fold_frames(sound, sound[::-1].copy(), band.hop, folded)
        frames = np.stack([sound[at : at + length] for at in range(0, 511 * band.hop, band.hop)])
        expected = frames.astype(np.float64) @ band.matrix
        assert np.abs(folded @ band.folded_matrix - expected).max() < 1e-5 * np.abs(expected).max()


def test_filters_without_a_mirror_image_are_refused() -> None:
    matrix = np.random.default_rng(3).normal(size=(8, 2))
    with pytest.raises(NotDerivable, match="mirror image"):
        _ = Band(matrix, 2, 0.5).folded_matrix


def test_the_front_end_is_one_matrix_for_each_band(package: Package) -> None:
    derived = derive(package.network, WINDOW)
    assert [(band.matrix.shape, band.hop) for band in derived.bands] == [((2048, 96), 278), ((1024, 96), 280)]
    assert derived.frames == 511


def test_a_network_that_is_no_birdnet_is_refused(package: Package) -> None:
    with pytest.raises(NotDerivable, match="MEL_SPEC1"):
        derive(package.occurrence, WINDOW)


def test_the_derived_network_is_taken_from_the_cache(
    both: tuple[LiteRtEngine, OpenVinoEngine], package: Package, cache: Path, tmp_path: Path
) -> None:
    assert sorted(path.suffix for path in cache.iterdir()) == [".bin", ".xml"]
    # No network at this place: what is read can only come from the cache.
    again = OpenVinoEngine(tmp_path / "absent.tflite", package.model.sha256, 1, cache)
    windows = trial_windows()[:2]
    assert np.abs(again.logits(windows) - both[1].logits(windows)).max() < 1e-3


def test_without_a_cache_the_network_is_derived_all_the_same(
    both: tuple[LiteRtEngine, OpenVinoEngine], package: Package
) -> None:
    windows = trial_windows()[:2]
    derived = OpenVinoEngine(package.network, package.model.sha256, 1, None)
    assert np.abs(derived.logits(windows) - both[1].logits(windows)).max() < 1e-3


def test_the_faster_runtime_is_found_by_measuring_once(package: Package, tmp_path: Path) -> None:
    engine, verdict = open_engine(package, "auto", 2, tmp_path)
    assert engine.name == verdict.engine
    assert "measured here: OpenVINO" in verdict.reason
    kept = tmp_path / "birdnet-runtime.json"
    other = "litert" if verdict.engine == "openvino" else "openvino"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "engine": other, "reason": "remembered"}))
    engine, verdict = open_engine(package, "auto", 2, tmp_path)
    assert (engine.name, verdict.reason) == (other, "remembered")
    _, verdict = open_engine(package, "auto", 1, tmp_path)  # another number of threads: measured anew
    assert "measured here" in verdict.reason


def test_without_openvino_litert_is_used_and_the_reason_said(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    engine, verdict = open_engine(package, "auto", 1, tmp_path)
    assert engine.name == "litert"
    assert "OpenVINO cannot be used here" in verdict.reason
    with pytest.raises(ImportError):
        open_engine(package, "openvino", 1, tmp_path)


def test_a_broken_cache_falls_back(package: Package, tmp_path: Path) -> None:
    OpenVinoEngine(package.network, package.model.sha256, 1, tmp_path)
    (xml,) = tmp_path.glob("*.xml")
    xml.write_text("not a network")
    engine, verdict = open_engine(package, "auto", 1, tmp_path)
    assert engine.name == "litert"
    assert "cannot be used" in verdict.reason


def test_a_cache_that_cannot_be_written_costs_the_fast_runtime_and_not_the_station(
    package: Package, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder can be made below a file")
    engine, verdict = open_engine(package, "auto", 1, tmp_path / "file" / "cache")
    assert engine.name == "litert"
    assert "cannot be written" in verdict.reason
    _, verdict = open_engine(package, "litert", 1, tmp_path / "file" / "cache")
    assert verdict.reason == "as set"
    with pytest.raises(OSError, match="file"):
        open_engine(package, "openvino", 1, tmp_path / "file" / "cache")


def test_the_fast_detector_finds_the_same(shared_data: Path, cache: Path) -> None:
    (sound, *_) = read_stretches(shared_data / "samples" / "recordings" / "XC563936_-_Soundscape.mp3")
    found = []
    for runtime in ("litert", "openvino"):
        birdnet = BirdNet(BirdNetOptions(runtime=runtime, cache=str(cache), overlap_s=1.0))
        assert birdnet.runtime.engine == runtime
        (detections,) = birdnet.predict([birdnet.preprocess(sound)])
        found.append({(one.scientific_name, one.span): one.confidence for one in detections})
    slow, fast = found
    assert slow.keys() == fast.keys()
    assert all(abs(slow[key] - fast[key]) < 1e-3 for key in slow)


def test_windows_with_silence_are_scored_as_by_litert(both: tuple[LiteRtEngine, OpenVinoEngine]) -> None:
    # A recording's last window is filled up with zeros: there the scores hang on rounding errors of the transform.
    noise = trial_windows()[0]
    half = np.concatenate([noise[: WINDOW // 2], np.zeros(WINDOW // 2, np.float32)])
    lead = np.roll(half, 333)
    expected, found = (engine.logits([half, noise, lead]) for engine in both)
    assert np.array_equal(expected[[0, 2]], found[[0, 2]])
    assert not np.array_equal(expected[1], found[1])  # the other one went through OpenVINO
