"""Finds the secret values that settings refer to, so that no output repeats them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from contract.redaction import Redaction, environment_secrets

_TOKEN = re.compile(r"[A-Za-z0-9_~-]{16,}")  # a part of a notifier's URL that is rather a token than a host
_MAX_FILE_BYTES = 10_000


def redaction_of(settings: msgspec.Struct | None = None) -> Redaction:
    """Return the function that removes the secrets of settings, and those in the environment, from texts."""
    found = set(environment_secrets())
    if settings is not None:
        found |= set(_secrets(settings))
    return Redaction({part for value in found for part in (value, *_url_parts(value))})


def _secrets(settings: msgspec.Struct) -> Iterator[str]:
    """Yield the values of variables and files that settings name, and credentials in their URLs.

    By the convention of all settings, a field that names an environment variable with a secret ends in ``_variable``.
    """
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, msgspec.Struct):
            yield from _secrets(value)
        elif isinstance(value, tuple | list):
            for one in value:
                if isinstance(one, msgspec.Struct):
                    yield from _secrets(one)
        elif isinstance(value, str) and name.endswith("_variable"):
            yield os.environ.get(value, "")
        elif isinstance(value, str) and name == "password_file" and value:
            yield _content(Path(value))
        elif isinstance(value, str) and "://" in value:
            yield from _credentials(value)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES).decode(errors="replace")
    except OSError:  # whoever needs the password reports the missing file
        return ""


def _url_parts(value: str) -> Iterator[str]:
    """Yield credentials and tokens in a secret URL, such as that of a notifier."""
    if "://" in value:
        yield from _credentials(value)
        yield from _TOKEN.findall(value.partition("://")[2])


def _credentials(url: str) -> Iterator[str]:
    """Yield user information, password and values of the query of a URL."""
    try:
        parts = urlsplit(url)
        user_information = parts.netloc.rpartition("@")[0]
    except ValueError:  # brackets that are no IPv6 address
        user_information = url.partition("://")[2].rpartition("@")[0]
        parts = urlsplit("")
    if user_information:
        password = user_information.partition(":")[2]
        yield from (user_information, password, unquote(password))
    for assignment in filter(None, re.split("[&;]", parts.query)):
        value = assignment.partition("=")[2]
        if _TOKEN.fullmatch(value):
            yield value
