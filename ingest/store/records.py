"""Records for statistics: for each capture and taxon one, as columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from contract.messages import ObservationType
from ingest.store.microseconds import check_period, microseconds

Integers = NDArray[np.int64]
MAX_ANIMALS = 255  # in one capture; more are counted as so many
_EXTRA_BITS = 9  # 8 for the number of animals, 1 for whether the hour is known


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Filter for reading records; an empty tuple accepts any value.

    Attributes:
        start: Listed at or after this time.
        end: Listed before this time.
        stations: Accepted stations.
        sensors: Accepted names of sensors.
        taxa: Accepted taxa, under any of their names.
        observation_types: Accepted types.
        min_confidence: Machine detections below this are left out; detections with a verdict always count.

    Raises:
        ValueError: a time has no time zone, or the end is before the start.
    """

    start: datetime
    end: datetime
    stations: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    observation_types: tuple[ObservationType, ...] = ()
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        check_period(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Records:
    """Records in the order of taxon, station and time.

    Attributes:
        taxa: Name and observation type of each taxon, sorted.
        stations: Names of the stations, sorted.
        taxon: (n,) positions in ``taxa``.
        station: (n,) positions in ``stations``.
        time_ms: (n,) milliseconds since 1970, UTC, of the time under which the capture is listed.
        animals: (n,) detections of the taxon in the capture, at most ``MAX_ANIMALS``.
        hour_known: (n,) whether the hour of the capture is known, see ``ingest.store.order.is_hour_known``.
    """

    taxa: tuple[tuple[str, ObservationType], ...]
    stations: tuple[str, ...]
    taxon: Integers
    station: Integers
    time_ms: Integers
    animals: Integers
    hour_known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time_ms)

    def where(self, chosen: NDArray[np.bool_]) -> "Records":
        """Return the records for which ``chosen`` (n,) is true."""
        columns = (self.taxon, self.station, self.time_ms, self.animals, self.hour_known)
        return Records(self.taxa, self.stations, *(column[chosen] for column in columns))  # type: ignore[arg-type]


def no_records() -> Records:
    """Return the result of a query that no record matches."""
    none = np.zeros(0, np.int64)
    return Records((), (), none, none, none, none, none.astype(np.bool_))


class RecordKeys:
    """Packs a record into one integer, in the order of records, because integers are sorted fastest.

    The integer has, from the highest bit: taxon, station, milliseconds since the start of the query, animals, and
    whether the hour is known.
    """

    def __init__(self, query: RecordQuery, taxa: int, stations: int) -> None:
        """Divide 63 bits among the parts.

        Raises:
            OverflowError: the parts need more than 63 bits.
        """
        self.start_ms = microseconds(query.start) // 1000
        span_ms = max(1, -(-microseconds(query.end) // 1000) - self.start_ms)
        self.station_shift = _EXTRA_BITS + span_ms.bit_length()
        self.taxon_shift = self.station_shift + stations.bit_length()
        bits = self.taxon_shift + taxa.bit_length()
        if bits > np.iinfo(np.int64).bits - 1:
            raise OverflowError(f"{bits} bits: expected at most 63")

    def unpack(self, keys: Integers, taxa: Sequence[tuple[str, ObservationType]], stations: Sequence[str]) -> Records:
        """Sort packed records (n,), in place, and unpack them."""
        keys.sort()
        span_mask = (1 << (self.station_shift - _EXTRA_BITS)) - 1
        station_mask = (1 << (self.taxon_shift - self.station_shift)) - 1
        return Records(
            tuple(taxa),
            tuple(stations),
            keys >> self.taxon_shift,
            (keys >> self.station_shift) & station_mask,
            ((keys >> _EXTRA_BITS) & span_mask) + self.start_ms,
            (keys >> 1) & MAX_ANIMALS,
            (keys & 1).astype(bool),
        )


def sorted_records(
    taxa: Sequence[tuple[str, ObservationType]],
    stations: Sequence[str],
    columns: tuple[Integers, Integers, Integers, Integers, NDArray[np.bool_]],
) -> Records:
    """Return records in their order.

    Args:
        taxa: Name and type of each taxon, sorted.
        stations: Names of stations, sorted.
        columns: Columns (n,) of records in any order: taxon, station, time_ms, animals, hour_known.
    """
    order = np.lexsort((columns[2], columns[1], columns[0]))
    taxon, station, time_ms, animals = (np.asarray(column, np.int64)[order] for column in columns[:4])
    hour_known = np.asarray(columns[4], bool)[order]
    return Records(tuple(taxa), tuple(stations), taxon, station, time_ms, np.minimum(animals, MAX_ANIMALS), hour_known)
