"""Counting of detections in InfluxDB per local day and hour.

InfluxQL supports offsets from UTC, but no local time.

InfluxDB 1.x opens every series in every shard for each sum, which takes longer than the summing itself. Sums are
therefore queried once per hour, from which days and hours of the day follow, and events once for the whole time.
"""

from datetime import timedelta

from ingest.store.counts import CountQuery, OffsetPeriod, TaxonCount
from ingest.store.influxdb.conditions import all_of, any_of, integer, within
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.microseconds import EPOCH
from ingest.store.tally import HOURS, Tally
from ingest.store.taxon_key import stored_names

SECOND_NS = 1_000_000_000
HOUR_NS = 3_600 * SECOND_NS
HOUR = timedelta(hours=1)


def count(link: InfluxConnection, query: CountQuery) -> list[TaxonCount]:
    """Count detections in a time range that is widened to full milliseconds; see ``Store.count``."""
    conditions = any_of("station", query.stations) + any_of("taxon", stored_names(query.taxa))
    if query.min_confidence > 0:
        conditions.append(f'"certainty" >= {float(query.min_confidence)!r}')
    # There are a hundred times more series by station and taxon than by taxon, and 1.x opens each in each week.
    measurement = "detection" if query.stations else "detection_by_taxon"
    tally = Tally(query.days)
    first_hour = (query.first - EPOCH.date()).days * HOURS
    for period in query.periods:
        _add_hours(link, measurement, tally, period, conditions, first_hour)
    conditions_text = all_of(within(query.start, query.end) + conditions)
    statement = f'SELECT SUM("leads") FROM "{measurement}" WHERE {conditions_text} GROUP BY "taxon", "observationType"'
    for table in link.tables(statement):
        for _, events in table.values:
            tally.add_captures(from_tag(table.tags["taxon"]), table.tags["observationType"], integer(events or 0))
    return tally.totals()


def _add_hours(
    link: InfluxConnection,
    measurement: str,
    tally: Tally,
    period: OffsetPeriod,
    conditions: list[str],
    first_hour: int,
) -> None:
    if period.start >= period.end:
        return
    # Align the hours with local ones, also for offsets that are not whole hours.
    shift_s = -period.offset % HOUR // timedelta(seconds=1)
    every = f"time(1h, {shift_s}s)" if shift_s else "time(1h)"
    offset_ns = period.offset // timedelta(seconds=1) * SECOND_NS
    conditions_text = all_of(within(period.start, period.end) + conditions)
    for table in link.tables(
        f'SELECT SUM("counts"), SUM("untimed") FROM "{measurement}" WHERE {conditions_text} '
        f'GROUP BY {every}, "taxon", "observationType" fill(none)'
    ):
        taxon, kind = from_tag(table.tags["taxon"]), table.tags["observationType"]
        for start_ns, detections, untimed in table.values:
            hour = (start_ns + offset_ns) // HOUR_NS
            found = integer(detections or 0)
            tally.add_day(taxon, kind, (hour - first_hour) // HOURS, found)
            tally.add_hour(taxon, kind, hour % HOURS, found - integer(untimed or 0))  # points of 0.1 have no untimed
