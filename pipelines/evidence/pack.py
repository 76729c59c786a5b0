"""Writes the hand-over pack of a case: captures, custody log, verdicts and papers in a signed BagIt folder."""

import hashlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from casebook.casebook import Casebook
from casebook.cases.case_file import CaseFile, HeldEvent
from casebook.cases.deadlines import Deadline
from casebook.cases.entry import CaseRefused
from casebook.cases.repository import Cases
from casebook.event_chain import EventChains
from contract import Deployment, Event
from contract.durable_file import files_synced, sync_folder
from contract.errors import InvalidInput
from contract.event_chain import ChainLink
from contract.private_files import make_private_folder
from i18n.language import Language
from ingest.media.port import MediaMissing, MediaStore
from pipelines.evidence.bag import BagWriter
from pipelines.evidence.signature import fingerprint, public_pem, signed
from pipelines.reports.case_facts import AbsentFile, CaseFacts, StationFacts
from pipelines.reports.case_papers import papers
from pipelines.reports.docx_file import write_docx
from pipelines.reports.html_page import html_page
from pipelines.reports.pack_first_page import first_page

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SUFFIXES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "video/mp4": "mp4",
}


@dataclass(frozen=True, slots=True)
class PackSource:
    """What a pack is written from.

    Attributes:
        casebook: Verdicts, flags and media entries.
        cases: The cases.
        chains: What the server knows of the stations' chains.
        media: The media store.
        key: Key that signs the pack.
        software: Name and version of this program.
    """

    casebook: Casebook
    cases: Cases
    chains: EventChains
    media: MediaStore
    key: "Ed25519PrivateKey"
    software: str


@dataclass(frozen=True, slots=True)
class PackOptions:
    """Who exports a pack, and how.

    Attributes:
        by: Who exports it; recorded in the custody log.
        at: When, UTC.
        unit: Name of the bureau; "": left open in the papers.
        language: Language of the first page and the papers.
    """

    by: str
    at: datetime
    unit: str
    language: Language


@dataclass(frozen=True, slots=True)
class WrittenPack:
    """A written pack.

    Attributes:
        key: Fingerprint of the key that signed it.
        events: Number of events.
        media: Number of media files.
        absent: Files that stations named and the server does not have, or has damaged.
    """

    key: str
    events: int
    media: int
    absent: tuple[AbsentFile, ...]


def write_pack(number: str, folder: Path, source: PackSource, options: PackOptions) -> WrittenPack:
    """Write the pack of a case into a new folder; the export is recorded in the custody log, which is in the pack.

    Args:
        number: Number of the case.
        folder: A folder that does not exist yet, or is empty.
        source: What the pack is written from.
        options: Who exports it, and how.

    Raises:
        CaseRefused: there is no such case.
        InvalidInput: the folder is not empty.
        StoreUnavailable: the casebook or the media store does not answer.
        OSError: a file cannot be written; nothing is left behind.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder}: expected a new or empty folder")
    if source.cases.case(number) is None:
        raise CaseRefused("missing", f"case {number[:40]!r}: there is none of this number")
    source.cases.record_access(number, "exported", options.by, options.at, "hand-over pack")
    case = source.cases.case(number)
    assert case is not None  # noqa: S101, cases are never deleted
    with _staging(folder) as staging:
        bag = BagWriter(staging)
        written = _write(bag, staging, case, source, options)
        info = {
            "Source-Organization": options.unit or "not named",
            "External-Identifier": number,
            "Bagging-Date": options.at.date().isoformat(),
            "Bag-Software-Agent": source.software,
            "Wildpost-Key-SHA256": written.key,
        }
        tag_manifest = bag.finish(info, public_pem(source.key.public_key()))
        bag.add_signature(signed(source.key, tag_manifest))
    return written


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield a folder beside the target, which becomes the target when everything in it is on disk."""
    make_private_folder(folder.parent)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with files_synced(staging) as files:
            yield staging
            files += [path for path in staging.rglob("*") if path.is_file()]
        staging.replace(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def _write(bag: BagWriter, staging: Path, case: CaseFile, source: PackSource, options: PackOptions) -> WrittenPack:
    entries = source.cases.entries(case.number)
    deadlines = source.cases.deadlines(entries)
    held = source.cases.events_of(case.number)
    events = [one.event for one in held]
    for one, event in zip(held, events, strict=True):
        bag.add(f"events/{event.event_id}.json", one.payload)
    media, absent = _write_media(bag, source, events)
    bag.add("custody.jsonl", b"\n".join(source.cases.encoded_entries(case.number)) + b"\n")
    bag.add("case.json", _json(_case_record(case, deadlines, source.cases.incidents_of(case.number))))
    ids = [event.event_id for event in events]
    histories = source.casebook.verdict_histories(ids)
    bag.add("verdicts.jsonl", _lines(verdict for event_id in ids for verdict in histories.get(event_id, [])))
    flags = source.casebook.flags_of(ids)
    bag.add("flags.jsonl", _lines(flag for event_id in ids for flag in flags.get(event_id, [])))
    stations = _stations(held, events, source.chains, options.at)
    bag.add("equipment.json", _json(_equipment(events, stations, source)))
    key = fingerprint(source.key.public_key())
    facts = CaseFacts(case, entries, deadlines, events, stations, media, absent, key, options.unit, options.at)
    page = first_page(facts, options.language)
    bag.add("00-first-page.html", html_page(page).encode())
    with tempfile.TemporaryDirectory(dir=staging.parent, prefix=".papers-") as drafts:
        for name, paper in papers(facts, options.language).items():
            draft = Path(drafts) / name
            write_docx(paper, draft)
            bag.add(f"papers/{name}", draft.read_bytes())
    return WrittenPack(key, len(events), media, tuple(absent))


def _write_media(bag: BagWriter, source: PackSource, events: Sequence[Event]) -> tuple[int, list[AbsentFile]]:
    """Write the media of events, and return their number and what is absent."""
    received = source.casebook.media_of([event.event_id for event in events])
    wanted: dict[str, tuple[str, str]] = {}
    for event in events:
        for one in event.media:
            wanted.setdefault(one.sha256, (one.type, f"{one.role} {one.name}".strip()))
        for entry in received.get(event.event_id, []):
            wanted.setdefault(entry.sha256, (entry.type, entry.role))
    absent = []
    for sha256, (kind, name) in sorted(wanted.items()):
        try:
            with source.media.open(sha256) as file:
                data = file.read()
        except MediaMissing:
            absent.append(AbsentFile(sha256, name, damaged=False))
            continue
        if hashlib.sha256(data).hexdigest() != sha256:
            absent.append(AbsentFile(sha256, name, damaged=True))
            continue
        bag.add(f"media/{sha256}.{_SUFFIXES.get(kind, 'bin')}", data)
    return len(wanted) - len(absent), absent


def _stations(
    held: Sequence[HeldEvent], events: Sequence[Event], chains: EventChains, now: datetime
) -> list[StationFacts]:
    """Return what is known of each station of a case: its deployments, keys, and the state of its chain."""
    states = chains.states(now)
    keys: dict[str, set[str]] = defaultdict(set)
    unsigned: dict[str, int] = defaultdict(int)
    deployments: dict[str, dict[str, Deployment]] = defaultdict(dict)
    for one, event in zip(held, events, strict=True):
        if isinstance(event.chain, ChainLink):
            keys[event.station].add(event.chain.key)
        else:
            unsigned[event.station] += 1
        if one.deployment:
            record = msgspec.json.decode(one.deployment, type=Deployment)
            deployments[event.station][record.deployment] = record
    return [
        StationFacts(
            name,
            tuple(deployments[name].values()),
            tuple(sorted(keys[name])),
            unsigned[name],
            sum(event.station == name for event in events),
            states.get(name),
        )
        for name in sorted({event.station for event in events})
    ]


def _case_record(case: CaseFile, deadlines: Sequence[Deadline], incidents: Sequence[str]) -> dict[str, object]:
    return {
        "case": case,
        "deadlines": [
            {"rule": one.rule, "started_at": one.started_at, "due_at": one.due_at, "met_at": one.met_at}
            for one in deadlines
        ],
        "incidents": incidents,
    }


def _equipment(events: Sequence[Event], stations: Sequence[StationFacts], source: PackSource) -> dict[str, object]:
    models = {(one.name, one.version, one.sha256): one for event in events for one in event.models}
    return {
        "software": source.software,
        "models": [models[key] for key in sorted(models)],
        "stations": [
            {
                "station": one.name,
                "deployments": one.deployments,
                "public_keys": one.keys,
                "unsigned_events": one.unsigned,
                "chain_on_server": one.chain,
            }
            for one in stations
        ],
        "deadlines": source.cases.options.deadlines,
        "not_recorded": "thresholds of detectors at the time of a capture: stations do not report them",
    }


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _lines(values: Iterator[object]) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)
