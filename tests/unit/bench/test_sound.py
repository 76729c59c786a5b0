from pathlib import Path

from bench.sound import make_recording
from captures.sound import sound_info


def test_the_recording_to_measure_on_is_a_recorders(tmp_path: Path) -> None:
    made = sound_info(make_recording(tmp_path / "a.flac", 3))
    assert (made.rate_hz, made.channels, made.duration_s, made.format) == (48_000, 1, 3.0, "FLAC")
