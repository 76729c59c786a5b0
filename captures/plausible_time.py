"""Whether a capture time can be that of a running clock; a clock that was reset shows one of a few typical dates."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from captures.clock import EARLIEST

_BEFORE_CAMERAS = datetime(1995, 1, 1, tzinfo=UTC)  # earlier times are the epochs of Unix, FAT and GPS
_TOLERANCE = timedelta(days=1)  # a clock in another time zone, and a start that was noted by hand, are within a day
_AFTER_RESET = timedelta(hours=1)  # a camera whose batteries were changed takes its first pictures within this time


@dataclass(frozen=True, slots=True)
class PossibleTimes:
    """The period in which a capture can have been made.

    Attributes:
        now: Time by the clock of this machine, UTC.
        written: Time at which the file was last written, UTC.
        deployed: When the deployment began; None: not known.
    """

    now: datetime
    written: datetime
    deployed: datetime | None = None

    def contain(self, moment: datetime) -> bool:
        """Return whether a running clock can have shown a moment, which is given in the zone of that clock.

        It cannot have shown a time before 1995, more than a day in the future, more than a day before the deployment,
        1 January 2000, or the first hour of another year before this one: clocks start there after a reset.
        """
        latest = self._latest()
        if moment < _BEFORE_CAMERAS or moment > latest + _TOLERANCE:
            return False
        if self.deployed is not None and moment < self.deployed - _TOLERANCE:
            return False
        return not _is_factory_time(moment, latest)

    def _latest(self) -> datetime:
        # A machine whose own clock was not set can only say that a file is not younger than its last change.
        return self.now if self.now >= EARLIEST else max(self.now, self.written)


def _is_factory_time(moment: datetime, now: datetime) -> bool:
    if (moment.month, moment.day) != (1, 1) or moment.year >= now.astimezone(moment.tzinfo).year:
        return False
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.year == 2000 or moment - midnight < _AFTER_RESET
