"""How long from a station's publishing until a capture is on the review pages, and until the alert is out.

`python -m bench.latency [--quick] [--stations N] [--seconds S] [--every S]`. Each simulated station has its own line to
a real Mosquitto and publishes a capture with its thumbnail every few seconds, one in five of a person; `wildpost serve`
stores, judges and tells by the alert topic. One clock measures all: a capture is visible when `/api/events` lists it,
asked without pause, and told when its alert arrives. Every flagged capture is made an incident of its own.
"""

import argparse
import contextlib
import hashlib
import json
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.breaking import Process, mosquitto_program
from bench.faults import open_influx
from bench.report import report
from contract import Event, MediaContent, encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.messages import Location
from tests.conftest import Mosquitto, free_port

THUMBNAIL_BYTES = 20_000
PERSON_EVERY = 5
LISTED = 200
PATIENCE_S = 60.0
RULES = """
[incidents]
gap_minutes = 0.001
reach_m = 1
[alerts.policy]
cooldown_minutes = 0
[alerts.mqtt]
enabled = true
[[rules.rule]]
name = "person"
severity = "urgent"
observation_types = ["human"]
"""


def capture(station: int, person: bool) -> tuple[Event, MediaContent]:
    """Make what a station sends of one picture: the event, and its thumbnail of random bytes."""
    seen = next(one for one in EVENT.detections if (one.observation_type == "human") == person)
    content = random.randbytes(THUMBNAIL_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    thumbnail = next(one for one in EVENT.media if one.role == "thumbnail")
    event = msgspec.structs.replace(
        EVENT,
        event_id=new_event_id(),
        station=f"station-{station:03}",
        captured_at=datetime.now(UTC),
        location=Location(latitude=31 + station / 100, longitude=117.0),
        detections=(msgspec.structs.replace(seen, ordinal=0),),
        media=(msgspec.structs.replace(thumbnail, sha256=digest, size=len(content)),),
    )
    return event, MediaContent(
        event_id=event.event_id,
        station=event.station,
        sha256=digest,
        type="image/jpeg",
        role="thumbnail",
        data=content,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Take the value that this share of the values does not pass."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


class Clock:
    """When each capture was published, first listed, and told; in seconds of one clock."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.persons: set[str] = set()
        self.listed: dict[str, float] = {}
        self.told: dict[str, float] = {}

    def list_(self, ids: Sequence[str]) -> None:
        """Note what is visible now."""
        now = time.perf_counter()
        for one in ids:
            self.listed.setdefault(one, now)

    def tell(self, event_id: str) -> None:
        """Note an alert."""
        self.told.setdefault(event_id, time.perf_counter())

    @property
    def complete(self) -> bool:
        """Whether all is visible and told."""
        return self.published.keys() <= self.listed.keys() and self.persons <= self.told.keys()

    def latencies(self) -> dict[str, list[float]]:
        """Give the seconds until each was visible, and until each was told.

        Raises:
            AssertionError: something never came.
        """
        assert self.complete, (
            f"{len(self.published.keys() - self.listed.keys())} of {len(self.published)} captures never became "
            f"visible, {len(self.persons - self.told.keys())} of {len(self.persons)} alerts never came"
        )
        return {
            "visible": [self.listed[one] - at for one, at in self.published.items()],
            "told": [self.told[one] - self.published[one] for one in self.persons],
        }


def look(url: str, clock: Clock, stop: threading.Event) -> None:
    """Ask the review API for the newest captures again and again."""
    while not stop.is_set():
        with urllib.request.urlopen(f"{url}api/events?limit={LISTED}", timeout=30) as answer:  # noqa: S310, ours
            clock.list_([event["event_id"] for event in json.load(answer)["events"]])
        stop.wait(0.01)


def listen(port: int, clock: Clock) -> mqtt.Client:
    """Hear the alerts."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    ready = threading.Event()
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _, __, message: clock.tell(json.loads(message.payload)["event_id"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("wildpost/alerts/#", qos=1)
    assert ready.wait(30)
    return client


def stations_publish(port: int, clock: Clock, stations: int, seconds: float, every_s: float) -> None:
    """Let every station publish in its turn, each from its own client."""
    clients = []
    for number in range(stations):
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"station-{number:03}")
        client.connect("127.0.0.1", port)
        client.loop_start()
        clients.append(client)
    chance = random.Random(5)
    due = sorted(
        (at + turn * every_s, number)
        for number, at in enumerate(chance.uniform(0, every_s) for _ in range(stations))
        for turn in range(int(seconds / every_s))
    )
    began = time.perf_counter()
    for count, (at, number) in enumerate(due):
        event, thumbnail = capture(number, count % PERSON_EVERY == 0)
        time.sleep(max(0.0, began + at - time.perf_counter()))
        clock.published[event.event_id] = time.perf_counter()
        if count % PERSON_EVERY == 0:
            clock.persons.add(event.event_id)
        clients[number].publish(topic_of("wildpost", event.station, "event"), encode(event), qos=1)
        clients[number].publish(topic_of("wildpost", event.station, "media"), encode(thumbnail), qos=1)
    until = time.perf_counter() + PATIENCE_S
    while not clock.complete and time.perf_counter() < until:
        time.sleep(0.05)
    for client in clients:
        client.disconnect()
        client.loop_stop()


def measured(kind: str, stations: int, seconds: float, every_s: float) -> dict[str, list[float]]:
    """Run everything on one store: seconds until visible, and until told."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker")
        stack.callback(broker.kill)
        settings = f"[broker]\nport = {broker.port}\n[web]\nport = {free_port()}\n" + RULES
        if kind == "influxdb":
            influx = open_influx(folder / "influx")
            stack.callback(influx.stop)
            settings += f'[store]\nkind = "influxdb"\n[store.influxdb]\nurl = "{influx.url}"\n'
        (folder / "server.toml").write_text(settings)
        command = [sys.executable, "-m", "wildpost", "serve", str(folder / "server.toml"), "--data", str(folder)]
        server = Process(command, folder / "log")
        stack.callback(server.stop)
        until = time.monotonic() + 120
        while not (folder / "server.json").exists():
            assert time.monotonic() < until and server.ended is None, (folder / "log").read_text()
            time.sleep(0.1)
        url = json.loads((folder / "server.json").read_text())["url"]
        clock, stop = Clock(), threading.Event()
        hearing = listen(broker.port, clock)
        looking = threading.Thread(target=look, args=(url, clock, stop))
        looking.start()
        try:
            stations_publish(broker.port, clock, stations, seconds, every_s)
        finally:
            stop.set()
            looking.join()
            hearing.disconnect()
            hearing.loop_stop()
        if not clock.complete:
            print((folder / "log").read_text()[-8000:], file=sys.stderr)
        return clock.latencies()


def main() -> None:
    """Measure on both stores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 stations for 10 s")
    parser.add_argument("--store", choices=("duckdb", "influxdb"), action="append", help="one store alone")
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=90, help="how long they publish")
    parser.add_argument("--every", type=float, default=10, help="seconds between two captures of one station")
    told = parser.parse_args()
    stations, seconds, every_s = (20, 10.0, 2.0) if told.quick else (told.stations, told.seconds, told.every)
    rows: list[list[str]] = []
    raw: dict[str, Any] = {"stations": stations, "captures_a_second": stations / every_s}
    for kind in told.store or ("duckdb", "influxdb"):
        for what, values in measured(kind, stations, seconds, every_s).items():
            found = {
                "p50": statistics.median(values),
                "p99": percentile(values, 0.99),
                "longest": max(values),
            }
            rows.append([f"{kind}, {what}", str(len(values)), *(f"{1000 * one:.0f}" for one in found.values())])
            raw[f"{kind}_{what}_s"] = {"count": len(values)} | {name: round(one, 4) for name, one in found.items()}
    heading = ["from publish to", "captures", "p50 ms", "p99 ms", "longest ms"]
    report("latency", heading, rows, {}, raw)


if __name__ == "__main__":
    main()
