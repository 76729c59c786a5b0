"""Detection of files that end the station's process: a decoder crashes on them, or takes all memory."""

import contextlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

from captures.folder_listing import ListedFile, printable_name
from captures.trial import survives
from contract.private_files import private_opener

LOG = logging.getLogger("wildpost.station")
TRIAL_AFTER = 3  # deaths in a row at one file; a station that is killed for other reasons seldom dies twice at one
GIVE_UP_AFTER = 12


class ReadingGuard:
    """Notes, in a small file, which capture is being examined; the next start of the station finds it if it died.

    The note survives the death of the process, not a power failure, which is no fault of the file.
    """

    def __init__(self, path: Path | None, survives: Callable[[Path, Callable[[], bool]], bool] = survives) -> None:
        """Read the note of the last run.

        Args:
            path: The file of the note; None: nothing is noted.
            survives: Returns whether a process that reads a file ends as it should, see ``captures.trial``.
        """
        self._path = path
        self._survives = survives
        self._last: tuple[str, int, int] | None = None
        self._deaths = 0
        if path is not None:
            with contextlib.suppress(OSError, ValueError, TypeError):
                name, size, modified_ns, deaths = json.loads(path.read_text(encoding="utf-8"))
                self._last, self._deaths = (str(name), int(size), int(modified_ns)), int(deaths)

    def begin(self, file: ListedFile, stopped: Callable[[], bool]) -> str:
        """Note that a file is being examined; return why it must not be examined, or ""."""
        key = (printable_name(file.path), file.size, file.modified_ns)
        if key != self._last:
            self._last, self._deaths = key, 0
        self._write([*key, self._deaths + 1])
        if self._deaths < TRIAL_AFTER:
            return ""
        LOG.warning("%s: the station died %d times in a row while it examined this file", key[0], self._deaths)
        if self._deaths >= GIVE_UP_AFTER:
            return f"the station died {self._deaths} times in a row while it examined this file"
        if not self._survives(Path(file.path), stopped):
            return (
                f"the station died {self._deaths} times while it examined this file, and so did a process that read it"
            )
        return ""

    def end(self) -> None:
        """Remove the note: nothing is being examined."""
        self._last, self._deaths = None, 0
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write(self, note: list[object]) -> None:
        if self._path is None:
            return
        # A full disk must not stop the station here.
        with contextlib.suppress(OSError), open(self._path, "w", encoding="utf-8", opener=private_opener) as file:
            json.dump(note, file)
