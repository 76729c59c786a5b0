"""Removes secrets from texts that leave the process: log lines, error messages, health and pages."""

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Annotated
from urllib.parse import quote, quote_plus

from msgspec import Meta

HIDDEN = "***"
_MIN_LENGTH = 4  # of a secret; hiding a shorter one would hide letters everywhere and protect nobody
_NAMES = r"[\w.-]*(?:pass|pwd|token|secret|key|auth|sign|cred)[\w.-]*"
_URL = re.compile(r"://([^\s\"'<>]*)")
# The lookahead keeps the time linear: the name is searched for a word only if a value follows it.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"//[^/\s@]+@"), f"//{HIDDEN}@"),  # user and password in a URL without a scheme
    (re.compile(rf"([?&;](?=[\w.-]*+=[^\s&;\"'<>]){_NAMES}=)[^\s&;\"'<>]+", re.I), rf"\1{HIDDEN}"),  # query of a URL
    (re.compile(r"\b((?:ssl)?password|passwd|token|secret)=('[^']*'|[^\s&;,\"')]+)", re.I), rf"\1={HIDDEN}"),
    (re.compile(r"(authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|token)\s+)[^\s'\"]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), HIDDEN),
    (re.compile(r"AGE-SECRET-KEY-[0-9A-Z-]+", re.I), HIDDEN),
)
_VARIABLES = re.compile(r"PASS(WORD|WD|PHRASE)|SECRET|TOKEN|CREDENTIAL|APPRISE|(\A|_)KEY(\Z|_)|\AWILDPOST_ALERT")
_VARIABLE_PATTERN = r"\A[A-Z_][A-Z0-9_]*\Z"

VariableName = Annotated[str, Meta(pattern=_VARIABLE_PATTERN)]
"""Name of an environment variable with a secret; a secret in place of the name is refused and not repeated."""


class Redaction:
    """Function that replaces secrets in a text: given values, and credentials that can be recognised by their form.

    The time is linear in the length of the text, since a station can send long topics and payloads.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Store the secret values.

        Args:
            secrets: Values to hide wherever they occur, also as they appear in a URL, in JSON and in ``repr``.
        """
        values: set[str] = set()
        for secret in secrets:
            for line in secret.splitlines():  # a log line holds at most one of them
                if len(line.strip()) >= _MIN_LENGTH:
                    values |= _forms(line.strip())
        alternatives = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
        self._values = re.compile(alternatives) if alternatives else None

    def __call__(self, text: str) -> str:
        """Return a text without secrets."""
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        text = _URL.sub(_without_user, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


class RedactingFormatter(logging.Formatter):
    """Log formatter that removes secrets from messages and tracebacks."""

    def __init__(self, form: str, redact: Redaction) -> None:
        super().__init__(form)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return a log record as text without secrets."""
        return self._redact(super().format(record))


def environment_secrets() -> list[str]:
    """Return the values of all environment variables whose name says that they hold a secret."""
    return [value for name, value in os.environ.items() if _VARIABLES.search(name.upper())]


def redact_uncaught_exceptions(redact: Redaction) -> None:
    """Print uncaught exceptions of this process and its threads without secrets."""

    def print_exception(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        print(redact("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr, flush=True)

    def print_thread_exception(arguments: threading.ExceptHookArgs) -> None:
        print_exception(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    sys.excepthook = print_exception
    threading.excepthook = print_thread_exception


def _without_user(url: re.Match[str]) -> str:
    """Return the part of a URL after its scheme without user and password, which may contain ``/`` and ``@``."""
    _, at, rest = url[1].rpartition("@")
    return f"://{HIDDEN}@{rest}" if at else url[0]


def _forms(secret: str) -> set[str]:
    """Return a secret as it appears in plain text, in a URL, in JSON and in the representation of a string."""
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }
