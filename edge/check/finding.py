"""One thing that was looked at, and how it was found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["works", "doubtful", "fails"]
Figure = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing was found.

    Attributes:
        state: "doubtful" does not keep the station from working, and wants to be looked at.
        what: The thing.
        found: What was found, in words.
        next_step: What to do; empty only where it works.
        figures: The same as numbers, for programs; the names say the units.
    """

    state: State
    what: str
    found: str
    next_step: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.state == "works") == bool(self.next_step):
            raise ValueError(
                f"{self.what}: {self.state} with next step {self.next_step!r}: expected one but for 'works'"
            )
