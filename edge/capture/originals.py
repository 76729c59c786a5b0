"""Originals that the station itself records: kept on its disk up to a quota, the oldest given up first."""

import dataclasses
import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np

from captures.decoded import Sound
from contract import Detection, Media
from edge.capture.clip import Clip

LOG = logging.getLogger("wildpost.station")
Kept = Literal["found", "all", "none"]


class Originals:
    """A folder of captures, named by their time."""

    def __init__(
        self, folder: Path, quota_bytes: int, gave_up: Callable[[int], object] = lambda number: number
    ) -> None:
        """Name the folder, how much it may hold, and who counts what is given up for it."""
        self._folder = folder
        self._quota = quota_bytes
        self._gave_up = gave_up
        self._uncounted = 0
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, data: bytes, name: str, kind: str) -> tuple[Path, Media]:
        """Keep a capture; it is on the disk when this returns, and its hash is taken now.

        Raises:
            OSError: it cannot be written.
        """
        self._make_room(len(data))
        path = self._free(name)
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)  # half a file must not take the room that the next one needs
            raise
        digest = hashlib.sha256(data).hexdigest()
        return path, Media(sha256=digest, type=kind, size=len(data), role="original", name=path.name)

    def give_up(self, number: int) -> None:
        """Count captures that are not kept, or not any longer; on a full disk, together with the next ones."""
        self._uncounted += number
        if not self._uncounted:
            return
        try:
            self._gave_up(self._uncounted)
        except OSError as error:  # the counter lies on the same disk: a finding must not be lost for its sake
            LOG.error("%s; %d originals are given up, and counted later", error, self._uncounted)
        else:
            self._uncounted = 0

    @property
    def quota_bytes(self) -> int:
        """How much the folder may hold."""
        return self._quota

    def _free(self, name: str) -> Path:
        """Find a name that is not taken: a clock that was set back must not overwrite what is there."""
        path, number = self._folder / name, 1
        while path.exists():
            number += 1
            path = self._folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        return path

    def _make_room(self, coming: int) -> None:
        files = sorted((path.name, path, path.stat().st_size) for path in self._folder.iterdir() if path.is_file())
        excess = sum(size for _, _, size in files) + coming - self._quota
        evicted = 0
        for _, path, size in files:
            if excess <= 0:
                break
            path.unlink()
            evicted += 1
            excess -= size
        self.give_up(evicted)


@dataclasses.dataclass(frozen=True, slots=True)
class Recordings:
    """What a microphone heard, kept without loss beside the clip that travels.

    Attributes:
        originals: Where.
        which: Those in which something was found, or all that was listened to.
    """

    originals: Originals
    which: Kept

    def kept(self, clip: Clip, found: Sequence[Detection], may_leave: bool) -> Clip:
        """Keep a stretch of sound, and name its original in the capture.

        A clip that may not leave the station is not kept on it either. A disk without room costs the original and not
        the finding: that is counted, and said.
        """
        wanted = self.which == "all" or (self.which == "found" and found)
        if not (wanted and may_leave and isinstance(clip.content, Sound)) or clip.original is not None:
            return clip
        data = flac(clip.content)
        name = Path(clip.name).with_suffix(".flac").name
        try:
            if len(data) > self.originals.quota_bytes:
                raise OSError(f"{len(data)} bytes: originals_quota_bytes allows {self.originals.quota_bytes} in all")
            _, media = self.originals.keep(data, name, "audio/flac")
        except OSError as error:
            LOG.error("%s: its original is not kept: %s", name, error.strerror or error)
            self.originals.give_up(1)
            return clip
        return dataclasses.replace(clip, original=media)


def flac(sound: Sound) -> bytes:
    """Encode a sound without loss, in 24 bits: what came from 16 bits takes no more room than in 16."""
    import soundfile

    # Whole numbers, since libsndfile scales floats by 2^23 - 1, which makes 16 bits into 24 that do not compress.
    scaled = np.rint(sound.samples.astype(np.float64) * 2**31)
    samples = np.clip(scaled, -(2**31), 2**31 - 1).astype(np.int32)
    file = BytesIO()
    soundfile.write(file, samples, sound.rate_hz, format="FLAC", subtype="PCM_24")
    return file.getvalue()
