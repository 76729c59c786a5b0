"""Which clips are learnt from: told by their names, each recording in one split, and every mistake named."""

import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from models.train.threat.sources import BadSources, ListedClip, SoundSources, load_clips, read_sources
from tests.repository import REPOSITORY

SETTINGS = """
same_numbers = ["city", "field"]
[sources.city]
folder = "city"
licence = "CC BY-NC 3.0"
name = 'fold(?P<fold>\\d+)/(?P<recording>\\d+)-(?P<class>\\d)-'
test = ["2"]
val = ["3"]
classes = { 0 = "gunshot", 1 = "other ?engine", 2 = "other background ?voice" }
[sources.field]
folder = "field"
licence = "none stated"
name = '(?P<class>\\w+)-(?P<recording>\\d+)'
by_chance = true
classes = { shot = "gunshot", "*" = "other" }
[sources.elsewhere]
folder = "elsewhere"
licence = "MIT"
name = '(?P<recording>(?P<class>[a-z]+))'
left_out = true
classes = { dog = "dog" }
"""


def sound(path: Path, peak: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, peak * np.sin(np.arange(22_050) / 5), 22_050)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name in ("fold1/11-0-0", "fold1/12-1-0", "fold2/13-0-0", "fold3/14-2-0", "fold1/13-0-1", "fold1/15-9-0"):
        sound(tmp_path / "city" / f"{name}.wav")
    for number in range(40):
        sound(tmp_path / "field" / f"{'shot' if number % 2 else 'rain'}-{number}.flac")
    sound(tmp_path / "field" / "shot-13.flac")
    sound(tmp_path / "elsewhere" / "dog.wav")
    (tmp_path / "elsewhere" / "dog.txt").write_text("no sound")
    (tmp_path / "sounds.toml").write_text(SETTINGS)
    return tmp_path / "sounds.toml"


def by_name(listed: list[ListedClip]) -> dict[str, ListedClip]:
    return {one.path.stem: one for one in listed}


def test_names_tell_what_is_in_a_clip_and_what_nobody_knows(sources: Path) -> None:
    listed = by_name(read_sources(sources))
    assert listed["11-0-0"].labels == {"gunshot"}
    assert [listed["12-1-0"].labels, listed["12-1-0"].unsure] == [frozenset(), frozenset({"engine"})]
    assert [listed[name].background for name in ("12-1-0", "14-2-0")] == [False, True]
    assert "15-9-0" not in listed, "a class without an entry is left out"
    assert listed["rain-0"].labels == frozenset()


def test_a_recording_is_never_learnt_from_and_measured_on(sources: Path) -> None:
    splits: dict[str, set[str]] = {}
    listed = read_sources(sources)
    for one in listed:
        splits.setdefault(one.recording, set()).add(one.split)
    assert all(len(of_it) == 1 for of_it in splits.values())
    assert {one.split for one in listed if one.recording == "13"} == {"test"}, "fold 2 has it, and fold 1 and the field"
    assert by_name(listed)["14-2-0"].split == "val"
    assert by_name(listed)["dog"].split == "test"
    assert {"train", "val", "test"} == {one.split for one in listed if one.source == "field"}


def test_clips_are_read_at_the_networks_rate_and_silent_ones_left_out(sources: Path) -> None:
    sound(sources.parent / "elsewhere" / "dog.wav", peak=0)
    clips = load_clips(read_sources(sources))
    assert "elsewhere:dog" not in {clip.group for clip in clips}
    assert {clip.samples.size for clip in clips} == {16_000}
    assert {clip.label for clip in clips} == {"gunshot", None}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"gunshot", 1', '"cannon", 1', "cannon"),
        ("(?P<recording>\\d+)-(?P<class>\\d)", "(?P<class>\\d)", "recording"),
        ('folder = "city"', 'folder = "town"', "town"),
        ("left_out", "leave_out", "leave_out"),
        ("(?P<fold>\\d+)/", "(?P<fold>\\d+/", "regular expression"),
    ],
)
def test_a_mistake_is_named(sources: Path, old: str, new: str, named: str) -> None:
    text = sources.read_text()
    assert old in text
    sources.write_text(text.replace(old, new, 1))
    with pytest.raises(BadSources, match=named):
        read_sources(sources)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSources, match=r"absent\.toml"):
        read_sources(tmp_path / "absent.toml")


def test_the_file_that_the_shipped_weights_were_made_with_loads_and_states_every_licence() -> None:
    file = REPOSITORY / "configs" / "sounds.toml"
    settings = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), SoundSources)
    assert all(source.licence for source in settings.sources.values())
    assert {"belize", "gabon", "scikit_maad", "board"} == {
        name for name, source in settings.sources.items() if source.left_out
    }
