"""Reads settings files: every key is known, every value is of its type, and a mistake is named with its place."""

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
    r"'\\A[+-]\\d\\d:\\d\\d\\Z'": "such as +08:00",
    r"'\\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\\Z'": "of 1 to 63 letters, digits, - and _, the first a letter or digit",
    r"'\\A[A-Za-z0-9_-]{1,60}\\Z'": "of 1 to 60 letters, digits, - and _",
    r"'\\A[A-Z_][A-Z0-9_]*\\Z'": "of capitals, digits and _, as a variable of the environment is named",
}


class SettingsError(WildpostError):
    """A settings file cannot be used; the message names the file, the key and what was expected."""


def load_settings(path: Path, kind: type[Settings]) -> Settings:
    """Read a TOML file into a msgspec Struct declared with ``forbid_unknown_fields``.

    Raises:
        SettingsError: the file is missing, is not TOML, or has a key or value that the struct does not take.
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
    """Name the key first, and what is expected in words of settings rather than of Python."""
    found = _PLACE.fullmatch(str(error))
    said, place = (found[1], found[2]) if found else (str(error), "")
    for pattern, words in _PATTERNS.items():
        said = said.replace(f" matching regex {pattern}", f" {words}")
    said = re.sub(r"`(\w+)(?: \| null)?`", lambda kind: _KINDS.get(kind[1], kind[0]), said)
    return f"{place}: {said}" if place else said
