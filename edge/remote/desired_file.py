"""File of the settings that the server wants: those in force, and those that are being tried."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from contract.desired_settings import DesiredSettings
from contract.durable_file import durable_file
from contract.errors import WildpostError

MOST_STARTS = 3  # of a station during one trial: it crashes, or takes the machine with it


class DesiredFileError(WildpostError):
    """Raised when the file cannot be read; the message names it."""


class Trial(Struct, frozen=True, kw_only=True):
    """Settings that are being tried.

    Attributes:
        serial: Serial of their envelope.
        nonce: Nonce of their envelope.
        desired: The settings.
        working: Sensors that worked under the settings before.
        starts: How often the station has started with them.
    """

    serial: int
    nonce: str
    desired: DesiredSettings
    working: tuple[str, ...]
    starts: int = 0


class Verdict(Struct, frozen=True, kw_only=True):
    """Result of a trial, until it has been reported."""

    serial: int
    nonce: str
    state: Literal["done", "rolled-back"]
    detail: str = ""


class Desired(Struct, frozen=True, kw_only=True):
    """Content of the file.

    Attributes:
        serial: Serial of the envelope with the settings in force; 0: those of the settings file alone.
        settings: The settings in force.
        trial: What is tried instead; None: nothing.
        verdict: Result of the last trial, until it has been reported.
    """

    serial: int = 0
    settings: DesiredSettings = DesiredSettings()
    trial: Trial | None = None
    verdict: Verdict | None = None


class DesiredFile:
    """The file; each change is on the disk when the method returns."""

    def __init__(self, path: Path) -> None:
        """Store the path of the file, which need not exist."""
        self._path = path

    def read(self) -> Desired:
        """Return the content.

        Raises:
            DesiredFileError: the file is damaged.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Desired)
        except FileNotFoundError:
            return Desired()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DesiredFileError(
                f"{self._path}: {error}; move it away: the settings file alone counts then"
            ) from error

    def begin(self, trial: Trial) -> None:
        """Try other settings from the next start on."""
        self._write(msgspec.structs.replace(self.read(), trial=trial, verdict=None))

    def count_start(self) -> Desired:
        """Count a start of the station during a trial, and return the content; too many starts end the trial."""
        found = self.read()
        if found.trial is None:
            return found
        if found.trial.starts >= MOST_STARTS:
            return self.roll_back(f"the station was started {MOST_STARTS} times within the trial")
        found = msgspec.structs.replace(
            found, trial=msgspec.structs.replace(found.trial, starts=found.trial.starts + 1)
        )
        return self._write(found)

    def keep(self) -> Desired:
        """End the trial with its settings in force."""
        found = self.read()
        trial = found.trial
        assert trial is not None, "there is a trial"  # noqa: S101
        verdict = Verdict(serial=trial.serial, nonce=trial.nonce, state="done")
        return self._write(Desired(serial=trial.serial, settings=trial.desired, verdict=verdict))

    def roll_back(self, why: str) -> Desired:
        """End the trial with the settings of before in force."""
        found = self.read()
        trial = found.trial
        assert trial is not None, "there is a trial"  # noqa: S101
        verdict = Verdict(serial=trial.serial, nonce=trial.nonce, state="rolled-back", detail=why)
        return self._write(msgspec.structs.replace(found, trial=None, verdict=verdict))

    def reported(self) -> None:
        """Forget the result of the last trial, which is in the outbox."""
        found = self.read()
        if found.verdict is not None:
            self._write(msgspec.structs.replace(found, verdict=None))

    def _write(self, content: Desired) -> Desired:
        with durable_file(self._path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
        return content
