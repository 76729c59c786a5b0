"""Takes settings from the server, tries them, and goes back to those of before if the station is not well with them."""

import time
from collections.abc import Callable

from contract.desired_settings import DesiredSettings, InvalidSettings, read_desired
from contract.envelope import Envelope
from edge.remote.desired_file import DesiredFile, Trial, Verdict
from edge.remote.outcome import Outcome

TRIAL_S = 300.0  # a sensor that is lost retries after up to 1, 2, 4, ... 128 s within it
_RECENT_S = 120.0  # a sensor that has looked within this time works


class SettingsChange:
    """Change of settings of a running station; for use by one thread."""

    def __init__(
        self,
        file: DesiredFile,
        check: Callable[[DesiredSettings], object],
        values: str,
        working: Callable[[float], frozenset[str]],
        restart: Callable[[], object],
        trial_s: float = TRIAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the settings that the station was started with.

        Args:
            file: Settings in force and on trial.
            check: Raises ``InvalidSettings`` if the station cannot take settings.
            values: JSON text of the values in force of all settings that can be changed.
            working: Returns the sensors that have looked within the last seconds.
            restart: Starts the station anew with the settings of the file.
            trial_s: Time after which a trial is decided, in seconds.
            clock: Monotonic clock in seconds.
        """
        self._file, self._check, self.values, self._working, self._restart = file, check, values, working, restart
        self._trial_s, self._clock = trial_s, clock
        self._trial = file.read().trial
        self._decided_at = clock() + trial_s

    @property
    def serial(self) -> int:
        """Serial of the envelope with the settings in force; 0: those of the settings file alone."""
        return self._file.read().serial

    @property
    def verdict(self) -> Verdict | None:
        """Result of the last trial, until ``reported`` is called."""
        return self._file.read().verdict

    def reported(self) -> None:
        """Forget the result of the last trial, which is in the outbox."""
        self._file.reported()

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the trial is decided; None: there is no trial."""
        return max(0.0, self._decided_at - self._clock()) if self._trial else None

    def change(self, envelope: Envelope) -> Outcome:
        """Check the settings in an envelope and begin their trial; the answer follows when it is decided."""
        known = self._file.read()
        if known.trial is not None and known.trial.serial == envelope.serial:
            return Outcome("accepted", "on trial")  # the station was killed before it had noted the serial
        try:
            desired = read_desired(envelope.payload)
            self._check(desired)
        except InvalidSettings as error:
            return Outcome("refused", str(error))
        working = tuple(sorted(self._working(_RECENT_S)))
        trial = Trial(serial=envelope.serial, nonce=envelope.nonce, desired=desired, working=working)
        self._file.begin(trial)  # before the serial is noted: a repeated envelope is recognised by the trial
        return Outcome("accepted", f"on trial for {self._trial_s:.0f} s", then=self._restart)

    def decide(self) -> bool:
        """Decide a trial whose time is over, and return whether there is a ``verdict`` to report now.

        The settings stay if every sensor that worked before has looked lately. Otherwise the station goes back to those
        of before: it is started anew, and reports then.
        """
        trial = self._trial
        if trial is None or self._clock() < self._decided_at:
            return False
        self._trial = None
        lost = sorted(set(trial.working) - self._working(min(_RECENT_S, self._trial_s)))
        if not lost:
            self._file.keep()
            return True
        self._file.roll_back(f"sensor {', '.join(lost)} no longer works with these settings")
        self._restart()
        return False
