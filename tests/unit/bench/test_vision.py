import json

import pytest

from bench.report import Report, run_bench
from bench.vision import box_agreement, summarise

LEFT, RIGHT = [0.0, 0.0, 0.4, 0.4], [0.6, 0.6, 1.0, 1.0]


def test_boxes_agree_when_most_of_their_area_is_common() -> None:
    shifted = [0.05, 0.0, 0.45, 0.4]
    assert box_agreement([[LEFT, RIGHT]], [[RIGHT, shifted]]) == 1
    assert box_agreement([[LEFT], []], [[RIGHT], []]) == 0
    assert box_agreement([[]], [[]]) == 1


def test_ratios_to_an_absent_peer_and_to_a_failed_run_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    rates: dict[str, list[float | None]] = {
        f"{name}_{cores}": [rate, None if name == "read" else rate]
        for name, rate in {"openvino": 20.0, "onnxruntime": 10.0, "read": 40.0, "network": 40.0}.items()
        for cores in (1, 2)
    }

    def measure(report: Report) -> bool:
        summarise(rates, None, [2.0, 2.5], report)
        return True

    assert run_bench("vision", measure) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["ratios"] == {
        f"{name}_{cores}_core": ratio
        for name, ratio in {"onnxruntime": 2, "limit": 1, "ultralytics_onnx": None}.items()
        for cores in (1, 2)
    }
    assert line["raw"]["pictures_per_second"]["limit_1"] == [20, None]
