from pathlib import Path

import pytest

from bench.report import Report
from bench.stores import available_stores, open_influx


def test_without_influxdb_the_benchmark_goes_on_with_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    report = Report("trends")
    assert available_stores(None, report) == ["duckdb"]
    assert "influxd" in report.missing["InfluxDB"]
    assert available_stores(["influxdb"], report) == []
    with pytest.raises(FileNotFoundError, match="influxd"):
        open_influx(tmp_path / "influx")
