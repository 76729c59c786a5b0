"""Checks that msgspec types cannot express, error messages with the refused value, and reading of stored messages."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from contract.bounds import FIRST_YEAR, LAST_YEAR, is_representable

_VALUE_CHARACTERS = 60
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`\Z")
_BOUND = re.compile(r"Expected `(?P<type>int|float|array|str)` (?:of length <=|[<>]=) (?P<bound>[-\d.e+]+)")
_REPAIRS = 100
_STEP = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+)\]")

Stored = TypeVar("Stored", bound=msgspec.Struct)


def time_problem(record: msgspec.Struct) -> str:
    """Return the description of a time outside the representable years in a record; "" if there is none."""
    for name in _time_fields(type(record)):
        moment = getattr(record, name)
        if isinstance(moment, datetime) and not is_representable(moment):
            return (
                f"{name} {moment.isoformat()}: expected a year from {FIRST_YEAR} to {LAST_YEAR}, "
                "so that every zone can show it"
            )
    return ""


def describe_refusal(error: msgspec.ValidationError, decode: Callable[[], Any]) -> str:
    """Return the text of a validation error, with the refused value if the error names its field.

    Args:
        error: The error: what was expected, and the path of the field.
        decode: Decodes the same input without a type.
    """
    text = str(error)
    steps = _steps(text)
    if not steps:
        return text
    try:
        value = decode()
        for step in steps:
            value = value[step]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return text
    if isinstance(value, dict):
        return text
    shown = f"{len(value)} items" if isinstance(value, list) else repr(value)
    shown = shown if len(shown) <= _VALUE_CHARACTERS else f"{shown[:_VALUE_CHARACTERS]}..."
    return f"{text}, received {shown}"


def decode_stored(payload: str | bytes, kind: type[Stored]) -> Stored:
    """Decode a stored JSON message; what an earlier version accepted is moved to the nearest of today's bounds.

    Raises:
        msgspec.ValidationError: the message is invalid for another reason.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.ValidationError as error:
        refused = error
    value = msgspec.json.decode(payload)
    for _ in range(_REPAIRS):
        if not _moved_to_bound(value, str(refused)):
            break
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            refused = error
    raise refused


def _moved_to_bound(value: Any, problem: str) -> bool:
    found, steps = _BOUND.match(problem), _steps(problem)
    if found is None or not steps:
        return False
    for step in steps[:-1]:
        value = value[step]
    bound = float(found["bound"]) if found["type"] == "float" else int(found["bound"])
    cut = found["type"] in ("array", "str")
    value[steps[-1]] = value[steps[-1]][: int(bound)] if cut else bound
    return True


def _steps(problem: str) -> list[str | int]:
    """Return the field names and list indices that lead to the refused value, as msgspec's error message names them."""
    found = _PATH.search(problem)
    if found is None:
        return []
    return [step["field"] or int(step["index"]) for step in _STEP.finditer(found["path"])]


@lru_cache(maxsize=64)  # one entry per message type
def _time_fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if datetime in _types_in(field.type))


def _types_in(annotation: Any) -> set[Any]:
    """Return the types in an annotation such as ``Annotated[datetime, ...] | None``."""
    parts = getattr(annotation, "__args__", ())
    return {annotation, *(found for part in parts for found in _types_in(part))}
