"""Points of the measurement ``decision`` for the verdicts that versions without it wrote."""

import time
from itertools import islice

from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.decisions import MEASUREMENT, complete_line, decision_line
from ingest.store.influxdb.listing import InfluxDbListing

_AT_ONCE = 500  # events


def complete_decisions(link: InfluxConnection, listing: InfluxDbListing) -> None:
    """Write the points of the measurement ``decision`` for the verdicts of versions that had none."""
    if link.rows(f'SELECT "decided" FROM "{MEASUREMENT}" LIMIT 1'):
        return
    rows = link.rows('SELECT "event_id" FROM "verdict"')
    event_ids = iter(dict.fromkeys(row["event_id"] for row in rows if row["event_id"]))
    if not rows:
        return
    while ids := list(islice(event_ids, _AT_ONCE)):
        verdicts = listing.verdicts_of(ids)
        link.write(
            decision_line(one.event, one.at_ns, one.listed_us, verdicts[one.event.event_id])
            for one in listing.stored(verdicts)
        )
    link.write([complete_line(time.time_ns())])
