"""Storage of original captures that the station records itself; above a disk quota, the oldest are deleted."""

import dataclasses
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np

from captures.decoded import Sound
from contract import Detection, Media
from contract.durable_file import PARTIAL, durable_file
from contract.private_files import make_private_folder
from edge.capture.clip import Clip

LOG = logging.getLogger("wildpost.station")
OriginalsPolicy = Literal["found", "all", "none"]


class Originals:
    """Folder of original captures with a disk quota; the files are named by capture time."""

    def __init__(
        self, folder: Path, quota_bytes: int, on_evicted: Callable[[int], object] = lambda number: number
    ) -> None:
        """Create the folder; ``on_evicted`` receives the number of originals that were deleted or not stored."""
        self.folder = folder
        self._quota = quota_bytes
        self._on_evicted = on_evicted
        self._uncounted = 0
        make_private_folder(folder)
        for partial in folder.glob(f".*{PARTIAL}"):
            partial.unlink()  # of a capture during which the power failed
        # Listed once: with years of pictures in the folder, each new one would otherwise read all their entries.
        self._files = deque(sorted((path.name, path.stat().st_size) for path in folder.iterdir() if path.is_file()))
        self._taken_bytes = sum(size for _, size in self._files)

    @property
    def names(self) -> Sequence[str]:
        """Names of the files, the newest last."""
        return [name for name, _ in self._files]

    def keep(self, data: bytes, name: str, kind: str) -> tuple[Path, Media]:
        """Write a capture durably to the folder; return its path and its metadata with the data's SHA-256.

        Raises:
            OSError: the file cannot be written.
        """
        self._make_room(len(data))
        path = self._unused_path(name)
        with durable_file(path) as file:
            file.write(data)
        self._files.append((path.name, len(data)))
        self._taken_bytes += len(data)
        digest = hashlib.sha256(data).hexdigest()
        return path, Media(sha256=digest, type=kind, size=len(data), role="original", name=path.name)

    def count_evicted(self, number: int) -> None:
        """Report to ``on_evicted`` how many originals were deleted or not stored.

        If the report fails because the disk is full, the number is added to the next report.
        """
        self._uncounted += number
        if not self._uncounted:
            return
        try:
            self._on_evicted(self._uncounted)
        except OSError as error:  # the counter is on the same disk; its failure must not lose a detection
            LOG.error("%s; %d originals were deleted or not stored; they are counted later", error, self._uncounted)
        else:
            self._uncounted = 0

    @property
    def quota_bytes(self) -> int:
        """Largest total size of the files in the folder, in bytes."""
        return self._quota

    def _unused_path(self, name: str) -> Path:
        """Return an unused path for a file name, so that no file is overwritten after a clock change."""
        path, number = self.folder / name, 1
        while path.exists():
            number += 1
            path = self.folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        return path

    def _make_room(self, coming: int) -> None:
        evicted = 0
        while self._files and self._taken_bytes + coming > self._quota:
            name, size = self._files.popleft()
            (self.folder / name).unlink(missing_ok=True)
            self._taken_bytes -= size
            evicted += 1
        self.count_evicted(evicted)


@dataclasses.dataclass(frozen=True, slots=True)
class Recordings:
    """Storage of a microphone's sound as lossless files, in addition to the clips that are sent to the server.

    Attributes:
        originals: Folder of the recordings.
        which: Whether to store stretches with detections, all stretches or none.
    """

    originals: Originals
    which: OriginalsPolicy

    def store(self, clip: Clip, found: Sequence[Detection], may_leave: bool) -> Clip:
        """Store a sound capture as FLAC if ``which`` selects it; return the capture, with its original if stored.

        A stretch whose clip may not leave the station is not stored either. If the disk is full, the original is not
        stored, which is counted and logged; the detections are kept.
        """
        wanted = self.which == "all" or (self.which == "found" and found)
        if not (wanted and may_leave and isinstance(clip.content, Sound)) or clip.original is not None:
            return clip
        data = flac(clip.content)
        name = Path(clip.name).with_suffix(".flac").name
        try:
            if len(data) > self.originals.quota_bytes:
                raise OSError(f"{len(data)} bytes: originals_quota_bytes allows {self.originals.quota_bytes} in total")
            _, media = self.originals.keep(data, name, "audio/flac")
        except OSError as error:
            LOG.error("%s: the original is not stored: %s", name, error.strerror or error)
            self.originals.count_evicted(1)
            return clip
        return dataclasses.replace(clip, original=media)


def flac(sound: Sound) -> bytes:
    """Encode a sound as lossless 24-bit FLAC; samples from a 16-bit source take no more space than 16-bit FLAC."""
    import soundfile

    # Integers: libsndfile scales floats by 2^23 - 1, and 16-bit samples would become 24-bit ones that compress badly.
    scaled = np.rint(sound.samples.astype(np.float64) * 2**31)
    samples = np.clip(scaled, -(2**31), 2**31 - 1).astype(np.int32)
    file = BytesIO()
    soundfile.write(file, samples, sound.rate_hz, format="FLAC", subtype="PCM_24")
    return file.getvalue()
