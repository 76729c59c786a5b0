"""The server as an operator runs it: one process, stopped and asked while it runs."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contract import encode, topic_of
from contract.examples import EVENT, MEDIA_CONTENT
from contract.messages import Event
from contract.mqtt import stop_network_thread
from tests.eventually import eventually
from tests.servers.conftest import Publisher

WILDPOST = [sys.executable, "-m", "wildpost"]


@contextmanager
def serving(data: Path, broker_port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    settings = data / "server.toml"
    settings.write_text(f"[broker]\nport = {broker_port}\n[web]\nport = 0\n")
    with running([*WILDPOST, "serve", str(settings), "--data", str(data)], data) as started:
        yield started


@contextmanager
def running(
    command: list[str], data: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command that serves the pages; yield its process and their address when it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        eventually(lambda: (data / "server.json").exists() or process.poll() is not None, "the server listens")
        assert process.poll() is None, process.communicate()[0]
        yield process, json.loads((data / "server.json").read_text())["url"]
    finally:
        process.kill()
        process.communicate(timeout=10)


def told(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WILDPOST, *words], capture_output=True, text=True, check=False, timeout=60, env=os.environ)


def health(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}healthz", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def publish_event(port: int) -> Event:
    event = EVENT
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic_of("wildpost", event.station, "event"), encode(event), qos=1).wait_for_publish(10)
    client.disconnect()
    stop_network_thread(client)
    return event


def page(url: str) -> str:
    request = urllib.request.Request(url, headers={"Accept": "text/html", "Accept-Language": "zh-CN"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_what_keeps_media_from_being_stored_is_told_to_programs_and_people(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (_, url):
        assert (health(url)["status"], health(url)["problem"]) == ("ok", "")
        media = tmp_path / "media"
        media.mkdir(exist_ok=True)
        media.rename(tmp_path / "elsewhere")
        media.write_text("whatever mounts here is gone, and this is in its place")
        publisher = Publisher(mosquitto.port)
        publisher.publish([(topic_of("wildpost", EVENT.station, "media"), encode(MEDIA_CONTENT))])
        publisher.close()

        eventually(lambda: health(url)["status"] == "hindered", "it says that something is in the way")
        assert str(media) in health(url)["problem"], (
            "not stuck: it goes on by itself, and a new start would not mend it"
        )
        assert "服务器出现问题" in page(url)
        media.unlink()
        (tmp_path / "elsewhere").rename(media)
        eventually(lambda: health(url) | {"media": 1, "status": "ok", "problem": ""} == health(url), "it went on")
        assert "服务器出现问题" not in page(url)


def test_trends_are_the_same_while_the_server_runs_and_after_it_stopped(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (process, url):
        event = publish_event(mosquitto.port)
        eventually(lambda: health(url)["events"] == 1, "the capture is stored")
        day = event.captured_at.astimezone(UTC).date()
        days = ["--from", str(day - timedelta(days=1)), "--to", str(day + timedelta(days=1)), "--data", str(tmp_path)]
        during = told("trends", "--json", *days)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not (tmp_path / "server.json").exists()
    after = told("trends", "--json", *days)
    assert during.returncode == after.returncode == 0, during.stderr + after.stderr
    assert json.loads(during.stdout) == json.loads(after.stdout)
    assert sum(one["detections"] for one in json.loads(after.stdout)["taxa"]) == len(event.detections)


def test_a_server_that_was_killed_left_its_note_and_trends_count_all_the_same(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (process, _):
        process.kill()
        process.wait(10)
    assert (tmp_path / "server.json").exists()
    counted = told("trends", "--json", "--data", str(tmp_path))
    assert counted.returncode == 0, counted.stderr


def add_administrator(data: Path, password: str) -> None:
    (data / "password").write_text(password)
    words = ["--display-name", "赵", "--role", "administrator", "--all-areas", "--data", str(data)]
    added = told("users", "add", "zhao", *words, "--password-file", str(data / "password"))
    assert added.returncode == 0, added.stderr


@pytest.mark.parametrize("where", ['host = "0.0.0.0"', 'proxies = ["127.0.0.1"]'])
def test_pages_that_others_can_reach_ask_for_a_sign_in_also_before_there_is_an_account(
    where: str, mosquitto: Any, tmp_path: Path
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(f"[broker]\nport = {mosquitto.port}\n[web]\nport = 0\n{where}\n")
    with running([*WILDPOST, "serve", str(settings), "--data", str(tmp_path)], tmp_path) as (_, url):
        assert 'action="/sign-in"' in page(url)  # where the browser was led to
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{url}api/events", timeout=10)
        answer.value.close()
        assert answer.value.code == 401


def test_commands_on_the_machine_need_no_account_and_what_they_use_is_private(mosquitto: Any, tmp_path: Path) -> None:
    add_administrator(tmp_path, "correct horse battery")
    with serving(tmp_path, mosquitto.port) as (_, url):
        assert (tmp_path / "server.json").stat().st_mode & 0o077 == 0
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{url}api/trends", timeout=10)
        answer.value.close()
        assert answer.value.code == 401
        counted = told("trends", "--json", "--data", str(tmp_path))
        assert counted.returncode == 0, counted.stderr
        assert health(url)["status"] == "ok"


def test_another_sites_page_can_neither_decide_nor_read(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (_, url):
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {}):
            request = urllib.request.Request(f"{url}verdicts", data=b"{}", headers=headers, method="POST")
            with pytest.raises(urllib.error.HTTPError) as answer:
                urllib.request.urlopen(request, timeout=10)
            answer.value.close()
            assert answer.value.code in (403, 421)


def test_a_port_that_is_taken_is_named(mosquitto: Any, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with serving(tmp_path / "one", mosquitto.port) as (_, url):
        port = url.rstrip("/").rpartition(":")[2]
        settings = tmp_path / "two" / "server.toml"
        settings.write_text(f'[broker]\nport = {mosquitto.port}\nclient_id = "another"\n')
        refused = told("serve", str(settings), "--port", port, "--data", str(tmp_path / "two"))
    assert refused.returncode == 1
    assert port in refused.stderr
    assert "Traceback" not in refused.stderr
