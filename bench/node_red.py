"""Node-RED as a contestant of `bench.ingest`; its flow writes one InfluxDB point for each received detection."""

import json
import time
from pathlib import Path

from bench.breaking import Process
from bench.ratios import ratio
from tests.conftest import free_port
from tests.influx_server import Influx

CLIENT = "node-red"
START_S = 120.0  # on a busy machine; a few seconds on a quiet one
QUIET_S = 15.0
Node = dict[str, object]
# Captures of a burst have the same time; without distinct timestamps their points would overwrite each other.
POINTS = """
const event = JSON.parse(msg.payload.toString());
const made = (context.get('made') || 0) + 1;
context.set('made', made);
const at = BigInt(Date.parse(event.captured_at)) * 1000000n + BigInt(made);
msg.payload = event.detections.map(found => ({
    measurement: 'detection',
    timestamp: at.toString(),
    tags: { station: event.station, sensor: event.sensor, ordinal: String(found.ordinal), label: found.label },
    fields: { event_id: event.event_id, confidence: found.confidence },
}));
return msg;
"""


def flow(broker_port: int, influx_port: int, database: str) -> list[Node]:
    """Return the nodes of the Node-RED flow from MQTT to InfluxDB, with their connections."""
    broker: Node = {
        "id": "broker",
        "type": "mqtt-broker",
        "broker": "127.0.0.1",
        "port": str(broker_port),
        "clientid": CLIENT,
        "autoConnect": True,
        "protocolVersion": "4",
        "keepalive": "60",
        "cleansession": False,
    }
    database_: Node = {
        "id": "influx",
        "type": "influxdb",
        "hostname": "127.0.0.1",
        "port": str(influx_port),
        "protocol": "http",
        "database": database,
        "name": database,
        "influxdbVersion": "1.x",
        "usetls": False,
    }
    tab: Node = {"id": "flow", "type": "tab", "label": "wildpost"}
    subscriber: Node = {
        "id": "in",
        "type": "mqtt in",
        "z": "flow",
        "topic": "wildpost/#",
        "qos": "1",
        "datatype": "buffer",
        "broker": "broker",
        "inputs": 0,
        "wires": [["points"]],
    }
    points: Node = {"id": "points", "type": "function", "z": "flow", "func": POINTS, "outputs": 1, "wires": [["out"]]}
    out: Node = {
        "id": "out",
        "type": "influxdb batch",
        "z": "flow",
        "influxdb": "influx",
        "precision": "",
        "retentionPolicy": "",
        "wires": [],
    }
    return [tab, broker, database_, subscriber, points, out]


def count_points(influx: Influx, database: str) -> int:
    """Return the number of points in the InfluxDB database."""
    answer = json.loads(influx.ask('SELECT count("confidence") FROM "detection"', database))
    series = answer["results"][0].get("series")
    return int(series[0]["values"][0][1]) if series else 0


def run(packages: Path, folder: Path, broker_port: int, influx: Influx, count: int) -> tuple[float | None, int]:
    """Run Node-RED until it has stored the messages queued in its session.

    Returns:
        Points per second between the first and the last one seen (None if all were seen at once), and the final number
        of points.

    Raises:
        RuntimeError: it ended, or stored nothing.
    """
    folder.mkdir()
    database = influx.new_database()
    influx.ask(f'CREATE DATABASE "{database}"')
    flows = flow(broker_port, int(influx.direct_url.rsplit(":", 1)[1]), database)
    (folder / "flows.json").write_text(json.dumps(flows))
    port = free_port()
    (folder / "settings.js").write_text(
        f"module.exports = {{ uiPort: {port}, uiHost: '127.0.0.1', flowFile: 'flows.json', "
        f"nodesDir: {json.dumps(str(packages / 'node_modules' / 'node-red-contrib-influxdb'))}, "
        "telemetry: { enabled: false }, logging: { console: { level: 'info' } } };\n"
    )
    program = packages / "node_modules" / "node-red" / "red.js"
    command = ["node", str(program), "--userDir", str(folder), "--settings", str(folder / "settings.js")]
    running = Process(command, folder / "log")
    try:
        first, first_at, last, last_at = 0, 0.0, 0, time.perf_counter() + START_S
        while last < count and time.perf_counter() < last_at + QUIET_S:
            if running.ended is not None:
                raise RuntimeError(f"Node-RED ended with {running.ended}: {(folder / 'log').read_text()[-2000:]}")
            now = count_points(influx, database)
            if now > last:
                last, last_at = now, time.perf_counter()
                if not first:
                    first, first_at = last, last_at
            time.sleep(0.1)
        if not first:
            raise RuntimeError(f"Node-RED stored nothing: {(folder / 'log').read_text()[-2000:]}")
        return ratio(last - first, last_at - first_at) or None, last
    finally:
        running.kill()
