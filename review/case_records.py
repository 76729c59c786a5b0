"""What pages and addresses of cases read and record: captures to link, and the use of their stations' records."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from casebook.cases.case_file import CaseFile, HeldEvent
from casebook.cases.deadlines import Deadline
from casebook.cases.entry import MOST_LINKS, Change, Entry, Finding, chain_problem, decode_entry
from contract import Deployment, Event, encode
from contract.errors import InvalidInput
from i18n.case_words import evidence_sentence
from i18n.language import Language
from review.page import Site
from review.problems import InvalidRequest


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with everything that its page shows.

    Attributes:
        case: Number, state and next deadline.
        encoded: Entries as they are stored, views and exports included, without those that cannot be read.
        entries: The same, decoded.
        problem: What is wrong with the stored entries or captures, in English; "" if they are whole.
        deadlines: Deadlines that have begun.
        held: Linked captures as the case keeps them, in order of time.
        incidents: Ids of linked incidents.
    """

    case: CaseFile
    encoded: Sequence[bytes]
    entries: Sequence[Entry]
    problem: str
    deadlines: Sequence[Deadline]
    held: Sequence[tuple[Event, HeldEvent]]
    incidents: Sequence[str]

    @property
    def findings(self) -> list[Finding]:
        """What was found, in the order of recording."""
        return [one.finding for one in self.entries if one.finding is not None]

    @property
    def outcome(self) -> Entry | None:
        """The entry that gave the outcome in force; None: there is none."""
        return next((one for one in reversed(self.entries) if one.outcome), None) if self.case.outcome else None

    def latest(self, step: str) -> Entry | None:
        """Return the latest entry of a step; None: it was not done."""
        return next((one for one in reversed(self.entries) if one.step == step), None)


def load_case(site: Site, number: str) -> CaseView | None:
    """Read a case; return None if there is none of this number.

    What cannot be read of it, since somebody has changed the database, is left out and named as a problem.
    """
    case = site.cases.case(number)
    if case is None:
        return None
    stored = site.cases.encoded_entries(number)
    problem = chain_problem(stored, number)
    encoded, entries, held = [], [], []
    for text in stored:
        with suppress(InvalidInput):
            entries.append(decode_entry(text))
            encoded.append(text)
    for one in site.cases.events_of(number):
        try:
            held.append((one.event, one))
        except msgspec.MsgspecError as error:
            problem = problem or f"a linked capture cannot be read: {error}"
    held.sort(key=lambda pair: pair[0].captured_at)
    deadlines, incidents = site.cases.deadlines(entries), site.cases.incidents_of(number)
    return CaseView(case, encoded, entries, problem, deadlines, held, incidents)


def view_case(site: Site, number: str, by: str) -> CaseView | None:
    """Record that somebody views a case, and read it; return None if there is none of this number."""
    if site.cases.case(number) is None:
        return None
    site.cases.record_access(number, "viewed", by, datetime.now(UTC))
    return load_case(site, number)


def held_events(site: Site, event_ids: Iterable[str]) -> list[HeldEvent]:
    """Return captures with their messages and deployment records, as a case keeps them.

    Raises:
        InvalidRequest: the store has no such capture, or they are more than one entry can name.
    """
    wanted = tuple(dict.fromkeys(event_ids))
    if len(wanted) > MOST_LINKS:
        raise InvalidRequest("records")
    payloads = site.store.payloads(wanted) if wanted else {}
    if len(payloads) != len(wanted):
        raise InvalidRequest("records")
    deployments = {(one.station, one.deployment): encode(one) for one in site.store.deployments()} if wanted else {}
    found = [HeldEvent(payloads[event_id]) for event_id in wanted]
    return [replace(one, deployment=deployments.get((one.event.station, one.event.deployment), b"")) for one in found]


def captures_of_incident(site: Site, incident_id: str) -> list[str]:
    """Return the ids of the first captures of an incident, as many as one entry can name.

    Raises:
        InvalidRequest: there is no such incident.
    """
    if site.incidents.incident(incident_id) is None:
        raise InvalidRequest("records")
    members = site.incidents.members(incident_id, MOST_LINKS)
    subjects = [one.occurrence.subject for one in members if one.occurrence.source != "health"]
    return list(dict.fromkeys(subjects))


def records_of(site: Site, event_ids: Sequence[str], incident_ids: Sequence[str]) -> list[HeldEvent]:
    """Return the captures of a request: those that it names, and those of the incidents that it names.

    Raises:
        InvalidRequest: one of them does not exist, or they are too many.
    """
    if len(incident_ids) > MOST_LINKS:
        raise InvalidRequest("records")
    of_incidents = [event_id for one in incident_ids for event_id in captures_of_incident(site, one)]
    return held_events(site, [*event_ids, *of_incidents[: max(0, MOST_LINKS - len(event_ids))]])


def open_case(site: Site, change: Change, event_ids: Sequence[str], by: str) -> CaseFile:
    """Open a case from captures and the incidents that the change names.

    Raises:
        InvalidRequest: a capture or incident does not exist.
        CaseRefused: a value is missing or out of its bounds.
    """
    now = datetime.now(UTC)
    events = records_of(site, event_ids, change.incidents)
    return site.cases.open(change, events, by, now, now.astimezone(site.zone).year)


def evidence_sentences(held: Iterable[tuple[Event, HeldEvent]], language: Language) -> list[tuple[str, str]]:
    """Return for each use of evidence the sentence about its stations, as pairs of use and sentence."""
    stations: dict[str, set[str]] = defaultdict(set)
    for event, one in held:
        stations[evidence_use(one)].add(event.station)
    return [
        (use, evidence_sentence(use, language.translate(", ").join(sorted(names)), language))
        for use, names in sorted(stations.items())
    ]


def evidence_use(held: HeldEvent) -> str:
    """Return what a capture may be used for by its station's deployment record; "" if that is not known."""
    try:
        return msgspec.json.decode(held.deployment, type=Deployment).evidence_use
    except msgspec.MsgspecError:  # also where there is no record
        return ""
