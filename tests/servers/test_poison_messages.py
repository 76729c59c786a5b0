"""One stolen station sends what is meant to end the server: it runs on, also after a restart, and keeps the others."""

import signal
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from casebook.casebook import Casebook
from contract import Span, encode, new_event_id, topic_of
from contract.examples import EVENT, HEALTH, SOUND_EVENT
from tests.eventually import eventually
from tests.servers.conftest import Publisher
from tests.servers.test_serve import health, serving


def event(station: str, **changes: Any) -> tuple[str, bytes]:
    made = msgspec.structs.replace(EVENT, event_id=new_event_id(), station=station, captured_at=datetime.now(UTC))
    return topic_of("wildpost", station, "event"), encode(msgspec.structs.replace(made, **changes))


def raw(message: tuple[str, bytes], **changes: Any) -> tuple[str, bytes]:
    return message[0], msgspec.json.encode(msgspec.json.decode(message[1]) | changes)


def pills() -> list[tuple[str, bytes]]:
    """Return messages with a valid form and values that no field station means."""
    shot = msgspec.structs.replace(
        SOUND_EVENT.detections[0], label="gunshot", observation_type="unknown", span=Span(start_s=1e12, end_s=1e12)
    )
    sound = msgspec.structs.replace(SOUND_EVENT, event_id=new_event_id(), station="thief", detections=(shot,))
    health = topic_of("wildpost", "thief", "health"), encode(msgspec.structs.replace(HEALTH, station="thief"))
    return [
        (topic_of("wildpost", "thief", "event"), encode(sound)),
        event("thief", duration_s=1e300),
        raw(event("thief"), clock={"source": "gps", "synchronised": True, "error_s": 1e18}),
        raw(event("thief"), captured_at="9999-12-31T23:59:59Z"),
        raw(event("thief"), captured_at="0001-01-01T00:00:00+14:00"),
        raw(event("thief"), sequence=2**62),
        raw(event("thief"), models=[{"name": "a", "version": "1", "sha256": "0" * 64}] * 1000),
        raw(health, uptime_s=1e308),
        raw(health, temperature_c=-1e308),
        raw(health, disk_free_bytes=-1),
        raw(health, at="9999-12-31T23:59:59-23:59"),
    ]


def test_values_that_no_station_means_are_quarantined_and_the_server_starts_again(
    mosquitto: Any, publisher_to: Callable[[int], Publisher], tmp_path: Path
) -> None:
    sent = pills()
    honest = [event(f"st{number % 3}") for number in range(30)]
    with serving(tmp_path, mosquitto.port) as (process, url):
        publisher_to(mosquitto.port).publish([*honest[:15], *sent, *honest[15:]])
        eventually(lambda: (health(url)["events"], health(url)["quarantined"]) == (30, len(sent)), "all messages")
        assert (process.poll(), health(url)["status"]) == (None, "ok")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    with serving(tmp_path, mosquitto.port) as (process, url):
        publisher_to(mosquitto.port).publish([event("st1"), sent[0]])
        eventually(lambda: health(url)["events"] == 31, "an event after the restart")
        assert (process.poll(), health(url)["quarantined"]) == (None, len(sent))
    casebook = Casebook(f"sqlite:///{tmp_path}/casebook.sqlite")
    details = [one.detail for one in casebook.quarantined(limit=100)]
    casebook.close()
    assert any("span.start_s" in one and "1000000000000.0" in one and "<= 86400" in one for one in details)
    assert all("xpected" in one for one in details)


def test_metrics_name_every_supervised_part(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (_, url), urllib.request.urlopen(f"{url}metrics", timeout=10) as answer:
        text = answer.read().decode()
    for part in ("intake-1", "reading", "bundles", "broker-connection", "station-watch", "verdict-sync", "pages"):
        assert f'wildpost_restarts_total{{part="{part}"}} 0.0' in text
        assert f'wildpost_down{{part="{part}"}} 0.0' in text
