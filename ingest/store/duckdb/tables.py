"""The tables of the DuckDB store, what counts in them, and how an older file becomes one of today."""

from collections.abc import Mapping

from ingest.store.duckdb.deployments import TABLE as _DEPLOYMENT

VERSION = 3

_TABLES = """
CREATE TABLE schema_version (version INTEGER);
CREATE TABLE event (
    event_id VARCHAR PRIMARY KEY, station VARCHAR, captured_us BIGINT, received_us BIGINT, payload VARCHAR);
CREATE TABLE verdict (
    event_id VARCHAR, ordinal INTEGER, outcome VARCHAR, taxon VARCHAR, observation_type VARCHAR,
    classified_by VARCHAR, decided_us BIGINT, PRIMARY KEY (event_id, ordinal));
CREATE TABLE effort (
    effort_id VARCHAR PRIMARY KEY, station VARCHAR, sensor VARCHAR, start_us BIGINT, end_us BIGINT, payload VARCHAR);
CREATE TABLE health (station VARCHAR, at_us BIGINT, payload VARCHAR, PRIMARY KEY (station, at_us));
CREATE TABLE status (station VARCHAR PRIMARY KEY, at_us BIGINT, payload VARCHAR);
"""

# What a detection counts as stands beside what the machine said, and changes with every verdict. Nothing stands there
# where it does not count. Captures are counted by the one detection that leads for each taxon in them.
_DETECTION = """
CREATE TABLE detection (
    event_id VARCHAR, ordinal INTEGER, station VARCHAR, captured_us BIGINT,
    taxon VARCHAR, observation_type VARCHAR, confidence DOUBLE, model VARCHAR,
    counts_as VARCHAR, counts_as_type VARCHAR, certainty DOUBLE, leads BOOLEAN);
"""

# The key of verdicts is of two columns; this finds those on one capture. A verdict may come before its capture.
_VERDICTS_OF_AN_EVENT = """
CREATE INDEX verdict_event ON verdict (event_id);
CREATE TABLE judged_before (event_id VARCHAR PRIMARY KEY);
"""

# Times are microseconds since 1970 in UTC; the payload is what the station sent, so fields of a later version stay.
SCHEMA = _TABLES + _DETECTION + _VERDICTS_OF_AN_EVENT + _DEPLOYMENT


def counting(detections: str, verdicts: str) -> str:
    """Say in SQL what detections count as with verdicts in force: rows of the table ``detection``.

    Args:
        detections: A table of what machines said, with all detections of each capture.
        verdicts: A table of at least the verdicts on these.
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
            FROM {detections} d LEFT JOIN {verdicts} v ON v.event_id = d.event_id AND v.ordinal = d.ordinal))
    """


# Version 1 had no columns for what counts, and joined the verdicts at every question.
_TO_2 = f"""
DROP VIEW IF EXISTS counted;
ALTER TABLE detection RENAME TO detection_1;
{_DETECTION}
INSERT INTO detection {counting("detection_1", "verdict")} ORDER BY captured_us;
DROP TABLE detection_1;
{_VERDICTS_OF_AN_EVENT}
INSERT INTO judged_before SELECT DISTINCT event_id FROM verdict WHERE event_id NOT IN (SELECT event_id FROM event);
"""

# By version, how its file becomes one of today. Version 2 had no table of deployments.
UPGRADES: Mapping[int, str] = {1: _TO_2 + _DEPLOYMENT, 2: _DEPLOYMENT}


# What stands for the table `detection` in a file of version 1 that may only be read: it answers the same, if slowly.
DETECTION_OF_1 = f"({counting('detection', 'verdict')})"
