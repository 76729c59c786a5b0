"""Settings of the budgets of stations."""

from typing import Annotated

import msgspec
from msgspec import Meta

LIVE_HZ = 1.0  # recent captures of one station that may overtake a backlog; an honest station has fewer
LIVE_AT_ONCE = 60.0
MAX_STATIONS = 4096  # counted one by one; further names share one budget, so that invented names fill no memory
EXCERPTS = 3  # unreadable messages kept with their first bytes, for each that is kept whole
_Positive = Annotated[int, Meta(ge=1)]


class BudgetOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a station may send in an hour.

    Valid messages beyond a budget are held back, not dropped: an honest station that returns after a month without a
    network sends more than any budget allows. What cannot be of use is counted and dropped.

    Attributes:
        messages_per_hour: Messages of one station that are processed as they arrive.
        megabytes_per_hour: Their size in megabytes.
        spool_megabytes: Most megabytes of messages that are held back on disk, of all stations together; half of the
            free disk space if that is less. Beyond it, messages are processed in the order of arrival again.
        quarantine_per_hour: Unreadable messages of one station that are kept with their content; three times as many
            more are kept with their first bytes, the rest is counted.
        unclaimed_megabytes: Most megabytes of one station's media that no stored event names, and five times as many
            of all stations; the rest is counted and dropped.
    """

    messages_per_hour: _Positive = 20_000
    megabytes_per_hour: _Positive = 500
    spool_megabytes: Annotated[int, Meta(ge=0)] = 4_000
    quarantine_per_hour: _Positive = 500
    unclaimed_megabytes: _Positive = 200
