"""JSON log lines have no secrets, in the message, the extra fields and the traceback."""

import io
import json
import logging

from contract.redaction import Redaction
from wildpost.server.logs import JsonLines


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
