"""Independent records: which of several captures of one species at one place count."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

ComparedTo = Literal["last record", "last independent record"]
USUAL_INTERVAL = timedelta(minutes=30)


def independent_records(
    times: Sequence[datetime],
    interval: timedelta = USUAL_INTERVAL,
    compared_to: ComparedTo = "last independent record",
) -> list[bool]:
    """Return which records of one species at one place are independent.

    A record is independent if it is the first, or at least ``interval`` after the record that it is compared to. Both
    definitions are those of camtrapR (Niedballa et al. 2016, doi:10.1111/2041-210X.12600).

    Args:
        times: Times of the records, in ascending order.
        interval: Independence interval.
        compared_to: "last record": the record before, independent or not, so an animal that stays in front of the
            camera counts once, however long it stays. "last independent record": the last one that counted, so it
            counts once per interval.

    Raises:
        ValueError: the times are not in ascending order.
    """
    kept: list[bool] = []
    last: datetime | None = None
    before: datetime | None = None
    for time in times:
        if before is not None and time < before:
            raise ValueError(f"{time} comes after {before}: expected times in ascending order")
        reference = before if compared_to == "last record" else last
        independent = reference is None or time - reference >= interval
        kept.append(independent)
        last = time if independent else last
        before = time
    return kept
