"""Log output of a server: text lines, or one JSON object per line for log collectors."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import msgspec

from contract.redaction import RedactingFormatter, Redaction

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Log formatter that writes each record as one JSON object.

    The fields are at, level, logger, process, message, the ``extra`` fields and the traceback.
    """

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return a log record as one line of JSON, without secrets."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": self._redact(record.getMessage()),
        }
        line |= {
            name: self._redact(value) if isinstance(value, str) else value
            for name, value in record.__dict__.items()
            if name not in _OWN
        }
        if record.exc_info:
            line["traceback"] = self._redact(self.formatException(record.exc_info))
        return msgspec.json.encode(line, enc_hook=lambda value: self._redact(str(value))).decode()


def set_up_logs(form: Form, redact: Redaction) -> logging.Logger:
    """Configure logging to standard output: all levels from INFO for Wildpost, warnings and errors for libraries.

    Args:
        form: "text" or "json".
        redact: Removes secrets from messages and tracebacks, also from those of libraries.

    Returns:
        The server's logger.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(redact) if form == "json" else RedactingFormatter("wildpost: %(message)s", redact))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    ours = logging.getLogger("wildpost")
    ours.setLevel(logging.INFO)
    return ours.getChild("server")
