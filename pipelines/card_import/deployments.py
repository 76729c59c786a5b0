"""The deployment of each file on a card: from options, from a table, or from the names of the folders."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from contract import Location
from contract.errors import InvalidInput

LONGEST_PERIOD = timedelta(days=36_525)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
_NAME_CHARACTERS = 63
_FIELD = re.compile(r"\{(\w*)\}")
_FIELDS = ("place", "deployment", "")


class CardTableError(InvalidInput):
    """The table of deployments, the pattern of folder names or a name cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class CardDeployment:
    """One deployment of a camera or recorder whose files are imported.

    Attributes:
        station: Name of the place, as in messages.
        deployment: Id of the deployment, unique within the station.
        location: Position; None: unknown.
        location_name: Name of the place, as people call it.
        start: When the device was set up; None: unknown.
        end: When it was taken down; None: unknown.
        faults: Periods in which the device did not work, as pairs of start and end.
        habitat: Short description of the habitat.
        setup_by: Person or team that set it up.
        camera_model: Manufacturer and model.
        comments: Anything else.
    """

    station: str
    deployment: str
    location: Location | None = None
    location_name: str = ""
    start: datetime | None = None
    end: datetime | None = None
    faults: tuple[tuple[datetime, datetime], ...] = ()
    habitat: str = ""
    setup_by: str = ""
    camera_model: str = ""
    comments: str = ""

    def __post_init__(self) -> None:
        """Refuse a period that no device can have worked: each month of it becomes a message.

        Raises:
            CardTableError: the deployment or a fault is longer than ``LONGEST_PERIOD``.
        """
        whole = [(self.start, self.end)] if self.start and self.end else []
        for first, last in (*whole, *self.faults):
            if last - first > LONGEST_PERIOD:
                raise CardTableError(
                    f"{self.station} {self.deployment}: {first} to {last}: expected at most "
                    f"{LONGEST_PERIOD.days // 365} years"
                )

    @property
    def key(self) -> tuple[str, str]:
        """Station and deployment, which identify it."""
        return self.station, self.deployment


@dataclass(frozen=True, slots=True)
class FolderPattern:
    """Pattern of folder names, such as ``{place}/{deployment}``: each level of a file's path gives a name.

    Attributes:
        text: The pattern.
        levels: A regular expression for each level.
    """

    text: str
    levels: tuple[re.Pattern[str], ...]

    def names(self, folder: PurePosixPath) -> Mapping[str, str] | None:
        """Return place and deployment from the first levels of a folder; None if the folder does not match."""
        if len(folder.parts) < len(self.levels):
            return None
        found: dict[str, str] = {}
        for level, part in zip(self.levels, folder.parts, strict=False):
            match = level.fullmatch(part)
            if match is None:
                return None
            found |= match.groupdict()
        return found


def parse_pattern(text: str) -> FolderPattern:
    """Read a pattern of folder names.

    ``{place}`` and ``{deployment}`` stand for names, ``{}`` for anything that is ignored; other letters stand for
    themselves.

    Raises:
        CardTableError: a level is empty, a field is unknown or appears twice, or ``{place}`` is missing.
    """
    fields = _FIELD.findall(text)
    problem = next((f"unknown field {{{one}}}" for one in fields if one not in _FIELDS), "")
    named = [one for one in fields if one]
    if not problem and len(set(named)) < len(named):
        problem = "a field appears twice"
    if not problem and "place" not in named:
        problem = "{place} is missing"
    if not problem and not all(text.split("/")):
        problem = "a level is empty"
    if problem:
        raise CardTableError(f"pattern {text!r}: {problem}; expected a pattern such as '{{place}}/{{deployment}}'")
    return FolderPattern(text, tuple(_level(one) for one in text.split("/")))


def _level(text: str) -> re.Pattern[str]:
    parts = _FIELD.split(text)  # literal, field, literal, field, ...
    expression = ""
    for number, part in enumerate(parts):
        expression += re.escape(part) if number % 2 == 0 else f"(?P<{part}>.+?)" if part else ".*?"
    return re.compile(expression)


def message_name(text: str) -> str:
    """Return a name that messages can carry for the name of a folder or a place.

    A name of ASCII letters, digits, "-" and "_" stays as it is. Of other names these letters are kept, and eight
    digits of the hash of the whole name make them unique: 北坡 3 becomes 3-c83899f7, 北坡 becomes site-2d678181.
    """
    text = text.strip()
    if _NAME.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    kept = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    return f"{kept[: _NAME_CHARACTERS - 9] or 'site'}-{digest}"


class Placement:
    """Finds the deployment of a file by its folder.

    The table has the first word: the row whose folder is the deepest one above the file. Then the pattern gives the
    names of place and deployment, and a row with these names the rest. Then the options.
    """

    def __init__(
        self,
        default: CardDeployment | None,
        pattern: FolderPattern | None = None,
        by_folder: Mapping[PurePosixPath, CardDeployment] | None = None,
        by_name: Sequence[CardDeployment] = (),
    ) -> None:
        """Store the rules.

        Args:
            default: Deployment of the options; None: each file needs a row or a matching folder.
            pattern: Pattern of the folder names.
            by_folder: Rows of the table that name a folder.
            by_name: Rows of the table that name no folder.
        """
        self._default = default
        self._pattern = pattern
        self._by_folder = dict(by_folder or {})
        self._by_name = {one.key: one for one in by_name}
        self._known: dict[PurePosixPath, CardDeployment | None] = {}

    @property
    def folders(self) -> Mapping[PurePosixPath, CardDeployment]:
        """Rows of the table that name a folder."""
        return self._by_folder

    def of(self, folder: PurePosixPath) -> CardDeployment | None:
        """Return the deployment of the files in a folder, relative to the card; None if no rule gives one."""
        if folder not in self._known:
            self._known[folder] = self._find(folder)
        return self._known[folder]

    def _find(self, folder: PurePosixPath) -> CardDeployment | None:
        for one in (folder, *folder.parents):
            if one in self._by_folder:
                return self._by_folder[one]
        if self._pattern is None:
            return self._default
        names = self._pattern.names(folder)
        if names is None:
            return None
        place, deployment = names["place"], names.get("deployment")
        station = message_name(place)
        if deployment is None:
            if self._default is None:
                return None
            found = replace(self._default, station=station, location_name=place)
        else:
            found = CardDeployment(station, message_name(deployment), location_name=place)
        return self._by_name.get(found.key, found)

    def why_not(self, folder: PurePosixPath) -> str:
        """Return why a folder has no deployment."""
        shown = str(folder) if folder.parts else "the card's own folder"
        if self._pattern is not None:
            return f"{shown}: does not match the pattern {self._pattern.text!r}"
        return f"{shown}: is in no folder of the table of deployments"
