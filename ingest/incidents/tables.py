"""The tables of incidents, their alerts and what is known of stations, kept in the casebook's database."""

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, String, Table, Text

from ingest.casebook_tables import Moment, metadata

# Whoever changes incidents takes this turn first: two processes must not open one incident each for the same thing.
turn = Table("incident_turn", metadata, Column("id", Integer, primary_key=True), Column("taken", Integer))

incident = Table(
    "incident",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("told_severity", String(20)),  # the highest that people were alerted of; none: not yet
    Column("told_kinds", JSON, nullable=False),
    Column("late", Boolean, nullable=False),  # nothing in it was news when it arrived
    Index("incident_newest", "ended_at"),
)

happening = Table(
    "happening",
    metadata,
    Column("subject", String(36), primary_key=True),
    Column("kind", String(200), primary_key=True),
    Column("incident_id", String(36), nullable=False),
    Column("source", String(10), nullable=False),
    Column("station", String(63), nullable=False),
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("severity", String(20), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("over_at", Moment),  # of a station's trouble: when it was heard or seeing again
    Index("happening_when", "at"),
    Index("happening_of", "incident_id"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("incident_id", String(36), nullable=False),
    Column("subject", String(36), nullable=False),
    Column("cause", String(20), nullable=False),
    Column("kind", String(200), nullable=False),
    Column("station", String(63), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("raised_at", Moment, nullable=False),
    Index("alert_cooling", "station", "raised_at"),
    Index("alert_of", "incident_id"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("notifier", String(100), primary_key=True),
    Column("state", String(10), nullable=False),  # "waiting", "sent" or "given up"
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("problem", Text, nullable=False),
    Index("delivery_waiting", "state", "next_at"),
)

shot = Table(
    "shot",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("station", String(63), nullable=False),
    Column("label", String(200), nullable=False),
    Column("at", Moment, nullable=False),
    Column("within_s", Float, nullable=False),
    Column("clock_error_s", Float),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("confidence", Float, nullable=False),
    Index("shot_when", "at"),
)

# What the server itself heard, by its own clock: a station's clock may be wrong, and a broken one says nothing.
heard = Table(
    "heard",
    metadata,
    Column("station", String(63), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
)

sensor_gap = Table(
    "sensor_gap",
    metadata,
    Column("station", String(63), primary_key=True),
    Column("sensor", String(63), primary_key=True),
    Column("gap", String(20)),  # none: it watches
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)

TABLES = (turn, incident, happening, alert, delivery, shot, heard, sensor_gap)
