import hashlib
import json
from pathlib import Path

import pytest

from bench.latency import RULES, Timings, capture, percentile, summarise
from bench.report import Report, run_bench
from contract import decode, encode, topic_of
from contract.messages import Location
from ingest.media.content_type import check_type
from wildpost.settings.loader import load_settings
from wildpost.settings.server import ServerSettings


def test_a_percentile_is_the_least_value_that_enough_do_not_pass() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.99), percentile(values, 0.5), percentile(values, 1)) == (99, 50, 100)
    assert percentile([3.0], 0.99) == 3


@pytest.mark.parametrize(("person", "kind"), [(True, "human"), (False, "animal")])
def test_a_simulated_capture_is_what_the_server_reads(person: bool, kind: str) -> None:
    event, thumbnail = capture("station-007", Location(latitude=31.07, longitude=117.0), person)
    assert [found.observation_type for found in event.detections] == [kind]
    assert event.media[0].sha256 == hashlib.sha256(thumbnail.data).hexdigest() == thumbnail.sha256
    assert decode(topic_of("wildpost", "station-007", "event"), encode(event)) == event
    assert decode(topic_of("wildpost", "station-007", "media"), encode(thumbnail)) == thumbnail
    check_type(thumbnail)


def test_latencies_are_those_of_what_arrived_and_the_rest_is_counted_as_missing() -> None:
    timings = Timings()
    timings.published = {"person": 1.0, "deer": 2.0}
    timings.persons = {"person"}
    timings.listed = {"person": 1.5}
    assert not timings.complete
    assert timings.latencies() == {"visible": [0.5], "alerted": []}
    assert timings.missing() == {"visible": 1, "alerted": 1}
    timings.listed |= {"deer": 2.25}
    timings.alerted["person"] = 1.75
    assert timings.complete
    assert timings.latencies() == {"visible": [0.5, 0.25], "alerted": [0.75]}
    assert timings.missing() == {"visible": 0, "alerted": 0}


def test_a_store_on_which_nothing_arrived_has_no_percentiles(capsys: pytest.CaptureFixture[str]) -> None:
    timings = Timings()
    timings.published, timings.persons = {"person": 1.0}, {"person"}

    def measure(report: Report) -> bool:
        summarise({"duckdb": timings}, 20, 10.0, report)
        return True

    run_bench("latency", measure)
    raw = json.loads(capsys.readouterr().out.splitlines()[-1])["raw"]
    nothing = {"count": 0, "missing": 1, "p50": None, "p99": None, "longest": None}
    assert (raw["duckdb_visible_s"], raw["duckdb_alerted_s"]) == (nothing, nothing)


def test_the_benchmarks_rules_are_settings_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text(RULES)
    settings = load_settings(path, ServerSettings)
    assert settings.alerts.mqtt.enabled
    assert settings.alerts.policy.cooldown_minutes == 0
