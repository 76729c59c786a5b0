"""A casebook in PostgreSQL that is killed while the server works: the broker keeps what comes, pages say so."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.engine import CasebookOptions
from contract import encode, new_event_id, topic_of
from contract.errors import StoreUnavailable
from contract.examples import EVENT
from tests.conftest import free_port, missing
from tests.eventually import eventually
from tests.postgres_server import Postgres, program_folder
from tests.servers.conftest import Publisher
from wildpost.doctor import diagnose

SETTINGS = """
[broker]
port = {port}
retry_max_s = 0.5
[casebook]
url = "{url}"
[web]
port = 0
[[rules.rule]]
name = "everything"
observation_types = ["animal", "human", "vehicle"]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    found = program_folder()
    if isinstance(found, str):
        missing(found)
    assert isinstance(found, Path)
    started = Postgres(found, free_port())
    yield started
    started.stop()


def asked(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            data = answer.read()
            return answer.status, json.loads(data) if data.startswith(b"{") else data
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def messages(count: int) -> list[tuple[str, bytes]]:
    events = [msgspec.structs.replace(EVENT, event_id=new_event_id()) for _ in range(count)]
    return [(topic_of("wildpost", event.station, "event"), encode(event)) for event in events]


def test_the_doctor_says_whether_the_casebook_answers(server: Postgres, tmp_path: Path) -> None:
    url = server.database()
    settings = tmp_path / "server.toml"
    settings.write_text(f'[casebook]\nurl = "{url}"\n')

    def casebook() -> tuple[str, str]:
        (found,) = (one for one in diagnose(tmp_path, None, settings) if one.subject == "casebook")
        return found.state, found.detail

    assert casebook() == ("good", f"{url} answers; empty")
    Casebook(url).close()
    assert casebook() == ("good", f"{url} answers; schema version 0009")
    server.kill()
    state, detail = casebook()
    assert state == "broken"
    assert "refused" in detail


def test_a_password_comes_from_the_environment_and_is_never_said(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDPOST_CASEBOOK_SECRET", "s3cret/@")
    options = CasebookOptions(url=server.database())
    Casebook(options.url_in(tmp_path)).close()
    server.kill()
    with pytest.raises(StoreUnavailable) as refused:
        Casebook(options.url_in(tmp_path))
    assert "s3cret" not in str(refused.value)
    for bad in ("postgresql+psycopg://wildpost:s3cret@h/db", "mysql://h/s3cret", "s3cret"):
        with pytest.raises(ValueError, match="casebook url") as wrong:
            CasebookOptions(url=bad)
        assert "s3cret" not in str(wrong.value) or bad.startswith("mysql")


def test_what_comes_while_the_casebook_is_away_is_flagged_when_it_is_back(
    mosquitto: Any, server: Postgres, tmp_path: Path
) -> None:
    url = server.database()
    (tmp_path / "server.toml").write_text(SETTINGS.format(port=mosquitto.port, url=url))
    command = [sys.executable, "-m", "wildpost", "serve", "server.toml", "--data", str(tmp_path)]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT) as process,
        closing(Publisher(mosquitto.port)) as publisher,
    ):
        try:
            eventually((tmp_path / "server.json").exists, "the server to serve")
            pages = json.loads((tmp_path / "server.json").read_text())["url"]
            publisher.publish(messages(20))
            eventually(lambda: asked(f"{pages}healthz")[1].get("events") == 20, "the first events")

            server.kill()
            publisher.publish(messages(30))
            eventually(lambda: "nothing is acknowledged" in (tmp_path / "log").read_text(), "its saying what is wrong")
            for page in (pages, f"{pages}healthz"):
                code, said = asked(page)
                assert code == 503
                assert "casebook" in said["error"]
            time.sleep(0.5)  # an attempt or two

            server.start()
            eventually(lambda: asked(f"{pages}healthz")[1].get("events") == 50, "all of them")
            assert asked(pages)[0] == 200
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    casebook = Casebook(url)
    assert casebook.totals().flags == 50
    casebook.close()
