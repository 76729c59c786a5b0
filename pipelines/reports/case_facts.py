"""What the first page of a hand-over pack and the papers of a case know."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from casebook.cases.case_file import CaseFile
from casebook.cases.deadlines import Deadline
from casebook.cases.entry import Entry, Finding
from casebook.event_chain import ChainState
from contract import Deployment, Event

MOST_LISTED = 200  # captures and entries listed in a paper; the files have all of them


@dataclass(frozen=True, slots=True)
class StationFacts:
    """What is known of a station of a case.

    Attributes:
        name: Name of the station.
        deployments: Its deployment records, as they were when its captures were linked.
        keys: Public keys with which it signed events of the case.
        unsigned: Number of events of the case that it did not sign.
        events: Number of events of the case.
        chain: What the server knows of its whole chain; None: nothing.
    """

    name: str
    deployments: tuple[Deployment, ...]
    keys: tuple[str, ...]
    unsigned: int
    events: int
    chain: ChainState | None

    @property
    def evidence_use(self) -> str:
        """What its records may be used for: the weakest of its deployments; "" if that is not known."""
        uses = {one.evidence_use for one in self.deployments}
        return "lead" if "lead" in uses else next(iter(uses), "")


@dataclass(frozen=True, slots=True)
class AbsentFile:
    """A file that a station named and that is not in the pack.

    Attributes:
        sha256: Its hash, as the station named it.
        name: Role and name.
        damaged: Whether the server has it with other content; otherwise it does not have it.
    """

    sha256: str
    name: str
    damaged: bool

    def __str__(self) -> str:
        return f"{self.sha256} {self.name}: {'damaged' if self.damaged else 'not'} on the server"


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the papers of a case know.

    Attributes:
        case: The case.
        entries: Its entries.
        deadlines: Its deadlines.
        events: Its captures.
        stations: Their stations.
        media: Number of media files in the pack.
        absent: Files that stations named and that are not in the pack.
        key: Fingerprint of the key that signs the pack.
        unit: Name of the bureau; "": left open.
        at: Time of the export, UTC.
    """

    case: CaseFile
    entries: Sequence[Entry]
    deadlines: Sequence[Deadline]
    events: Sequence[Event]
    stations: Sequence[StationFacts]
    media: int
    absent: Sequence[AbsentFile]
    key: str
    unit: str
    at: datetime

    @property
    def findings(self) -> list[Finding]:
        """What was found, in the order of recording."""
        return [one.finding for one in self.entries if one.finding is not None]
