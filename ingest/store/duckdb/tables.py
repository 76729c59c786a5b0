"""Schema of the DuckDB store, the SQL that applies verdicts to detections, and the upgrade of older files."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import msgspec

from contract.messages import ObservationType
from ingest.store.order import AHEAD_US, EARLIEST_US
from ingest.store.taxon_key import taxon_key

VERSION = 5

_TABLES = """
CREATE TABLE schema_version (version INTEGER);
CREATE TABLE event (
    event_id VARCHAR PRIMARY KEY, station VARCHAR, captured_us BIGINT, received_us BIGINT, payload VARCHAR,
    listed_us BIGINT, decided BOOLEAN, blank BOOLEAN);
CREATE TABLE verdict (
    event_id VARCHAR, ordinal INTEGER, outcome VARCHAR, taxon VARCHAR, observation_type VARCHAR,
    classified_by VARCHAR, decided_us BIGINT, sequence BIGINT, PRIMARY KEY (event_id, ordinal));
CREATE TABLE effort (
    effort_id VARCHAR PRIMARY KEY, station VARCHAR, sensor VARCHAR, start_us BIGINT, end_us BIGINT, payload VARCHAR,
    gap VARCHAR);
CREATE TABLE health (station VARCHAR, at_us BIGINT, payload VARCHAR, PRIMARY KEY (station, at_us));
CREATE TABLE status (station VARCHAR PRIMARY KEY, at_us BIGINT, payload VARCHAR);
"""

# The four columns after the model are derived from the machine's columns and the latest verdict; counts_as and
# counts_as_type are NULL if the detection does not count. Counting the detections with leads set counts events, one for
# each taxon; their animals is the number of detections of the taxon in the event. Taxa are accepted names. hour_known
# is false if the clock is not believed or the time is that of copying. The column "decided" is that of the event;
# "decided" and "blank" of events (see ``EventQuery``) come from their detections and verdicts.
_DETECTION = """
CREATE TABLE detection (
    event_id VARCHAR, ordinal INTEGER, station VARCHAR, captured_us BIGINT,
    taxon VARCHAR, observation_type VARCHAR, confidence DOUBLE, model VARCHAR,
    counts_as VARCHAR, counts_as_type VARCHAR, certainty DOUBLE, leads BOOLEAN, listed_us BIGINT,
    hour_known BOOLEAN, decided BOOLEAN, sensor VARCHAR, animals INTEGER);
"""
_SINCE_4 = ", listed_us BIGINT"
_SINCE_5 = ",\n    hour_known BOOLEAN, decided BOOLEAN, sensor VARCHAR, animals INTEGER"

# Days are numbers since 1970.
_MODEL_USE = """
CREATE TABLE model_use (
    station VARCHAR, sensor VARCHAR, model VARCHAR, version VARCHAR, first_day INTEGER, last_day INTEGER,
    PRIMARY KEY (station, sensor, model, version));
"""

_DEPLOYMENT = """
CREATE TABLE deployment (
    station VARCHAR, deployment VARCHAR, at_us BIGINT, payload VARCHAR, PRIMARY KEY (station, deployment, at_us));
"""

# The latest report of each station (kind "health") and of each of its deployments (kind "deployment").
_LATEST = """
CREATE TABLE latest (
    kind VARCHAR, station VARCHAR, name VARCHAR, received_us BIGINT, payload VARCHAR,
    PRIMARY KEY (kind, station, name));
"""

# Finds the verdicts on one event, since the primary key has two columns. A verdict may arrive before its event.
_VERDICTS_OF_AN_EVENT = """
CREATE INDEX verdict_event ON verdict (event_id);
CREATE TABLE judged_before (event_id VARCHAR PRIMARY KEY);
"""

# Corrections of sensors' clocks that are in force, and the events that they moved, as they were before.
_CLOCK_SHIFTS = """
CREATE TABLE clock_shift (
    shift_id VARCHAR PRIMARY KEY, station VARCHAR, sensor VARCHAR, start_us BIGINT, end_us BIGINT, shift_us BIGINT);
CREATE TABLE shifted_event (
    event_id VARCHAR PRIMARY KEY, shift_id VARCHAR, shift_us BIGINT, listed_us BIGINT, hour_known BOOLEAN);
"""

# Times are microseconds since 1970 in UTC. The payload is what the station sent, with fields of later versions.
SCHEMA = _TABLES + _DETECTION + _VERDICTS_OF_AN_EVENT + _DEPLOYMENT + _LATEST + _CLOCK_SHIFTS + _MODEL_USE


def verdicts_applied_sql(detections: str, verdicts: str) -> str:
    """Return SQL that selects rows of the table ``detection`` with the verdicts applied.

    Args:
        detections: A table of machine detections, with all detections of each event.
        verdicts: A table with at least the verdicts on these.
    """
    return f"""
    SELECT event_id, ordinal, station, captured_us, taxon, observation_type, confidence, model,
        counts_as, counts_as_type, certainty, counts_as IS NOT NULL AND row_number() OVER (
            PARTITION BY event_id, counts_as, counts_as_type ORDER BY certainty DESC, ordinal) = 1 AS leads
    FROM (
        SELECT * EXCLUDE (counts, found_taxon, found_type),
            CASE WHEN counts THEN found_taxon END AS counts_as, CASE WHEN counts THEN found_type END AS counts_as_type
        FROM (
            SELECT d.event_id, d.ordinal, d.station, d.captured_us, d.taxon, d.observation_type, d.confidence, d.model,
                coalesce(v.taxon, d.taxon) AS found_taxon,
                coalesce(v.observation_type, d.observation_type) AS found_type,
                coalesce(v.outcome, '') <> 'dismissed' AND found_type <> 'blank' AS counts,
                CASE WHEN v.outcome IS NULL THEN d.confidence ELSE 1 END AS certainty
            FROM {detections} d LEFT JOIN {verdicts} v ON v.event_id = d.event_id AND v.ordinal = d.ordinal
            AND v.outcome <> 'withdrawn'))
    """


def events_decided_sql(detections: str, verdicts: str) -> str:
    """Return SQL that selects the columns ``event_id``, ``decided`` and ``blank`` of events.

    Args:
        detections: Rows of the table ``detection``, with all detections of each event.
        verdicts: A table with at least the verdicts on these.
    """
    return f"""
    SELECT d.event_id, bool_and(v.outcome IS NOT NULL) AS decided, bool_and(d.counts_as IS NULL) AS blank
    FROM {detections} d LEFT JOIN {verdicts} v ON v.event_id = d.event_id AND v.ordinal = d.ordinal
        AND v.outcome <> 'withdrawn'
    GROUP BY d.event_id
    """


# Version 1 had no columns for what counts, and joined the verdicts in every query.
_TO_2 = f"""
DROP VIEW IF EXISTS counted;
ALTER TABLE detection RENAME TO detection_1;
{_DETECTION.replace(_SINCE_5, "").replace(_SINCE_4, "")}
INSERT INTO detection {verdicts_applied_sql("detection_1", "verdict")} ORDER BY captured_us;
DROP TABLE detection_1;
{_VERDICTS_OF_AN_EVENT}
INSERT INTO judged_before SELECT DISTINCT event_id FROM verdict WHERE event_id NOT IN (SELECT event_id FROM event);
"""

# Version 3 listed events by the time of capture, and had the order of verdicts and reports from their times.
# ``ingest.store.order`` has the reasons for the conditions.
_TO_4 = f"""
ALTER TABLE event ADD COLUMN listed_us BIGINT;
UPDATE event SET listed_us = CASE WHEN captured_us > received_us + {AHEAD_US} OR captured_us < {EARLIEST_US}
        AND payload->>'$.clock.synchronised' = 'false'
    OR payload->>'$.clock.source' = 'none' THEN received_us ELSE captured_us END;
ALTER TABLE detection ADD COLUMN listed_us BIGINT;
UPDATE detection SET listed_us = captured_us;
UPDATE detection SET listed_us = event.listed_us FROM event
    WHERE event.event_id = detection.event_id AND event.listed_us <> event.captured_us;
DROP INDEX verdict_event;
ALTER TABLE verdict ADD COLUMN sequence BIGINT;
UPDATE verdict SET sequence = decided_us;
CREATE INDEX verdict_event ON verdict (event_id);
{_LATEST}
INSERT INTO latest SELECT 'health', station, '', NULL,
    arg_max(payload, CASE WHEN at_us <= epoch_us(current_timestamp) THEN at_us ELSE -at_us END)
    FROM health GROUP BY station;
INSERT INTO latest SELECT 'deployment', station, deployment, NULL,
    arg_max(payload, CASE WHEN at_us <= epoch_us(current_timestamp) THEN at_us ELSE -at_us END)
    FROM deployment GROUP BY station, deployment;
"""

# ``ingest.store.order.is_hour_known`` has the reasons for the condition.
_HOUR_KNOWN = """
    event.listed_us // 1000 = event.captured_us // 1000
    AND coalesce(payload->>'$.clock.source', '') <> 'none'
    AND NOT (coalesce(payload->>'$.clock.source', '') = 'system'
        AND coalesce(payload->>'$.clock.synchronised', '') = 'false')
    AND coalesce((payload->>'$.clock.error_s')::DOUBLE, 0) <= 1800
"""

# Version 4 stored taxa under the names that detectors and people gave them, had no columns for records, did not know
# which events are decided or blank, and counted every capture in the hour under which it was listed.
# ``renamed`` is a table of names: taxon, observation_type, accepted.
_TO_5 = f"""
ALTER TABLE detection ADD COLUMN hour_known BOOLEAN;
ALTER TABLE event ADD COLUMN decided BOOLEAN;
ALTER TABLE event ADD COLUMN blank BOOLEAN;
ALTER TABLE detection ADD COLUMN decided BOOLEAN;
ALTER TABLE detection ADD COLUMN sensor VARCHAR;
ALTER TABLE detection ADD COLUMN animals INTEGER;
UPDATE detection SET taxon = accepted FROM renamed
    WHERE detection.taxon = renamed.taxon AND detection.observation_type = renamed.observation_type;
UPDATE detection SET counts_as = accepted FROM renamed
    WHERE counts_as = renamed.taxon AND counts_as_type = renamed.observation_type;
ALTER TABLE effort ADD COLUMN gap VARCHAR;
UPDATE effort SET gap = payload->>'$.gap';
DROP INDEX verdict_event;
UPDATE verdict SET taxon = accepted FROM renamed
    WHERE verdict.taxon = renamed.taxon AND verdict.observation_type = renamed.observation_type;
CREATE INDEX verdict_event ON verdict (event_id);
UPDATE detection SET sensor = coalesce(payload->>'$.sensor', ''), hour_known = {_HOUR_KNOWN}
    FROM event WHERE event.event_id = detection.event_id;
UPDATE detection SET animals = 1;
UPDATE detection SET animals = found.animals, leads = found.leads FROM (
    SELECT event_id, ordinal, captured_us, count(*) OVER (PARTITION BY event_id, counts_as, counts_as_type) AS animals,
        counts_as IS NOT NULL AND row_number() OVER (
            PARTITION BY event_id, counts_as, counts_as_type ORDER BY certainty DESC, ordinal) = 1 AS leads
    FROM detection WHERE event_id IN (SELECT event_id FROM detection GROUP BY event_id HAVING count(*) > 1)) found
    WHERE detection.event_id = found.event_id AND detection.ordinal = found.ordinal;
{_MODEL_USE}
INSERT INTO model_use SELECT station, sensor, model->>'$.name', model->>'$.version', min(day), max(day)
    FROM (SELECT station, payload->>'$.sensor' AS sensor, unnest(payload::JSON->'$.models[*]') AS model,
        (listed_us // 86400000000)::INTEGER AS day FROM event)
    WHERE sensor IS NOT NULL GROUP BY ALL;
CREATE TEMPORARY TABLE decided_5 AS {events_decided_sql("detection", "verdict")};
UPDATE event SET decided = false, blank = false;
UPDATE event SET decided = found.decided, blank = found.blank FROM decided_5 found
    WHERE event.event_id = found.event_id AND (found.decided OR found.blank);
UPDATE detection SET decided = false;
UPDATE detection SET decided = true FROM decided_5 found WHERE detection.event_id = found.event_id AND found.decided;
DROP TABLE decided_5;
{_CLOCK_SHIFTS}
"""

# By version, how its file becomes one of today. Version 2 had no table of deployments.
UPGRADES: Mapping[int, str] = {
    1: _TO_2 + _DEPLOYMENT + _TO_4 + _TO_5,
    2: _DEPLOYMENT + _TO_4 + _TO_5,
    3: _TO_4 + _TO_5,
    4: _TO_5,
}


def names_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the temporary table ``renamed`` of the names in a file of version 4 or less that are not accepted ones."""
    rows = connection.execute(
        "SELECT taxon, observation_type FROM detection UNION SELECT taxon, observation_type FROM verdict"
    ).fetchall()
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE renamed (taxon VARCHAR, observation_type VARCHAR, accepted VARCHAR)"
    )
    renamed = [
        (name, kind, accepted)
        for name, kind in rows
        if name is not None and (accepted := taxon_key(name, None, msgspec.convert(kind, ObservationType))) != name
    ]
    if renamed:
        connection.executemany("INSERT INTO renamed VALUES (?, ?, ?)", renamed)


# Subqueries that replace tables in a read-only file of an older version: the same results, but slower.
_DETECTION_OF_1 = f"({verdicts_applied_sql('detection', 'verdict')})"
_LISTED = "(SELECT *, captured_us AS listed_us FROM {})"
_EFFORT_WITH_GAP = "(SELECT *, payload->>'$.gap' AS gap FROM effort)"
_TIMED = f"""(SELECT d.*, found.hour_known FROM {{detection}} d
    LEFT JOIN (SELECT event_id, {_HOUR_KNOWN} AS hour_known FROM {{event}} event) found USING (event_id))"""
_DECIDED = f"""(SELECT e.*, found.decided, found.blank FROM {{event}} e
    LEFT JOIN ({events_decided_sql("{detection}", "verdict")}) found USING (event_id))"""
_DETECTION_DECIDED = f"""(SELECT d.*, found.decided FROM {{detection}} d
    LEFT JOIN ({events_decided_sql("{detection}", "verdict")}) found USING (event_id))"""
_WITHOUT_RECORDS = """(SELECT *, '' AS sensor,
    count(*) OVER (PARTITION BY event_id, counts_as, counts_as_type)::INTEGER AS animals FROM {})"""
_LATEST_OF = (
    "(SELECT '{kind}' AS kind, station, {name} AS name, NULL::BIGINT AS received_us, "
    "arg_max(payload, at_us) AS payload FROM {kind} GROUP BY ALL)"
)


@dataclass(frozen=True, slots=True)
class Relations:
    """Tables that queries read, or subqueries that replace them in a read-only file of an older version; "": none."""

    event: str = "event"
    detection: str = "detection"
    latest: str = "latest"
    shifted_event: str = "shifted_event"
    model_use: str | None = "model_use"
    effort: str = "effort"


def relations_of(version: int) -> Relations:
    """Return the relations of a read-only file of an older version."""
    event, detection, latest = "event", "detection", "latest"
    if version < 4:
        reports = [_LATEST_OF.format(kind="health", name="''")]
        if version >= 3:
            reports.append(_LATEST_OF.format(kind="deployment", name="deployment"))
        latest = f"({' UNION ALL '.join(reports)})"
        event = _LISTED.format(event)
        detection = _LISTED.format(_DETECTION_OF_1 if version == 1 else detection)
    detection = _WITHOUT_RECORDS.format(_TIMED.format(detection=detection, event=event))
    return Relations(
        _DECIDED.format(event=event, detection=detection),
        _DETECTION_DECIDED.format(detection=detection),
        latest,
        shifted_event="",
        model_use=None,
        effort=_EFFORT_WITH_GAP,
    )
