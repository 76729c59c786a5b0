"""The files of a card: captures with their deployments, entries that cannot be used, and what is passed over."""

import os
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from captures.file_types import CAPTURES, FILMS, RECORDINGS
from captures.folder_listing import ending_of, printable_name, walk
from contract.errors import InvalidInput
from pipelines.card_import.deployments import CardDeployment, Placement

Family = Literal["picture", "film", "recording"]
FAMILIES: tuple[Family, ...] = ("picture", "film", "recording")
# Seconds that one core needs for a file: one, and one more for so many bytes; only their proportions matter.
_COST_S = {"picture": (0.04, 0.0), "film": (2.0, 0.0), "recording": (0.02, 2e-8)}


@dataclass(frozen=True, slots=True)
class CardFile:
    """A capture file on a card.

    Attributes:
        path: The file.
        inside: Its printable path relative to the card.
        size: Size in bytes.
        modified_ns: Time of the last modification.
        deployment: Deployment of the device that made it.
        clock_offset_us: Correction of the device's clock in microseconds; None: none is given.
        clock_was_reset: Whether the correction is for times that no running clock can have shown.
    """

    path: Path
    inside: str
    size: int
    modified_ns: int
    deployment: CardDeployment
    clock_offset_us: int | None = None
    clock_was_reset: bool = False

    @property
    def family(self) -> Family:
        """Kind of the file by its name; its content decides how it is read."""
        ending = ending_of(self.path.name)
        return "film" if ending in FILMS else "recording" if ending in RECORDINGS else "picture"

    @property
    def cost_s(self) -> float:
        """Rough processing time, for the estimate of the time left."""
        each, per_byte = _COST_S[self.family]
        return each + per_byte * self.size


@dataclass(slots=True)
class CardListing:
    """All entries of a card.

    Attributes:
        files: Captures: pictures, then films, then recordings, each in the order of their paths.
        bad: Reason of each entry that cannot be used, by printable path.
        unplaced: Number of files without a deployment, by reason.
        passed_over: Number of entries that are no captures, by kind.
    """

    files: list[CardFile] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    unplaced: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

    def leave_out(self, families: Collection[str]) -> None:
        """Count the files of some families as passed over, for want of a detector."""
        for file in self.files:
            if file.family in families:
                self.passed_over[f"{file.family}s without a detector"] += 1
        self.files = [file for file in self.files if file.family not in families]


def list_card(root: Path, placement: Placement, stopped: Callable[[], bool] = lambda: False) -> CardListing:
    """List a card or folder; one bad entry costs only itself.

    Raises:
        InvalidInput: the folder does not exist or cannot be listed.
    """
    found = CardListing()
    try:
        for listing in walk(str(root), CAPTURES, stopped=stopped):
            found.passed_over.update(listing.passed_over)
            for entry in listing.bad:
                found.bad[_inside(root, entry.path)] = entry.reason
            for one in listing.files:
                inside = _inside(root, one.path)
                folder = PurePosixPath(inside).parent
                deployment = placement.of(folder)
                if deployment is None:
                    found.unplaced[placement.why_not(folder)] += 1
                else:
                    found.files.append(CardFile(Path(one.path), inside, one.size, one.modified_ns, deployment))
    except OSError as error:
        raise InvalidInput(f"{root}: {error.strerror or error}; expected a folder or a mounted card") from error
    found.files.sort(key=lambda one: (FAMILIES.index(one.family), one.inside))
    return found


def _inside(root: Path, path: str) -> str:
    return printable_name(os.path.relpath(path, root).replace(os.sep, "/"))
