"""Media in a bucket: one that is not there yet, one that goes away while the server works, and in a backup."""

import hashlib
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from contract import encode, topic_of
from contract.examples import EVENT, MEDIA_CONTENT
from tests.eventually import eventually
from tests.s3_server import S3Server
from tests.servers.conftest import Publisher
from wildpost.cli.main import main
from wildpost.doctor import diagnose

SETTINGS = """
[broker]
port = {port}
retry_max_s = 0.5
[media]
url = "s3://later/wild post"
endpoint = "{endpoint}"
timeout_s = 2
[web]
port = 0
[[rules.rule]]
name = "everything"
observation_types = ["animal", "human", "vehicle"]
"""
PICTURE = bytes(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1])
NAME = hashlib.sha256(PICTURE).hexdigest()


def code_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_what_comes_while_the_bucket_is_away_is_kept_when_it_is_there(
    mosquitto: Any, s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, data, log = tmp_path / "server.toml", tmp_path / "data", tmp_path / "log"
    settings.write_text(SETTINGS.format(port=mosquitto.port, endpoint=s3.endpoint))
    content = msgspec.structs.replace(MEDIA_CONTENT, data=PICTURE, sha256=NAME)
    command = [sys.executable, "-m", "wildpost", "serve", str(settings), "--data", str(data)]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
        closing(Publisher(mosquitto.port)) as publisher,
    ):
        try:
            eventually((data / "server.json").exists, "the server to serve")
            pages = json.loads((data / "server.json").read_text())["url"]
            station = EVENT.station
            event = (topic_of("wildpost", station, "event"), encode(EVENT))
            publisher.publish([event, (topic_of("wildpost", station, "media"), encode(content))])
            eventually(lambda: "NoSuchBucket" in log.read_text(), "its saying what is wrong")
            assert "nothing is acknowledged" in log.read_text()
            assert code_of(f"{pages}media/{NAME}") == 503

            s3.make("later")
            eventually(lambda: code_of(f"{pages}media/{NAME}") == 200, "the picture")
            eventually(lambda: "no problem any more" in log.read_text(), "the log line that the problem is over")

            archive = tmp_path / "all.tar"
            assert main(["backup", str(archive), str(settings), "--data", str(data), "--unencrypted"]) == 0
            assert "media: 1 files; the casebook refers to 1" in capsys.readouterr().out
            assert main(["restore", str(archive), "--data", str(tmp_path / "new")]) == 0
            assert (tmp_path / "new" / "media" / NAME[:2] / NAME).read_bytes() == PICTURE

            s3.stop()
            assert code_of(f"{pages}media/{NAME}") == 503
            assert code_of(pages) == 200  # the queue does not need the bucket
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def test_the_doctor_says_whether_the_bucket_answers(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(SETTINGS.format(port=1, endpoint=s3.endpoint))

    def media() -> tuple[str, str]:
        (found,) = (one for one in diagnose(tmp_path, None, settings) if one.subject == "media")
        return found.state, found.detail

    assert media()[0] == "broken"
    assert "NoSuchBucket" in media()[1]
    s3.make("later")
    assert media() == ("good", "s3://later/wild post answers")
    monkeypatch.delenv("WILDPOST_S3_KEY")
    assert media()[0] == "broken"
    settings.write_text("")
    assert media() == ("good", f"files in {tmp_path}/media")


def test_a_server_without_the_key_says_so_and_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WILDPOST_S3_KEY", raising=False)
    (tmp_path / "server.toml").write_text('[media]\nurl = "s3://b"\n')
    assert main(["serve", str(tmp_path / "server.toml"), "--data", str(tmp_path)]) != 0
    assert "WILDPOST_S3_KEY and WILDPOST_S3_SECRET are not both set" in capsys.readouterr().err
