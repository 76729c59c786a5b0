import json

import pytest

from bench.ingest import Runs, summarise
from bench.ingest_contestants import Load, Result, measure_progress
from bench.report import Report, run_bench


def test_a_run_whose_messages_were_all_there_at_the_first_look_has_no_rate() -> None:
    result = measure_progress(lambda: 1000, 1000)
    assert result.messages == 0
    assert (result.rate, result.processor_us) == (None, None)


def test_a_run_is_timed_from_the_first_messages_to_the_last() -> None:
    counts = iter([0, 0, 200, 200, 700, 1000])
    result = measure_progress(lambda: next(counts), 1000, interval_s=0.02)
    assert result.messages == 800
    assert result.seconds >= 0.04
    assert result.rate == pytest.approx(800 / result.seconds)


def test_a_run_that_does_not_end_in_time_gives_what_there_is() -> None:
    counts = iter([300])
    result = measure_progress(lambda: next(counts, 500), 1000, interval_s=0.01, timeout_s=0.1)
    assert result.messages == 200


def test_a_run_without_a_message_fails_in_time() -> None:
    with pytest.raises(TimeoutError, match="no message was received within"):
        measure_progress(lambda: 0, 1000, timeout_s=0.05)


def test_rounds_in_which_nothing_arrived_in_the_window_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    nothing, slow, fast = Result(0, 0.0, 0.0), Result(1000, 2.0, 0.1), Result(1000, 0.5, 0.05)
    runs = Runs({"paho": Load(), "duckdb": Load()}, {"paho": [nothing, slow, slow], "duckdb": [fast, None, fast]}, {})

    def measure(report: Report) -> bool:
        summarise(runs, 1000, report)
        return True

    assert run_bench("ingest", measure) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["ratios"] == {
        "duckdb / paho": 4,
        "influxdb / paho": None,
        "two workers / one": None,
        "duckdb / Node-RED": None,
        "influxdb / Node-RED": None,
    }
    assert line["raw"]["duckdb"] == {"messages_s": 2000, "processor_us": 50}


def test_a_quick_run_in_which_nothing_arrived_in_any_window_has_no_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    loads = {"paho": Load(), "duckdb": Load(), "duckdb, 10 detections": Load(detections=10), "influxdb": Load()}
    runs = Runs(loads, {name: [Result(0, 0.0, 0.0)] for name in loads}, {1: [None], 2: [None]}, [(None, 7)])

    def measure(report: Report) -> bool:
        summarise(runs, 1000, report)
        return True

    assert run_bench("ingest", measure) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(line["ratios"].values()) == {None}
    assert line["raw"]["node_red"] == {"messages_s": None, "stored": 7}
