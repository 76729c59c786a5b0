"""Schema of the DuckDB store, the SQL for what counts, and the upgrade of older files."""

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

# The last four columns are derived from the machine's columns and the latest verdict; counts_as and counts_as_type are
# NULL if the detection does not count. Counting the detections with leads set counts events, one for each taxon.
_DETECTION = """
CREATE TABLE detection (
    event_id VARCHAR, ordinal INTEGER, station VARCHAR, captured_us BIGINT,
    taxon VARCHAR, observation_type VARCHAR, confidence DOUBLE, model VARCHAR,
    counts_as VARCHAR, counts_as_type VARCHAR, certainty DOUBLE, leads BOOLEAN);
"""

# Finds the verdicts on one event, since the primary key has two columns. A verdict may arrive before its event.
_VERDICTS_OF_AN_EVENT = """
CREATE INDEX verdict_event ON verdict (event_id);
CREATE TABLE judged_before (event_id VARCHAR PRIMARY KEY);
"""

# Times are microseconds since 1970 in UTC. The payload is what the station sent, with fields of later versions.
SCHEMA = _TABLES + _DETECTION + _VERDICTS_OF_AN_EVENT + _DEPLOYMENT


def verdicts_applied_sql(detections: str, verdicts: str) -> str:
    """Return SQL for rows of the table ``detection`` with the verdicts applied.

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
            FROM {detections} d LEFT JOIN {verdicts} v ON v.event_id = d.event_id AND v.ordinal = d.ordinal))
    """


# Version 1 had no columns for what counts, and joined the verdicts in every query.
_TO_2 = f"""
DROP VIEW IF EXISTS counted;
ALTER TABLE detection RENAME TO detection_1;
{_DETECTION}
INSERT INTO detection {verdicts_applied_sql("detection_1", "verdict")} ORDER BY captured_us;
DROP TABLE detection_1;
{_VERDICTS_OF_AN_EVENT}
INSERT INTO judged_before SELECT DISTINCT event_id FROM verdict WHERE event_id NOT IN (SELECT event_id FROM event);
"""

# By version, how its file becomes one of today. Version 2 had no table of deployments.
UPGRADES: Mapping[int, str] = {1: _TO_2 + _DEPLOYMENT, 2: _DEPLOYMENT}


# Subquery that replaces the table `detection` in a read-only file of version 1: the same results, but slower.
DETECTION_OF_1 = f"({verdicts_applied_sql('detection', 'verdict')})"
