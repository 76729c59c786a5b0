"""Latency from a station's publish to the review pages and to the alert.

`python -m bench.latency [--quick] [--stations N] [--seconds S] [--every S]`. Each simulated station has its own
connection to a real Mosquitto and publishes a capture with its thumbnail every few seconds, one in five of a person;
`wildpost serve` stores the captures, applies the rules and publishes alerts on the alert topic. One clock measures all:
a capture is visible when `/api/events`, which is polled without pause, lists it, and alerted when its alert arrives.
The settings make an incident of every flagged capture.
"""

import argparse
import contextlib
import hashlib
import json
import random
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.breaking import Process, mosquitto_program
from bench.ratios import cell, median_of
from bench.report import Report, run_bench
from bench.stores import available_stores, open_influx
from contract import Event, MediaContent, encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.messages import Location
from contract.mqtt import stop_network_thread
from tests.conftest import Mosquitto, free_port

THUMBNAIL_BYTES = 20_000
PERSON_EVERY = 5
LISTED = 200
TIMEOUT_S = 60.0
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


def capture(
    station: str, location: Location, person: bool, thumbnail_bytes: int = THUMBNAIL_BYTES
) -> tuple[Event, MediaContent]:
    """Return the messages for one picture: the event, and its thumbnail of random bytes after those of a JPEG."""
    seen = next(found for found in EVENT.detections if (found.observation_type == "human") == person)
    content = b"\xff\xd8\xff" + random.randbytes(thumbnail_bytes)
    digest = hashlib.sha256(content).hexdigest()
    thumbnail = next(media for media in EVENT.media if media.role == "thumbnail")
    event = msgspec.structs.replace(
        EVENT,
        event_id=new_event_id(),
        station=station,
        captured_at=datetime.now(UTC),
        location=location,
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
    """Return a percentile by the nearest-rank method."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


class Timings:
    """Times at which each capture was published, first listed and alerted, in seconds of the same clock."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.persons: set[str] = set()
        self.listed: dict[str, float] = {}
        self.alerted: dict[str, float] = {}

    def record_listed(self, ids: Sequence[str]) -> None:
        """Record the current time for captures that are listed for the first time."""
        now = time.perf_counter()
        for event_id in ids:
            self.listed.setdefault(event_id, now)

    def record_alert(self, event_id: str) -> None:
        """Record the time of the first alert of a capture."""
        self.alerted.setdefault(event_id, time.perf_counter())

    @property
    def complete(self) -> bool:
        """Whether all captures are listed and all alerts have arrived."""
        return self.published.keys() <= self.listed.keys() and self.persons <= self.alerted.keys()

    def latencies(self) -> dict[str, list[float]]:
        """Return the seconds from the publication of each capture to its listing and to its alert.

        Captures that were never listed and alerts that never arrived are left out.
        """
        return {
            "visible": [self.listed[one] - at for one, at in self.published.items() if one in self.listed],
            "alerted": [self.alerted[one] - self.published[one] for one in self.persons if one in self.alerted],
        }

    def missing(self) -> dict[str, int]:
        """Return the number of captures that were never visible, and of alerts that never arrived."""
        return {
            "visible": len(self.published.keys() - self.listed.keys()),
            "alerted": len(self.persons - self.alerted.keys()),
        }


def poll_events(url: str, timings: Timings, stop: threading.Event) -> None:
    """Poll the review API for the newest captures until ``stop`` is set."""
    while not stop.is_set():
        # A busy server may not answer in time; what is listed is read with the next request.
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}api/events?limit={LISTED}", timeout=30) as answer,  # noqa: S310, ours
        ):
            timings.record_listed([event["event_id"] for event in json.load(answer)["events"]])
        stop.wait(0.01)


def subscribe_alerts(port: int, timings: Timings) -> mqtt.Client:
    """Return a client that subscribes to the alerts and records their times."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    ready = threading.Event()
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _, __, message: timings.record_alert(json.loads(message.payload)["event_id"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("wildpost/alerts/#", qos=1)
    assert ready.wait(30)
    return client


def connected_client(port: int, client_id: str = "", max_inflight: int = 20) -> mqtt.Client:
    """Return a client that is connected to a broker on this machine, with its network loop in a thread."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
    client.max_inflight_messages_set(max_inflight)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def stations_publish(port: int, timings: Timings, stations: int, seconds: float, every_s: float) -> None:
    """Publish the captures of all stations on schedule, each station with its own client."""
    clients = [connected_client(port, f"station-{number:03}") for number in range(stations)]
    chance = random.Random(5)
    due = sorted(
        (at + turn * every_s, number)
        for number, at in enumerate(chance.uniform(0, every_s) for _ in range(stations))
        for turn in range(int(seconds / every_s))
    )
    began = time.perf_counter()
    for count, (at, number) in enumerate(due):
        location = Location(latitude=31 + number / 100, longitude=117.0)
        event, thumbnail = capture(f"station-{number:03}", location, count % PERSON_EVERY == 0)
        time.sleep(max(0.0, began + at - time.perf_counter()))
        timings.published[event.event_id] = time.perf_counter()
        if count % PERSON_EVERY == 0:
            timings.persons.add(event.event_id)
        clients[number].publish(topic_of("wildpost", event.station, "event"), encode(event), qos=1)
        clients[number].publish(topic_of("wildpost", event.station, "media"), encode(thumbnail), qos=1)
    until = time.perf_counter() + TIMEOUT_S
    while not timings.complete and time.perf_counter() < until:
        time.sleep(0.05)
    for client in clients:
        client.disconnect()
        stop_network_thread(client)


@contextlib.contextmanager
def running_server(folder: Path, broker_port: int, settings: str) -> Iterator[str]:
    """Run `wildpost serve` with its data and log in a folder during the ``with`` block; yield the URL of its pages."""
    data = folder / "data"
    ports = f"[broker]\nport = {broker_port}\n[web]\nport = {free_port()}\n"
    (folder / "server.toml").write_text(ports + settings)
    command = [sys.executable, "-m", "wildpost", "serve", str(folder / "server.toml"), "--data", str(data)]
    server = Process(command, folder / "log")
    try:
        until = time.monotonic() + 120
        while not (data / "server.json").exists():
            assert time.monotonic() < until and server.ended is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield json.loads((data / "server.json").read_text())["url"]
    finally:
        server.stop()


def port_of(url: str) -> int:
    """Return the port in the URL that ``running_server`` yields."""
    return int(url.rstrip("/").rpartition(":")[2])


def measured(kind: str, stations: int, seconds: float, every_s: float) -> Timings:
    """Run the benchmark on one store; return the times of its captures."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker")
        stack.callback(broker.kill)
        settings = RULES
        if kind == "influxdb":
            influx = open_influx(folder / "influx")
            stack.callback(influx.stop)
            settings += f'[store]\nkind = "influxdb"\n[store.influxdb]\nurl = "{influx.url}"\n'
        url = stack.enter_context(running_server(folder, broker.port, settings))
        timings, stop = Timings(), threading.Event()
        subscriber = subscribe_alerts(broker.port, timings)
        poller = threading.Thread(target=poll_events, args=(url, timings, stop))
        poller.start()
        try:
            stations_publish(broker.port, timings, stations, seconds, every_s)
        finally:
            stop.set()
            poller.join()
            subscriber.disconnect()
            stop_network_thread(subscriber)
        if not timings.complete:
            print((folder / "log").read_text()[-8000:], file=sys.stderr)
        return timings


def main() -> int:
    """Measure the latencies on both stores and print them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 stations for 10 s")
    parser.add_argument("--store", choices=("duckdb", "influxdb"), action="append", help="one store only (repeatable)")
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=90, help="duration of the run")
    parser.add_argument("--every", type=float, default=10, help="seconds between two captures of one station")
    chosen = parser.parse_args()
    return run_bench("latency", lambda report: _measure(chosen, report))


def _measure(chosen: argparse.Namespace, report: Report) -> bool:
    stations, seconds, every_s = (20, 10.0, 2.0) if chosen.quick else (chosen.stations, chosen.seconds, chosen.every)
    found = {
        kind: report.attempt(kind, measured, kind, stations, seconds, every_s)
        for kind in available_stores(chosen.store, report)
    }
    timings_by_store = {kind: timings for kind, timings in found.items() if timings}
    summarise(timings_by_store, stations, stations / every_s, report)
    return not any(sum(timings.missing().values()) for timings in timings_by_store.values())


def summarise(timings_by_store: dict[str, Timings], stations: int, captures_a_second: float, report: Report) -> None:
    """Compute the percentiles of the latencies, and store them in the report."""
    rows: list[list[str]] = []
    raw: dict[str, Any] = {"stations": stations, "captures_a_second": captures_a_second}
    for kind, timings in timings_by_store.items():
        missing = timings.missing()
        for what, values in timings.latencies().items():
            found = {
                "p50": median_of(values),
                "p99": percentile(values, 0.99) if values else None,
                "longest": max(values, default=None),
            }
            cells = [cell(None if value is None else 1000 * value, ".0f") for value in found.values()]
            rows.append([f"{kind}, {what}", str(len(values)), str(missing[what]), *cells])
            raw[f"{kind}_{what}_s"] = {"count": len(values), "missing": missing[what]} | {
                name: None if value is None else round(value, 4) for name, value in found.items()
            }
    report.results(["from publish to", "captures", "missing", "p50 ms", "p99 ms", "longest ms"], rows, {}, raw)


if __name__ == "__main__":
    sys.exit(main())
