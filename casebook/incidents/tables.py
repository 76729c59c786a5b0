"""The tables of incidents, their alerts and what is known of stations, kept in the casebook's database."""

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, Table

from casebook.tables import Moment, Words, metadata

# Whoever changes incidents takes this turn first: two processes must not open one incident each for the same thing.
turn = Table("incident_turn", metadata, Column("id", Integer, primary_key=True), Column("taken", Integer))

incident = Table(
    "incident",
    metadata,
    Column("id", Words, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("severity", Words, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("told_severity", Words),  # the highest that people were alerted of; none: not yet
    Column("told_kinds", JSON, nullable=False),
    Column("late", Boolean, nullable=False),  # nothing in it was news when it arrived
    Index("incident_newest", "ended_at"),
)

happening = Table(
    "happening",
    metadata,
    Column("subject", Words, primary_key=True),
    Column("kind", Words, primary_key=True),
    Column("incident_id", Words, nullable=False),
    Column("source", Words, nullable=False),
    Column("station", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("severity", Words, nullable=False),
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
    Column("id", Words, primary_key=True),
    Column("incident_id", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("cause", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("station", Words, nullable=False),
    Column("severity", Words, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Index("alert_cooling", "station", "raised_at"),
    Index("alert_of", "incident_id"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("alert_id", Words, primary_key=True),
    Column("notifier", Words, primary_key=True),
    Column("state", Words, nullable=False),  # "waiting", "sent" or "given up"
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("problem", Words, nullable=False),
    Index("delivery_waiting", "state", "next_at"),
)

shot = Table(
    "shot",
    metadata,
    Column("event_id", Words, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("station", Words, nullable=False),
    Column("label", Words, nullable=False),
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
    Column("station", Words, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
)

sensor_gap = Table(
    "sensor_gap",
    metadata,
    Column("station", Words, primary_key=True),
    Column("sensor", Words, primary_key=True),
    Column("gap", Words),  # none: it watches
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)
