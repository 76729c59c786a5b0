"""Whatever is sent to the pages of a running server, it keeps receiving from stations and answers who asks properly."""

import contextlib
import http.client
import os
import shutil
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psutil
import pytest

from contract import encode, new_event_id, topic_of
from contract.examples import EVENT
from tests.conftest import missing
from tests.eventually import PATIENCE_S, eventually
from tests.listening import is_closed
from tests.media_messages import content_of, medium_of
from tests.servers.conftest import Publisher
from tests.servers.test_ingest_workers import ingesting
from tests.servers.test_serve import WILDPOST, health, page, serving

UNFINISHED = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "


def captures(count: int) -> list[tuple[str, bytes]]:
    """Make messages of captures, each with a thumbnail."""
    messages = []
    for _ in range(count):
        content = content_of(b"\xff\xd8\xff" + os.urandom(2000), event_id=new_event_id(), station=EVENT.station)
        event = msgspec.structs.replace(EVENT, event_id=content.event_id, media=(medium_of(content),))
        messages.append((topic_of("wildpost", event.station, "event"), encode(event)))
        messages.append((topic_of("wildpost", event.station, "media"), encode(content)))
    return messages


@contextlib.contextmanager
def silent(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Hold connections on which a request never ends, as many as the server lets open."""
    address = urlsplit(url)
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):
                connection = socket.create_connection((address.hostname, address.port or 80), timeout=PATIENCE_S)
                opened.append(connection)
                connection.sendall(UNFINISHED)
        yield opened
    finally:
        for one in opened:
            one.close()


def request(url: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
    """Send one request and return the status code and the body of the response."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_silent_connections_stop_neither_pages_nor_intake_and_are_closed(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (process, url), silent(url, 300) as held:
        assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) < 300
        publisher = Publisher(mosquitto.port)
        publisher.publish(captures(20))
        publisher.close()
        eventually(lambda: (health(url)["events"], health(url)["media"]) == (20, 20), "captures are stored")
        assert "<html" in page(url)
        eventually(lambda: all(is_closed(one) for one in held), "silent connections are closed")


@pytest.mark.parametrize("limit", [64, 40])
def test_connections_leave_a_server_with_few_descriptors_its_intake(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    if shutil.which("prlimit") is None:
        missing("prlimit is not installed (Debian: apt-get install util-linux)")
    monkeypatch.setattr("tests.servers.test_serve.WILDPOST", limited(limit))
    with serving(tmp_path, mosquitto.port) as (_, url):
        publisher = Publisher(mosquitto.port)
        for wave in (1, 2):
            with silent(url, 2 * limit):
                publisher.publish(captures(20))
                eventually(partial(are_stored, url, 20 * wave), "media are stored under attack")
        publisher.close()
        assert health(url)["status"] == "ok"


def are_stored(url: str, media: int) -> bool:
    found = health(url)
    return bool(found["media"] == found["events"] == media)


def limited(descriptors: int) -> list[str]:
    """Return the command that runs Wildpost with at most so many open descriptors."""
    return ["prlimit", f"--nofile={descriptors}", *WILDPOST]


def test_a_large_body_takes_no_memory(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port) as (process, url):
        ours = {"Origin": url.rstrip("/")}
        assert request(url, "POST", "/verdicts", ours, b"{}")[0] == 422
        server = psutil.Process(process.pid)
        before = server.memory_info().rss
        multipart = ours | {"Content-Type": "multipart/form-data; boundary=x"}
        file = (
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
            + bytes(100 << 20)
            + b"\r\n--x--\r\n"
        )
        for path, headers, body in (("/verdicts", ours, bytes(100 << 20)), ("/reviewer", multipart, file)):
            assert request(url, "POST", path, headers, body)[0] == 413
        assert server.memory_info().rss < before + (50 << 20)


def test_silent_connections_do_not_stop_metrics_of_the_intake(mosquitto: Any, tmp_path: Path) -> None:
    with ingesting(tmp_path / "data", mosquitto.port, "") as running:
        url = f"http://127.0.0.1:{running.port}/"
        running.wait_until_connected(1)
        with silent(url, 200) as held:
            assert request(url, "GET", "/metrics", {})[0] == 200
            assert request(url, "GET", "/nothing", {})[0] == 404
            assert request(url, "POST", "/healthz", {}, bytes(100_000))[0] == 413
            eventually(lambda: all(is_closed(one) for one in held), "silent connections are closed")
