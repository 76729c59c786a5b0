"""From a message of a station to a webhook, through the whole server; and the test alert."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from contract import Event, encode, new_event_id, topic_of
from contract.examples import EVENT
from tests.conftest import Mosquitto, free_port
from tests.servers.conftest import Publisher, wait_for
from tests.servers.listeners import Webhook, listening

SETTINGS = """
[broker]
port = {port}
[web]
port = 0
[alerts]
address = "https://reserve.example/"
[alerts.mqtt]
enabled = true
[[alerts.apprise]]
name = "rangers"
url_variable = "ALERT_RANGERS"
picture = "none"
[[rules.rule]]
name = "person"
severity = "warning"
observation_types = ["human"]
"""


def environment(webhook_port: int) -> dict[str, str]:
    return os.environ | {"ALERT_RANGERS": f"json://127.0.0.1:{webhook_port}/", "PYTHONUNBUFFERED": "1"}


def wildpost(*words: str) -> list[str]:
    return [sys.executable, "-m", "wildpost", *words]


def person(minutes_ago: float) -> Event:
    return msgspec.structs.replace(
        EVENT, event_id=new_event_id(), captured_at=datetime.now(UTC) - timedelta(minutes=minutes_ago), media=()
    )


def send(port: int, *events: Event) -> None:
    publisher = Publisher(port)
    publisher.publish([(topic_of("wildpost", one.station, "event"), encode(one)) for one in events])
    publisher.close()


def test_a_person_at_a_station_reaches_people_once_and_what_is_days_old_does_not(
    mosquitto: Mosquitto, webhook: Webhook, tmp_path: Path
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(SETTINGS.format(port=mosquitto.port))
    command = wildpost("serve", str(settings), "--data", str(tmp_path / "data"))
    webhook.answer = 500

    def serve() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, env=environment(webhook.port), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert any("serving http" in line for line in process.stdout)
        return process

    with listening(mosquitto.port, "wildpost/alerts/#") as heard, ExitStack() as at_the_end:
        server = serve()
        at_the_end.callback(lambda: server.communicate() if server.poll() is None else None)
        at_the_end.callback(lambda: server.kill())  # whichever runs then
        send(mosquitto.port, person(3 * 24 * 60), person(0), person(1))
        wait_for(lambda: heard, "the alert on the broker")
        server.kill()  # while the webhook refuses
        server.communicate()
        webhook.answer = 200
        server = serve()
        wait_for(lambda: webhook.taken, "the alert at the webhook, after a kill")
        send(mosquitto.port, person(0))
        server.terminate()
        said, _ = server.communicate(timeout=60)
    told = [json.loads(one.payload) for one in heard]
    assert {one["cause"] for one in told} == {"first"}
    assert len({one["alert_id"] for one in told}) == 1, "killed before it could note that it told, it tells again"
    (taken,) = webhook.taken
    assert "人 · lake-07" in taken["title"]
    assert "https://reserve.example/incidents/" in taken["message"]
    assert "stopped" in said


def test_a_test_alert_says_what_arrived_and_what_did_not(
    mosquitto: Mosquitto, webhook: Webhook, tmp_path: Path
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(SETTINGS.format(port=mosquitto.port))

    def told(*words: str, port: int = webhook.port) -> subprocess.CompletedProcess[str]:
        command = wildpost("alerts", "test", str(settings), *words)
        return subprocess.run(command, env=environment(port), capture_output=True, text=True, timeout=120)

    with listening(mosquitto.port, "wildpost/alerts/#") as heard:
        both = told()
        wait_for(lambda: heard, "the test alert on the broker")
    assert (both.returncode, both.stdout) == (0, "rangers: sent\nmqtt: sent\n")
    assert "测试" in webhook.taken[0]["title"]
    dead = told("--only", "rangers", port=free_port())
    assert dead.returncode == 1
    assert dead.stdout.startswith("rangers: NOT sent: ")
    unknown = told("--only", "nobody")
    assert unknown.returncode == 1
    assert "--only nobody: expected one of rangers, mqtt" in unknown.stderr


def test_without_any_way_to_tell_people_the_guide_is_named(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text("[alerts]\n")
    command = wildpost("alerts", "test", str(tmp_path / "server.toml"))
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "configures no notifier; docs/how-to/alerts.md" in ended.stderr
