"""What becomes of a command that a station was given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contract.commands import AnswerState


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a command, what is committed to the outbox's memory with it, and what is done afterwards."""

    state: AnswerState
    detail: str = ""
    result: str = ""
    memory: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], object] = lambda: None
