"""Latency of honest stations beside one that floods the server.

`python -m bench.honest_latency [--quick] [--flood KIND] [--stations N] [--seconds S]`. A real Mosquitto and
`wildpost serve`: twenty stations publish one capture with its thumbnail every two seconds, first alone, then beside a
station that publishes one kind of message as fast as the broker takes it (bench/flooding.py). A capture is visible when
`/api/events` lists it. What counts is the ratio of the two 99th percentiles. The flood, the broker and the pollers
share the processors with the server, which a thief's machine would not: the flood runs at the lowest priority.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from bench.breaking import mosquitto_program
from bench.flooding import FLOODS
from bench.latency import capture, connected_client, percentile, running_server
from bench.ratios import cell, median_of, ratio
from bench.report import Report, run_bench
from contract import Event, encode, topic_of
from contract.messages import Location
from contract.mqtt import stop_network_thread
from tests.conftest import Mosquitto

PLACE = Location(latitude=31.35, longitude=117.2)
TIMEOUT_S = 120.0
EVERY_S = 2.0  # between two captures of one station
POLLERS = 5
RULES = """
[[rules.rule]]
name = "person"
severity = "urgent"
observation_types = ["human"]
"""


@dataclass
class Watched:
    """Captures of honest stations: when each was published, and how long it took until it was listed."""

    published: dict[str, tuple[str, float]] = field(default_factory=dict)  # station and time by event id
    latencies_s: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, event: Event) -> None:
        """Record the publication of a capture."""
        with self.lock:
            self.published[event.event_id] = event.station, time.perf_counter()

    def stations_waiting(self) -> list[str]:
        """Return the stations with a capture that is not listed yet."""
        with self.lock:
            return sorted({station for station, _ in self.published.values()})

    def listed(self, ids: list[str]) -> None:
        """Record the captures that are listed now."""
        now = time.perf_counter()
        with self.lock:
            found = [self.published.pop(one) for one in ids if one in self.published]
            self.latencies_s += [now - at for _, at in found]

    def taken(self) -> list[float]:
        """Return the latencies recorded so far, and forget them."""
        with self.lock:
            found, self.latencies_s = self.latencies_s, []
            return found


def poll(url: str, watched: Watched, stop: threading.Event, part: int) -> None:
    """Ask for the newest captures of each station that has one under way, until ``stop`` is set.

    Several threads ask for a part of the stations each: a slow answer must not delay the look at other stations.
    """
    while not stop.wait(0.003):
        for station in [one for one in watched.stations_waiting() if int(one[-2:]) % POLLERS == part]:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{url}api/events?limit=5&station={station}", timeout=60) as answer,  # noqa: S310, ours
            ):
                watched.listed([event["event_id"] for event in json.load(answer)["events"]])


def publish(clients: list[mqtt.Client], watched: Watched, seconds: float) -> None:
    """Publish a capture and its thumbnail of each station every two seconds, the stations one after the other."""
    began = time.perf_counter()
    for turn in range(int(seconds / EVERY_S)):
        for number, client in enumerate(clients):
            time.sleep(max(0.0, began + EVERY_S * (turn + number / len(clients)) - time.perf_counter()))
            event, content = capture(f"honest-{number:02}", PLACE, person=False)
            watched.begin(event)
            client.publish(topic_of("wildpost", event.station, "event"), encode(event), qos=1)
            client.publish(topic_of("wildpost", event.station, "media"), encode(content), qos=1)
    until = time.perf_counter() + TIMEOUT_S
    while watched.stations_waiting() and time.perf_counter() < until:
        time.sleep(0.05)


def measured(kind: str, stations: int, seconds: float, settings: str = "") -> dict[str, Any]:
    """Measure one kind of flood; return the latencies in seconds, and what became of the flood."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker", "allow_anonymous true\nmax_inflight_messages 0\n")
        stack.callback(broker.kill)
        broker.save_seldom()
        url = stack.enter_context(running_server(folder, broker.port, settings + RULES))
        watched, stop = Watched(), threading.Event()
        pollers = [threading.Thread(target=poll, args=(url, watched, stop, part)) for part in range(POLLERS)]
        for poller in pollers:
            poller.start()
        clients = [connected_client(broker.port) for _ in range(stations)]
        try:
            publish(clients, watched, 3)  # warm up
            watched.taken()
            publish(clients, watched, seconds)
            quiet = watched.taken()
            flood = subprocess.Popen(
                [sys.executable, "-m", "bench.flooding", str(broker.port), kind, str(seconds)],
                stdout=subprocess.PIPE,
                text=True,
            )
            time.sleep(1)
            publish(clients, watched, seconds)
            sent = int(flood.communicate()[0])
            flooded = watched.taken()
        finally:
            stop.set()
            for poller in pollers:
                poller.join()
            for client in clients:
                client.disconnect()
                stop_network_thread(client)
        missing = len(watched.published)
        with urllib.request.urlopen(f"{url}healthz", timeout=60) as answer:  # noqa: S310, ours
            health = json.load(answer)
        return {"quiet": quiet, "flooded": flooded, "missing": missing, "sent": sent, "health": health}


def main() -> int:
    """Measure each kind of flood and print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two kinds of floods, 8 s each")
    parser.add_argument("--flood", choices=list(FLOODS), action="append", help="one kind only (repeatable)")
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20, help="duration of each measurement")
    chosen = parser.parse_args()
    return run_bench("honest_latency", lambda report: _measure(chosen, report))


def _measure(chosen: argparse.Namespace, report: Report) -> bool:
    kinds = chosen.flood or (["garbage", "flagged"] if chosen.quick else list(FLOODS))
    seconds = 8.0 if chosen.quick else chosen.seconds
    rows: list[list[str]] = []
    ratios: dict[str, float | None] = {}
    raw: dict[str, Any] = {"stations": chosen.stations, "seconds": seconds}
    complete = True
    for kind in kinds:
        found = report.attempt(kind, measured, kind, chosen.stations, seconds)
        if found is None:
            continue
        p99 = {when: percentile(found[when], 0.99) if found[when] else None for when in ("quiet", "flooded")}
        complete = complete and not found["missing"]
        ratios[f"{kind}: p99 flooded / quiet"] = ratio(p99["flooded"], p99["quiet"])
        for when in ("quiet", "flooded"):
            values = [median_of(found[when]), p99[when], max(found[when], default=None)]
            cells = [cell(None if value is None else 1000 * value, ".0f") for value in values]
            rows.append([f"{kind}, {when}", str(found["sent"] if when == "flooded" else 0), *cells])
        raw[kind] = {f"{when}_p99_s": p99[when] for when in p99} | {
            name: found[name] for name in ("sent", "missing", "health")
        }
    report.results(["flood", "flood messages", "p50 ms", "p99 ms", "longest ms"], rows, ratios, raw)
    return complete


if __name__ == "__main__":
    sys.exit(main())
