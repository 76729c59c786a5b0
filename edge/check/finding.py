"""Type of the results of checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["works", "doubtful", "fails"]
Figure = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        state: "doubtful": the station works, but a person should look at this.
        what: Subject of the check.
        found: Result in words.
        next_step: What to do; empty if and only if the state is "works".
        figures: Result as values, for programs; the names contain the units.
    """

    state: State
    what: str
    found: str
    next_step: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.state == "works") == bool(self.next_step):
            raise ValueError(
                f"{self.what}: {self.state} with next step {self.next_step!r}: expected one unless the state is 'works'"
            )
