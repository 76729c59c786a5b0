"""Log lines have no secrets: in the message, the extra fields and the traceback, also those of the web server."""

import contextlib
import io
import json
import logging
import urllib.error
import urllib.request

import pytest
from fastapi import FastAPI

from contract.redaction import Redaction
from wildpost.server.logs import JsonLines, set_up_logs
from wildpost.server.web_server import serve_http


def test_a_json_line_has_no_secret_in_any_field() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines(Redaction(['hun"ter2'])))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError('signed in with hun"ter2')
    except ValueError:
        log.exception("tried %s", 'hun"ter2', extra={"address": "amqp://u:other@host", "cause": OSError('hun"ter2')})
    line = json.loads(written.getvalue())
    assert line["message"] == "tried ***"
    assert line["address"] == "amqp://***@host"
    assert line["cause"] == "***"
    assert "signed in with ***" in line["traceback"]
    assert "ter2" not in written.getvalue()


def test_the_traceback_of_a_failed_page_goes_through_the_same_formatter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)  # a server of another test may have set it
    app = FastAPI()

    @app.get("/")
    def fail() -> None:
        raise ValueError("signed in with hunter2")

    root = logging.getLogger()
    before = root.handlers[:]
    set_up_logs("text", Redaction(["hunter2"]))
    try:
        with serve_http(app, "127.0.0.1", 0, "pages") as port, contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20)
    finally:
        root.handlers[:] = before
    said = capsys.readouterr()
    assert "ValueError: signed in with ***" in said.out
    assert "hunter2" not in said.out + said.err
