"""Memory of the server and the broker over a simulated day of 200 stations.

`python -m bench.soak [--quick] [--hours H] [--stations N] [--per-second M]`. A real Mosquitto and `wildpost serve`: the
stations publish M messages in each simulated second, half of them captures and half their thumbnails, with a health
report of each station every hour, as fast as the server stores them. One capture in twenty shows a person and is
flagged. After each simulated hour the pages are opened and the memory of all processes of the server is measured: the
proportional set size (PSS), which counts a page that processes share once. The ratio is the mean memory of the last
quarter of the day over that of the quarter before: 1 means that it has stopped growing.
"""

import argparse
import contextlib
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean

import msgspec

from bench.breaking import memory_mb, metric_total, mosquitto_program, process_on
from bench.latency import capture, connected_client, port_of, running_server
from bench.report import Report, run_bench
from contract import encode, topic_of
from contract.examples import HEALTH
from contract.messages import Location
from contract.mqtt import stop_network_thread
from tests.conftest import Mosquitto
from tests.eventually import eventually

PERSON_EVERY = 20
THUMBNAIL_BYTES = 2_000
CLIENTS = 8  # connections, which the stations share
AHEAD = 4_000  # messages that the broker may hold for the server
TIMEOUT_S = 600.0
PAGES = ("", "stations", "incidents", "trends", "quarantine", "healthz", "api/events?limit=200")
STORED = ("wildpost_records_stored_total", "wildpost_media_total")
# A day passes in minutes, so the budgets per hour must not apply.
SETTINGS = """
[budgets]
messages_per_hour = 100_000_000
megabytes_per_hour = 10_000_000
[[rules.rule]]
name = "person"
severity = "urgent"
observation_types = ["human"]
"""


@dataclass
class Day:
    """Memory in MB after each simulated hour, the first value before the first message, and what was sent and kept."""

    server_mb: list[float] = field(default_factory=list)
    broker_mb: list[float] = field(default_factory=list)
    sent: int = 0
    kept: int = 0
    seconds: float = 0.0


def messages(hour: int, begin: datetime, stations: int, per_second: float) -> Iterator[tuple[str, bytes]]:
    """Yield the messages of one simulated hour in order of time."""
    captures = int(per_second * 3600 / 2)
    for number in range(stations):
        station = f"soak-{number:03}"
        health = msgspec.structs.replace(HEALTH, station=station, at=begin + timedelta(hours=hour))
        yield topic_of("wildpost", station, "health"), encode(health)
    for number in range(captures):
        index = (number * 7919) % stations
        place = Location(latitude=31 + index / 100, longitude=117.2)
        event, content = capture(f"soak-{index:03}", place, number % PERSON_EVERY == 0, THUMBNAIL_BYTES)
        at = begin + timedelta(hours=hour + number / captures)
        event = msgspec.structs.replace(event, captured_at=at)
        yield topic_of("wildpost", event.station, "event"), encode(event)
        yield topic_of("wildpost", event.station, "media"), encode(content)


def simulate(hours: int, stations: int, per_second: float) -> Day:
    """Let the stations publish for some simulated hours; return the memory and the counts."""
    day = Day()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker", "allow_anonymous true\nmax_inflight_messages 0\n")
        stack.callback(broker.kill)
        broker.save_seldom()
        url = stack.enter_context(running_server(folder, broker.port, SETTINGS))
        port = port_of(url)
        server = process_on(port)
        publishers = [connected_client(broker.port, max_inflight=1_000) for _ in range(CLIENTS)]
        for one in publishers:
            stack.callback(stop_network_thread, one)
            stack.callback(one.disconnect)

        def record() -> None:
            day.server_mb.append(memory_mb(server))
            day.broker_mb.append(memory_mb(process_on(broker.port)))

        record()
        began = time.perf_counter()
        begin = datetime.now(UTC) - timedelta(hours=hours)
        for hour in range(hours):
            for topic, payload in messages(hour, begin, stations, per_second):
                publishers[hash(topic.split("/")[2]) % CLIENTS].publish(topic, payload, qos=1)
                day.sent += 1
                if day.sent % (AHEAD // 2) == 0:
                    eventually(lambda: _kept(port) >= day.sent - AHEAD, "the server to store the messages", TIMEOUT_S)
            eventually(lambda: _kept(port) >= day.sent, "the server to store the messages", TIMEOUT_S)
            for page in PAGES:
                with urllib.request.urlopen(url + page, timeout=60) as answer:  # noqa: S310, ours
                    answer.read()
            record()
        day.seconds = time.perf_counter() - began
        day.kept = _kept(port)
    return day


def _kept(port: int) -> int:
    return int(sum(metric_total(port, name) for name in STORED))


def main() -> int:
    """Simulate the day and print the memory after each hour."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="eight hours of two messages a second")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=20, help="messages in a simulated second")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.hours, chosen.per_second = 8, 0.5
    return run_bench("soak", lambda report: _measure(chosen, report))


def _measure(chosen: argparse.Namespace, report: Report) -> bool:
    day = simulate(chosen.hours, chosen.stations, chosen.per_second)
    quarter = max(1, chosen.hours // 4)
    last, before = mean(day.server_mb[-quarter:]), mean(day.server_mb[-2 * quarter : -quarter])
    rows = [
        [f"after hour {hour}" if hour else "before", f"{server:.0f}", f"{broker:.0f}"]
        for hour, (server, broker) in enumerate(zip(day.server_mb, day.broker_mb, strict=True))
    ]
    raw = {
        "stations": chosen.stations,
        "hours": chosen.hours,
        "sent": day.sent,
        "kept": day.kept,
        "seconds": round(day.seconds, 1),
        "server_mb": [round(value) for value in day.server_mb],
        "broker_mb": [round(value) for value in day.broker_mb],
    }
    ratios = {"memory of the last quarter over the one before": last / before}
    report.results(["simulated time", "server MB (PSS)", "broker MB"], rows, ratios, raw)
    return day.kept == day.sent


if __name__ == "__main__":
    sys.exit(main())
