"""What a server says while it runs: lines for people, or one JSON object a line for programs that collect them."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import msgspec

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One object a line: at, level, logger, process, message, whatever was given as ``extra``, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _OWN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def set_up_logs(form: Form) -> logging.Logger:
    """Send our own words to standard output, and warnings of libraries; gives the logger of the server.

    Args:
        form: "text" or "json".
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("wildpost: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    ours = logging.getLogger("wildpost")
    ours.setLevel(logging.INFO)
    return ours.getChild("server")
