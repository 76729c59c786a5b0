"""Writes simulated messages as bundles, as stations without a network write them to a USB stick."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from contract.bundle.documents import BundleEntry, Manifest, message_sha256
from contract.bundle.writer import write_bundle
from wildpost.simulation.station import SentMessage

_MAX_ENTRIES = 20_000  # in one bundle
_MAX_BYTES = 100_000_000


@dataclass(slots=True)
class _Pending:
    """Messages of one station that are not in a bundle yet."""

    entries: list[BundleEntry] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    size: int = 0


def write_bundles(folder: Path, messages: Iterable[SentMessage]) -> tuple[list[Path], int]:
    """Write the messages of each station to bundles of its own; return the files and the number of messages.

    Raises:
        OSError: the folder is not there, is not writable, or is full.
    """
    pending: dict[str, _Pending] = {}
    written: list[Path] = []
    count = 0
    last: dict[str, SentMessage] = {}
    for count, one in enumerate(messages, start=1):
        own = pending.setdefault(one.station, _Pending())
        entry = BundleEntry(
            number=count, topic=one.topic, size=len(one.payload), sha256=message_sha256(one.topic, one.payload)
        )
        own.entries.append(entry)
        own.payloads.append(one.payload)
        own.size += len(one.payload)
        last[one.station] = one
        if len(own.entries) >= _MAX_ENTRIES or own.size >= _MAX_BYTES:
            written.append(_write(folder, one, own))
            del pending[one.station]
    written += [_write(folder, last[station], own) for station, own in pending.items()]
    return written, count


def _write(folder: Path, last: SentMessage, own: _Pending) -> Path:
    manifest = Manifest(station=last.station, created_at=last.at, entries=tuple(own.entries), wildpost="simulation")
    return write_bundle(folder, manifest, own.payloads)
