import json

import pytest

from bench.load import LoadMeter
from bench.report import Report, run_bench


def line_of(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_a_benchmark_prints_a_table_and_one_json_line_last(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(report: Report) -> bool:
        report.results(["what", "rate"], [["ours", "240 x"], ["LiteRT", "138 x"]], {"litert": 1.73913}, {"rounds": 3})
        return True

    assert run_bench("sound", measure) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["what     rate", "ours    240 x", "LiteRT  138 x"]
    result = json.loads(lines[-1])
    assert isinstance(result.pop("busy"), bool)
    assert result.pop("load").keys() == {"others_cpu", "load_average_at_start"}
    assert result == {
        "bench": "sound",
        "ratios": {"litert": 1.739},
        "missing": {},
        "failed": {},
        "raw": {"rounds": 3},
    }


def test_a_failed_part_does_not_stop_the_others_and_is_named_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> float:
        raise TimeoutError("several lines:\nno message was received")

    def measure(report: Report) -> bool:
        rates = [report.attempt("paho", fail), report.attempt("duckdb", lambda: 2.0)]
        report.results(["rate"], [], {"duckdb / paho": None}, {"rates": rates})
        return True

    assert run_bench("ingest", measure) == 1
    result = line_of(capsys)
    assert (result["ratios"], result["raw"]) == ({"duckdb / paho": None}, {"rates": [None, 2.0]})
    assert result["failed"] == {"paho": "TimeoutError: no message was received"}


def test_a_benchmark_that_raises_after_its_results_still_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(report: Report) -> bool:
        report.results(["rate"], [["5"]], {"peer": 2.0}, {})
        raise OSError("the temporary folder is not empty")

    assert run_bench("latency", measure) == 1
    result = line_of(capsys)
    assert result["ratios"] == {"peer": 2.0}
    assert result["failed"] == {"latency": "OSError: the temporary folder is not empty"}


def test_a_benchmark_without_results_prints_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(report: Report) -> bool:
        raise ZeroDivisionError

    assert run_bench("trends", measure) == 1
    assert line_of(capsys)["failed"] == {"trends": "ZeroDivisionError: "}


def test_wrong_results_end_with_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench("faults", lambda report: False) == 1
    assert line_of(capsys)["failed"] == {}


def test_a_missing_peer_is_said_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(report: Report) -> bool:
        report.missing["Node-RED"] = "Node.js is not installed"
        report.results(["rate"], [], {"duckdb / Node-RED": None}, {})
        return True

    assert run_bench("ingest", measure) == 0
    output = capsys.readouterr().out
    assert "not compared with Node-RED: Node.js is not installed" in output
    assert json.loads(output.splitlines()[-1])["missing"] == {"Node-RED": "Node.js is not installed"}


def test_numbers_that_json_does_not_have_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(report: Report) -> bool:
        report.results(["rate"], [], {"peer": float("inf")}, {"hours": [float("nan"), 1.5]})
        return True

    run_bench("threat", measure)
    result = line_of(capsys)
    assert (result["ratios"], result["raw"]) == ({"peer": None}, {"hours": [None, 1.5]})


def test_the_cpu_time_of_the_benchmark_is_not_that_of_others() -> None:
    meter = LoadMeter()
    sum(range(3_000_000))
    assert 0 <= meter.others() <= 1
