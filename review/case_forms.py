"""Reads the forms of a case: a step with its fields becomes a change of the case."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from starlette.datastructures import FormData

from casebook.cases.entry import (
    ACCESS,
    KINDS,
    OUTCOMES,
    STEPS,
    CaseRefused,
    Change,
    Finding,
    FoundAnimals,
    SeizedItem,
)
from review.problems import InvalidRequest

ROWS = 4  # of tools, and of animals, in the form of a finding; more are a further finding
Choice = TypeVar("Choice", bound=str)
_MOST = 1_000_000
_DIGITS = 7


def read_change(form: FormData) -> Change:
    """Read the change that a form describes.

    Raises:
        InvalidRequest: the step or outcome is none of those that exist.
        CaseRefused: a number is not one, or a row has numbers without a name.
    """
    fields = {name: value.strip() for name, value in form.multi_items() if isinstance(value, str)}
    step = _choice(fields.get("step", ""), [one for one in STEPS if one not in (*ACCESS, "opened")])
    outcome = fields.get("outcome", "")
    return Change(
        step=step,
        text=fields.get("text", ""),
        team=fields.get("team", ""),
        outcome=_choice(outcome, OUTCOMES) if outcome else None,
        finding=_finding(fields) if step == "finding" else None,
    )


def read_opening(form: FormData, incident: str) -> Change:
    """Read the opening of a case from its form.

    Raises:
        InvalidRequest: the kind is none of those that exist.
    """
    fields = form_values(form)
    return Change(
        step="opened",
        kind=_choice(fields.get("kind", ""), KINDS),
        area=fields.get("area", "").strip(),
        title=fields.get("title", "").strip(),
        text=fields.get("text", "").strip(),
        incidents=(incident,) if incident else (),
    )


def form_values(form: FormData) -> dict[str, str]:
    """Return the fields of a form, to show it again with what the person typed."""
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def read_version(form: FormData) -> int:
    """Return the version of the case that the form was made for.

    Raises:
        InvalidRequest: it is not a number.
    """
    text = str(form.get("seen", ""))
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS + 2):
        raise InvalidRequest("case")
    return int(text)


def _finding(fields: Mapping[str, str]) -> Finding | None:
    tools, animals = [], []
    for row in range(ROWS):
        name, count = fields.get(f"tool{row}", ""), _count(fields.get(f"tool{row}_count", ""))
        if name or count:
            tools.append(SeizedItem(name=name, count=1 if count is None else count))
        numbers = {part: _count(fields.get(f"animal{row}_{part}", "")) or 0 for part in ("alive", "dead", "released")}
        if (animal := fields.get(f"animal{row}", "")) or any(numbers.values()):
            animals.append(FoundAnimals(name=animal, **numbers))
    found = Finding(
        tools=tuple(tools),
        animals=tuple(animals),
        persons=_count(fields.get("persons", "")),
        vehicles=_count(fields.get("vehicles", "")),
    )
    return None if found.is_empty else found


def _count(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= _MOST):
        raise CaseRefused("number", f"{text[:40]!r}: expected a whole number from 0 to {_MOST}")
    return int(text)


def _choice(text: str, known: Sequence[Choice]) -> Choice:
    found = next((one for one in known if one == text), None)
    if found is None:
        raise InvalidRequest("choice")
    return found
