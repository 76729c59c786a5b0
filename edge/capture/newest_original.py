"""Check of the newest original after a power failure: a card can lose data that it has confirmed as written."""

import hashlib
import json
from collections.abc import Callable

from edge.capture.clip import Clip, Unusable
from edge.capture.originals import Originals

DAMAGED = ".damaged"
_REASON = "after the last stop of the station"


def newest_original(sensor: str, clip: Clip) -> dict[str, str]:
    """Return what to remember of a capture whose original the station has stored itself; else nothing.

    It is committed with the capture's event, for ``check_newest``.
    """
    if clip.original is None or clip.mark is not None:
        return {}
    return {_key(sensor): json.dumps([clip.original.name, clip.original.sha256])}


def check_newest(sensor: str, originals: Originals | None, remembered: Callable[[str], str | None]) -> list[Unusable]:
    """Compare the newest original with the hash in its event, and return the files that are missing or damaged.

    A damaged file is renamed, so that it is not taken for evidence and reported only once. A newer file, whose event
    was not stored before the power failed, is named too; it stays.

    Args:
        sensor: Name of the sensor.
        originals: The folder of its originals; None: it has none.
        remembered: Returns what was committed under a name.
    """
    text = remembered(_key(sensor)) if originals is not None else None
    if originals is None or text is None:
        return []
    name, sha256 = json.loads(text)
    found: list[Unusable] = []
    names = list(originals.names)
    if name not in names:
        # The quota deletes the oldest first: where older ones are left, it was not the quota.
        if names and names[0] < name:
            found.append(Unusable(name, f"{name}: the original is missing {_REASON}", 0, None))
        return found
    path = originals.folder / name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            damaged = hashlib.file_digest(file, "sha256").hexdigest() != sha256
        if damaged:
            path.rename(path.with_name(f"{name}{DAMAGED}"))
            problem = f"{name}: the original has another hash than its event {_REASON}; it is kept as {name}{DAMAGED}"
            found.append(Unusable(name, problem, size, None))
    except OSError as error:  # a bad sector
        found.append(Unusable(name, f"{name}: the original cannot be read: {error.strerror or error}", 0, None))
    for newer in names[names.index(name) + 1 :]:
        if not newer.endswith(DAMAGED):
            size = (originals.folder / newer).stat().st_size
            found.append(Unusable(newer, f"{newer}: no event was stored {_REASON}", size, None))
    return found


def _key(sensor: str) -> str:
    return f"original {sensor}"
