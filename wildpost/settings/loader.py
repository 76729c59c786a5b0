"""Loads settings files strictly: an unknown key or a wrong type is an error that names the key."""

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from contract.errors import WildpostError

Settings = TypeVar("Settings")
_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`", re.S)
_KINDS = {"float": "a number", "int": "a whole number", "str": "a text", "bool": "true or false", "array": "a list"}
_PATTERNS = {
    r"'\\Aage1[0-9a-z]{58}\\Z'": "with a public key that begins with age1",
    r"'\\A[+-]\\d\\d:\\d\\d\\Z'": "such as +08:00",
    r"'\\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\\Z'": "of 1 to 63 letters, digits, - and _, the first a letter or digit",
    r"'\\A[A-Za-z0-9_-]{1,60}\\Z'": "of 1 to 60 letters, digits, - and _",
    r"'\\A([A-Za-z0-9+/]{43}=)?\\Z'": "with a public key of 44 characters, as `wildpost commands keygen` prints it",
    r"'\\A[A-Z_][A-Z0-9_]*\\Z'": "of capitals, digits and _, the name of an environment variable",
}


class SettingsError(WildpostError):
    """A settings file cannot be used; the message names the file, the key and what was expected."""


def load_settings(path: Path, kind: type[Settings]) -> Settings:
    """Read a TOML file into a msgspec Struct declared with ``forbid_unknown_fields``.

    Raises:
        SettingsError: the file is missing or not TOML, or a key or value does not fit the struct.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    try:
        return msgspec.convert(tables, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {describe_validation_error(error)}") from error


def describe_validation_error(error: msgspec.ValidationError) -> str:
    """Convert a validation error to a message that names the key and then the expected TOML value."""
    found = _PLACE.fullmatch(str(error))
    message, place = (found[1], found[2]) if found else (str(error), "")
    for pattern, description in _PATTERNS.items():
        message = message.replace(f" matching regex {pattern}", f" {description}")
    message = re.sub(r"`(\w+)(?: \| null)?`", lambda kind: _KINDS.get(kind[1], kind[0]), message)
    return f"{place}: {message}" if place else message
