"""The doctor asks a real InfluxDB not only whether it answers, but whether detections could be written to it."""

from pathlib import Path

import pytest

from tests.influx_server import Influx
from wildpost.doctor import Diagnosis, diagnose


def detection_store(folder: Path, url: str, write_path: str, database: str) -> Diagnosis:
    where = f'url = "{url}"\ndatabase = "{database}"\nwrite_path = "{write_path}"\n'
    (folder / "server.toml").write_text(f'[store]\nkind = "influxdb"\n[store.influxdb]\n{where}')
    found = {finding.subject: finding for finding in diagnose(folder, None, folder / "server.toml")}
    return found["detection store"]


@pytest.mark.parametrize("write_path", ["v1", "v2"])
def test_a_server_that_takes_writes_is_good_and_keeps_nothing_of_the_question(
    influx: Influx, tmp_path: Path, write_path: str
) -> None:
    database = influx.new_database()
    assert detection_store(tmp_path, influx.url, write_path, database).state == "good"
    assert b"series" not in influx.ask("SHOW MEASUREMENTS", database)
    influx.drop(database)


def test_a_server_of_1_6_without_the_newer_path_is_named_with_the_mend(influx: Influx, tmp_path: Path) -> None:
    database = influx.new_database()
    finding = detection_store(tmp_path, influx.direct_url, "v2", database)
    assert finding.state == "broken"
    assert 'write_path = "v1"' in finding.detail
    influx.drop(database)
