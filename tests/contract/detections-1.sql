-- The detections file of schema version 1, as Wildpost made it, with a few captures and verdicts.
CREATE TABLE schema_version (version INTEGER);
INSERT INTO schema_version VALUES (1);
CREATE TABLE event (
    event_id VARCHAR PRIMARY KEY, station VARCHAR, captured_us BIGINT, received_us BIGINT, payload VARCHAR);
CREATE TABLE detection (
    event_id VARCHAR, ordinal INTEGER, station VARCHAR, captured_us BIGINT,
    taxon VARCHAR, observation_type VARCHAR, confidence DOUBLE, model VARCHAR);
CREATE TABLE verdict (
    event_id VARCHAR, ordinal INTEGER, outcome VARCHAR, taxon VARCHAR, observation_type VARCHAR,
    classified_by VARCHAR, decided_us BIGINT, PRIMARY KEY (event_id, ordinal));
CREATE TABLE effort (
    effort_id VARCHAR PRIMARY KEY, station VARCHAR, sensor VARCHAR, start_us BIGINT, end_us BIGINT, payload VARCHAR);
CREATE TABLE health (station VARCHAR, at_us BIGINT, payload VARCHAR, PRIMARY KEY (station, at_us));
CREATE TABLE status (station VARCHAR PRIMARY KEY, at_us BIGINT, payload VARCHAR);
CREATE VIEW counted AS
    SELECT d.event_id, d.ordinal, d.station, d.captured_us, d.confidence, v.outcome,
        coalesce(v.taxon, d.taxon) AS taxon, coalesce(v.observation_type, d.observation_type) AS observation_type
    FROM detection d LEFT JOIN verdict v USING (event_id, ordinal)
    WHERE coalesce(v.outcome, '') <> 'dismissed' AND coalesce(v.observation_type, d.observation_type) <> 'blank';
-- Noon of 12 April 2026. a: two boars and a deer; b: nothing found, a person saw a wolf; c: a dismissed boar;
-- d: a dog and a boar, the dog corrected to a boar; e: nothing found; f: a verdict whose capture has not come.
INSERT INTO event VALUES
    ('a', 'lake-07', 1775995200000000, 1775995200000000, '{}'), ('b', 'lake-07', 1775995260000000, 1775995260000000, '{}'),
    ('c', 'ridge-01', 1775995200000000, 1775995200000000, '{}'), ('d', 'ridge-01', 1775998800000000, 1775998800000000, '{}'),
    ('e', 'ridge-01', 1775998900000000, 1775998900000000, '{}');
INSERT INTO detection VALUES
    ('a', 0, 'lake-07', 1775995200000000, 'boar', 'animal', 0.4, 'nano'),
    ('a', 1, 'lake-07', 1775995200000000, 'boar', 'animal', 0.8, 'nano'),
    ('a', 2, 'lake-07', 1775995200000000, 'deer', 'animal', 0.6, 'nano'),
    ('b', 0, 'lake-07', 1775995260000000, 'blank', 'blank', NULL, NULL),
    ('c', 0, 'ridge-01', 1775995200000000, 'boar', 'animal', 0.9, 'nano'),
    ('d', 0, 'ridge-01', 1775998800000000, 'dog', 'animal', 0.3, 'nano'),
    ('d', 1, 'ridge-01', 1775998800000000, 'boar', 'animal', 0.5, 'nano'),
    ('e', 0, 'ridge-01', 1775998900000000, 'blank', 'blank', NULL, NULL);
INSERT INTO verdict VALUES
    ('b', 0, 'corrected', 'wolf', 'animal', 'ranger', 1776000000000000),
    ('c', 0, 'dismissed', 'boar', 'blank', 'ranger', 1776000000000000),
    ('d', 0, 'corrected', 'boar', 'animal', 'ranger', 1776000000000000),
    ('f', 0, 'confirmed', 'boar', 'animal', 'ranger', 1776000000000000);
INSERT INTO health VALUES ('lake-07', 1775995200000000, '{}');
INSERT INTO effort VALUES ('effort', 'lake-07', 'camera', 1775995200000000, 1775998800000000, '{}');
