BEGIN TRANSACTION;
CREATE TABLE about (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "about" VALUES(1);
CREATE TABLE flag (
	event_id VARCHAR(36) NOT NULL, 
	rule VARCHAR(200) NOT NULL, 
	severity VARCHAR(20) NOT NULL, 
	reason_key VARCHAR(50) NOT NULL, 
	reason_values JSON NOT NULL, 
	zone VARCHAR(200), 
	raised_at BIGINT NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	closed_by VARCHAR(200), 
	closed_at BIGINT, 
	PRIMARY KEY (event_id, rule)
);
INSERT INTO "flag" VALUES('01963f2e-0000-7000-8000-000000000000','rule-0','warning','human','{"label": "person", "zone_zh": "\u6e56\u897f"}',NULL,1775995200000000,'open',NULL,NULL);
INSERT INTO "flag" VALUES('01963f2e-0000-7000-8000-000000000001','rule-1','warning','human','{"label": "person", "zone_zh": "\u6e56\u897f"}','lake-west',1775995260000000,'closed','ranger',1775998800000000);
INSERT INTO "flag" VALUES('01963f2e-0000-7000-8000-000000000002','rule-0','warning','human','{"label": "person", "zone_zh": "\u6e56\u897f"}',NULL,1775995320000000,'open',NULL,NULL);
INSERT INTO "flag" VALUES('01963f2e-0000-7000-8000-000000000003','rule-1','warning','human','{"label": "person", "zone_zh": "\u6e56\u897f"}','lake-west',1775995380000000,'open',NULL,NULL);
CREATE TABLE media (
	event_id VARCHAR(36) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	type VARCHAR(200) NOT NULL, 
	size BIGINT NOT NULL, 
	station VARCHAR(63) NOT NULL, 
	received_at BIGINT NOT NULL, 
	PRIMARY KEY (event_id, sha256, role)
);
INSERT INTO "media" VALUES('01963f2e-0000-7000-8000-000000000000','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','thumbnail','image/jpeg',100,'lake-07',1775995200000000);
CREATE TABLE quarantined (
	id VARCHAR(64) NOT NULL, 
	source VARCHAR(10) NOT NULL, 
	at BIGINT NOT NULL, 
	topic TEXT NOT NULL, 
	station TEXT NOT NULL, 
	reason VARCHAR(20) NOT NULL, 
	detail TEXT NOT NULL, 
	payload BLOB NOT NULL, 
	size BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "quarantined" VALUES('qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq','message',1775995200000000,'wildpost/v1/a/event','a','syntax','not JSON',X'FF007B27',4,'');
CREATE TABLE verdict (
	id INTEGER NOT NULL, 
	event_id VARCHAR(36) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	outcome VARCHAR(20) NOT NULL, 
	observation_type VARCHAR(20) NOT NULL, 
	label VARCHAR(200) NOT NULL, 
	scientific_name VARCHAR(200), 
	classified_by VARCHAR(200) NOT NULL, 
	decided_at BIGINT NOT NULL, 
	applied BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (event_id, ordinal, decided_at, classified_by)
);
INSERT INTO "verdict" VALUES(1,'01963f2e-0000-7000-8000-000000000000',0,'corrected','animal','獾','Meles leucurus','ranger',1775995200000000,1);
INSERT INTO "verdict" VALUES(2,'01963f2e-0000-7000-8000-000000000001',0,'corrected','animal','獾','Meles leucurus','ranger',1775995260000000,0);
INSERT INTO "verdict" VALUES(3,'01963f2e-0000-7000-8000-000000000002',0,'corrected','animal','獾','Meles leucurus','ranger',1775995320000000,0);
CREATE INDEX flag_newest ON flag (state, raised_at);
CREATE INDEX verdict_unapplied ON verdict (applied);
CREATE INDEX quarantined_newest ON quarantined (at);
COMMIT;
