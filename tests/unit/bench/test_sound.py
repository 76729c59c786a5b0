import json
from pathlib import Path

import pytest

from bench.report import report
from bench.sound import make_recording
from captures.sound import sound_info


def test_a_benchmark_prints_a_table_and_one_json_line_last(capsys: pytest.CaptureFixture[str]) -> None:
    report("sound", ["what", "rate"], [["ours", "240 x"], ["LiteRT", "138 x"]], {"litert": 1.73913}, {"rounds": 3})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["what     rate", "ours    240 x", "LiteRT  138 x"]
    assert json.loads(lines[-1]) == {"bench": "sound", "ratios": {"litert": 1.739}, "raw": {"rounds": 3}}


def test_the_recording_to_measure_on_is_a_recorders(tmp_path: Path) -> None:
    made = sound_info(make_recording(tmp_path / "a.flac", 3))
    assert (made.rate_hz, made.channels, made.duration_s, made.format) == (48_000, 1, 3.0, "FLAC")
