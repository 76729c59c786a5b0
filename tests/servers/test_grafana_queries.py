"""Every query of the Grafana dashboards, as Grafana sends it, against a real InfluxDB with real records in it."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from casebook.verdicts import Verdict
from contract import encode
from contract.examples import BLANK_EVENT, EFFORT, EVENT, HEALTH, SOUND_EVENT, STATUS
from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import Received
from tests.effort_messages import effort_of
from tests.influx_server import Influx
from tests.repository import REPOSITORY

GRAFANA = REPOSITORY / "configs" / "grafana"
NOW: datetime = EVENT.captured_at + timedelta(hours=1)


def dashboards() -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text()) for file in sorted((GRAFANA / "dashboards").glob("*.json"))}


def queries() -> Iterator[Any]:
    for name, dashboard in dashboards().items():
        for variable in dashboard["templating"]["list"]:
            yield pytest.param(variable["query"], id=f"{name} ${variable['name']}")
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield pytest.param(target["query"], id=f"{name} {panel['id']}{target['refId']}")


@pytest.fixture(scope="module")
def link(influx: Influx) -> Iterator[InfluxConnection]:
    options = InfluxOptions(url=influx.url, database=influx.new_database())
    store = InfluxDbStore(options)
    records = (EVENT, SOUND_EVENT, BLANK_EVENT, HEALTH, EFFORT, STATUS)
    store.write([Received(record, encode(record), NOW) for record in records])
    store.apply_verdicts([Verdict(EVENT.event_id, 0, "corrected", "animal", "野猪", None, "ranger", NOW)])
    store.close()
    link = InfluxConnection(options, "")
    yield link
    link.close()
    influx.drop(options.database)


def as_grafana_sends_it(query: str) -> str:
    """Fill in what Grafana fills in: the time asked for, the interval, and all values of a variable."""
    first, last = (int((NOW + timedelta(days=days)).timestamp() * 1000) for days in (-7, 1))
    return _filled(query, first, last)


def _filled(query: str, first: int, last: int) -> str:
    filled = query.replace("$timeFilter", f"time >= {first}ms and time <= {last}ms").replace("$__interval", "30m")
    filled = re.sub(r"\$\{\w+:regex\}", "(lake-07|marsh-02|Sus scrofa|animal|Botaurus stellaris)", filled)
    assert "$" not in re.sub(r"\$/", "", filled), f"a variable that this test does not know: {filled}"
    return filled


@pytest.mark.parametrize("query", list(queries()))
def test_every_query_is_answered_with_something(link: InfluxConnection, query: str) -> None:
    series = link.query(as_grafana_sends_it(query))
    assert any(row for one in series for row in one.rows)


def test_the_activity_is_what_people_decided(link: InfluxConnection) -> None:
    query = next(panel for panel in dashboards()["activity"]["panels"] if panel["id"] == 2)["targets"][0]["query"]
    counted = {one.tags["taxon"]: one.rows[0]["sum"] for one in link.query(as_grafana_sends_it(query))}
    assert counted == {"Sus scrofa": 1, "animal": 1, "Botaurus stellaris": 1}


def test_a_local_day_of_two_sensors_is_24_hours_for_each(influx: Influx) -> None:
    options = InfluxOptions(url=influx.url, database=influx.new_database())
    store, link = InfluxDbStore(options), InfluxConnection(options, "")
    midnight = datetime(2026, 11, 27, tzinfo=ZoneInfo("Asia/Shanghai"))
    hours = [midnight + timedelta(hours=hour) for hour in range(24)]
    records = [
        effort_of(at, at + timedelta(hours=1), station="lake-07", sensor=sensor)
        for sensor in ("camera", "microphone")
        for at in hours
    ]
    store.write([Received(record, encode(record), NOW) for record in records])
    store.close()
    query = dashboards()["effort"]["panels"][0]["targets"][0]["query"]
    span = [int((midnight + timedelta(days=days)).timestamp() * 1000) for days in (-1, 2)]
    series = link.query(_filled(query, *span))
    found = {one.tags["sensor"]: [(row["time"], row["sum"]) for row in one.rows] for one in series}
    day = [(int(midnight.timestamp()) * 1_000_000_000, 86_400)]
    assert found == {"camera": day, "microphone": day}
    link.close()
    influx.drop(options.database)


def test_every_sum_by_time_is_in_the_time_zone_of_its_dashboard() -> None:
    for dashboard in dashboards().values():
        zone = f"tz('{dashboard['timezone']}')"
        queries = [target["query"] for panel in dashboard["panels"] for target in panel["targets"]]
        assert all(query.endswith(zone) for query in queries if "GROUP BY time(" in query)


def test_every_panel_reads_from_the_provisioned_source() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "wildpost.yaml").read_text())["datasources"][0]
    for dashboard in dashboards().values():
        used = [*dashboard["templating"]["list"], *dashboard["panels"]]
        used += [target for panel in dashboard["panels"] for target in panel["targets"]]
        assert {one["datasource"]["uid"] for one in used} == {source["uid"]}
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert len({dashboard["uid"] for dashboard in dashboards().values()}) == len(dashboards()) == 3
