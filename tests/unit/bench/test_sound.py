import json
from pathlib import Path

import pytest

from bench.report import Report, run_bench
from bench.sound import Result, make_recording, summarise
from captures.sound import sound_info


def test_the_recording_to_measure_on_is_a_recorders(tmp_path: Path) -> None:
    made = sound_info(make_recording(tmp_path / "a.flac", 3))
    assert (made.rate_hz, made.channels, made.duration_s, made.format) == (48_000, 1, 3.0, "FLAC")


def test_ratios_to_an_absent_peer_and_to_a_failed_run_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    ours: Result = {"heard_s": 60.0, "seconds": 0.5}
    results: dict[str, list[Result | None]] = {
        "ours_1": [ours],
        "ours_2": [ours],
        "litert_1": [{"heard_s": 30.0, "seconds": 0.5}],
        "litert_2": [None],
    }

    def measure(report: Report) -> bool:
        summarise(results, report, {})
        return True

    assert run_bench("sound", measure) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["ratios"] == {
        "litert_1_core": 2,
        "litert_2_core": None,
        "birdnetlib_1_core": None,
        "birdnetlib_2_core": None,
    }
    assert line["raw"]["litert_2"] == {"times_real_time": [None]}
