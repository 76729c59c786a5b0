"""Verification of a hand-over pack without the server that wrote it: files, signature, custody log, events, media."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from casebook.cases.entry import Entry, chain_problem, decode_entry
from contract import Event
from contract.codec import LIMIT_BYTES
from contract.errors import InvalidInput
from contract.event_chain import ChainLink, has_valid_signature, payload_sha256
from contract.validation import decode_stored
from pipelines.evidence.bag import (
    MOST_TAG_BYTES,
    SERVER_KEY,
    SIGNATURE,
    TAG_MANIFEST,
    Problem,
    check_bag,
    read_limited,
)
from pipelines.evidence.signature import fingerprint, is_signed_by, read_pem

CUSTODY = "data/custody.jsonl"
EVENTS, MEDIA = "data/events/", "data/media/"
MOST_CUSTODY_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class PackReport:
    """Result of a verification.

    Attributes:
        case: Number of the case; "" if it cannot be read.
        key: Fingerprint of the key that signed the pack; "" if there is no valid signature.
        problems: Everything that is wrong; empty: the pack is what the server signed.
        notes: What is not wrong and must be known, such as events that their stations did not sign.
        events: Number of events.
        media: Number of media files.
    """

    case: str
    key: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    events: int
    media: int


def verify_pack(folder: Path, known_keys: Collection[str]) -> PackReport:
    """Verify a pack; nothing in it can make this read or follow anything outside its folder.

    Args:
        folder: The pack.
        known_keys: Fingerprints of keys that the verifier trusts.

    Raises:
        InvalidInput: the folder is no folder.
        OSError: a file cannot be read.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder}: expected the folder of a hand-over pack")
    bag = check_bag(folder)
    files, hashes, problems = bag.files, bag.hashes, list(bag.problems)
    key, signature_problems = _check_signature(folder, files, known_keys)
    entries, custody_problems = _check_custody(folder, files)
    events, event_problems = _check_events(folder, files, entries)
    links, chain_problems = _check_chains(events)
    problems += [*signature_problems, *custody_problems, *event_problems, *chain_problems]
    problems += _check_media(hashes)
    notes = _notes(events, links, hashes)
    media = sum(name.startswith(MEDIA) for name in files)
    return PackReport(entries[0].case if entries else "", key, tuple(problems), tuple(notes), len(events), media)


def _check_signature(folder: Path, files: Collection[str], known_keys: Collection[str]) -> tuple[str, list[Problem]]:
    if SIGNATURE not in files:
        return "", [Problem("signature", SIGNATURE, "the pack is not signed")]
    if TAG_MANIFEST not in files or SERVER_KEY not in files:
        return "", []  # named as missing
    pem, signature, data = (
        read_limited(folder / name, MOST_TAG_BYTES) for name in (SERVER_KEY, SIGNATURE, TAG_MANIFEST)
    )
    key = None if pem is None else read_pem(pem)
    if key is None:
        return "", [Problem("key", SERVER_KEY, "expected an Ed25519 public key in PEM")]
    if signature is None or data is None or not is_signed_by(key, signature, data):
        return "", [Problem("signature", TAG_MANIFEST, f"it does not match the signature by the key in {SERVER_KEY}")]
    found = fingerprint(key)
    if found not in known_keys:
        expected = f"one of {', '.join(sorted(known_keys))}" if known_keys else "a known key, but none was named"
        return found, [Problem("key", SERVER_KEY, f"the pack is signed by key {found}, expected {expected}")]
    return found, []


def _check_custody(folder: Path, files: Collection[str]) -> tuple[list[Entry], list[Problem]]:
    if CUSTODY not in files:
        return [], [Problem("missing", CUSTODY, "expected the custody log of every pack")]
    data = read_limited(folder / CUSTODY, MOST_CUSTODY_BYTES)
    if data is None:
        return [], [Problem("custody", CUSTODY, f"larger than {MOST_CUSTODY_BYTES} bytes; it was not read")]
    lines = data.splitlines()
    try:
        entries = [decode_entry(line) for line in lines]
        problem = chain_problem(lines, entries[0].case) if entries else "it has no entries"
    except InvalidInput as error:
        return [], [Problem("custody", CUSTODY, str(error))]
    return entries, [Problem("custody", CUSTODY, problem)] if problem else []


def _check_events(
    folder: Path, files: Collection[str], entries: Sequence[Entry]
) -> tuple[dict[str, tuple[Event, str]], list[Problem]]:
    """Compare the events with those that the custody log links, and check what their stations signed.

    Returns:
        The events by id, each with the SHA-256 of its message, and everything that is wrong with them.
    """
    linked = {one.event_id: one.sha256 for entry in entries for one in entry.events}
    problems = [
        Problem("event", f"{EVENTS}{event_id}.json", "the custody log links this event; the pack does not have it")
        for event_id in sorted(linked)
        if f"{EVENTS}{event_id}.json" not in files
    ]
    found: dict[str, tuple[Event, str]] = {}
    for name in sorted(one for one in files if one.startswith(EVENTS)):
        payload = read_limited(folder / name, LIMIT_BYTES["event"])
        try:
            event = decode_stored(payload, Event) if payload is not None else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problems.append(Problem("event", name, f"not the message of a capture: {error}"))
            continue
        if event is None or payload is None:
            problems.append(Problem("event", name, f"larger than {LIMIT_BYTES['event']} bytes"))
            continue
        sha256 = payload_sha256(payload)
        if name != f"{EVENTS}{event.event_id}.json":
            problems.append(Problem("event", name, f"it is event {event.event_id}"))
        elif event.event_id not in linked:
            problems.append(Problem("event", name, "the custody log does not link this event"))
        elif linked[event.event_id] != sha256:
            problems.append(
                Problem("event", name, f"sha256 {sha256}, but the custody log linked {linked[event.event_id]}")
            )
        link = event.chain
        if isinstance(link, ChainLink) and not has_valid_signature(payload, link.key):
            problems.append(Problem("event", name, f"the signature of station {event.station} is not valid"))
        found[event.event_id] = event, sha256
    return found, problems


def _check_chains(events: Mapping[str, tuple[Event, str]]) -> tuple[dict[str, list[Event]], list[Problem]]:
    """Check that neighbours in a station's chain name each other, and return the events of each chain in order."""
    chains: dict[tuple[str, str, str], list[tuple[int, str, Event, str]]] = defaultdict(list)
    for event_id, (event, sha256) in events.items():
        if isinstance(event.chain, ChainLink):
            key = (event.station, event.chain.chain, event.chain.key)
            chains[key].append((event.chain.number, event_id, event, sha256))
    problems = []
    ordered: dict[str, list[Event]] = {}
    for (station, chain, _), members in chains.items():
        members.sort(key=lambda one: one[:2])
        ordered[f"{station} {chain}"] = [one[2] for one in members]
        for (number, _, _, previous), (next_number, event_id, event, _) in pairwise(members):
            name = f"{EVENTS}{event_id}.json"
            if next_number == number:
                problems.append(Problem("chain", name, f"station {station} signed two events as number {number}"))
            elif next_number == number + 1 and isinstance(event.chain, ChainLink) and event.chain.previous != previous:
                detail = f"it names {event.chain.previous} as the event before it, which has sha256 {previous}"
                problems.append(Problem("chain", name, detail))
    return ordered, problems


def _check_media(hashes: Mapping[str, str]) -> list[Problem]:
    """Check that the manifest has for each media file the hash by which it is named."""
    return [
        Problem("media", name, f"the manifest names sha256 {sha256} for it: expected a file named by its hash")
        for name, sha256 in sorted(hashes.items())
        if name.startswith(MEDIA) and name.removeprefix(MEDIA).partition(".")[0] != sha256
    ]


def _notes(
    events: Mapping[str, tuple[Event, str]], chains: Mapping[str, Sequence[Event]], hashes: Mapping[str, str]
) -> list[str]:
    notes = []
    unsigned = sum(not isinstance(event.chain, ChainLink) for event, _ in events.values())
    if unsigned:
        notes.append(f"{unsigned} of {len(events)} events were not signed by their station")
    named = {media.sha256 for event, _ in events.values() for media in event.media}
    unnamed = sum(name.startswith(MEDIA) and sha256 not in named for name, sha256 in hashes.items())
    if unnamed:
        notes.append(f"{unnamed} media files are not named by the message of a station")
    absent = len(named - set(hashes.values()))
    if absent:
        notes.append(f"{absent} files that stations named, such as originals, are not in the pack")
    for name, members in sorted(chains.items()):
        numbers = [event.chain.number for event in members if isinstance(event.chain, ChainLink)]
        between = numbers[-1] - numbers[0] + 1 - len(numbers)
        if between:
            station = name.partition(" ")[0]
            notes.append(f"station {station}: {between} events between those of the case are not part of it")
    return notes
