"""SQLAlchemy tables of incidents, alerts and the state of stations, in the casebook database."""

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, Table

from casebook.tables import JsonText, UtcDateTime, metadata

# Lock row for changing incidents: two processes must not each open an incident for the same occurrence.
incident_lock = Table("incident_turn", metadata, Column("id", Integer, primary_key=True), Column("taken", Integer))

incident = Table(
    "incident",
    metadata,
    Column("id", JsonText, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("severity", JsonText, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("told_severity", JsonText),  # highest severity alerted; NULL: none yet
    Column("told_kinds", JSON, nullable=False),
    Column("late", Boolean, nullable=False),  # all occurrences arrived late
    # Running totals, so that no reader counts the occurrences of a large incident.
    Column("occurrences", Integer, nullable=False, default=0),
    Column("captures", Integer, nullable=False, default=0),  # distinct events among the occurrences
    Column("kinds", JSON, nullable=False, default=dict),  # by kind: [highest severity, first time in microseconds]
    Index("incident_newest", "ended_at", "id"),
)

# The part of one station in one incident: its time span and places, by which a new occurrence finds its incident.
incident_station = Table(
    "incident_station",
    metadata,
    Column("incident_id", JsonText, primary_key=True),
    Column("station", JsonText, primary_key=True),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("south", Float),  # the rectangle around the station's locations; NULL: no location is known
    Column("north", Float),
    Column("west", Float),
    Column("east", Float),
    Column("moved", Boolean, nullable=False),  # the locations differ, so the rectangle does not say which was when
    Index("incident_station_when", "last_at"),
)

occurrence = Table(
    "happening",
    metadata,
    Column("subject", JsonText, primary_key=True),
    Column("kind", JsonText, primary_key=True),
    Column("incident_id", JsonText, nullable=False),
    Column("source", JsonText, nullable=False),
    Column("station", JsonText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("severity", JsonText, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("over_at", UtcDateTime),  # of a problem of a station: when it ended
    Index("happening_of", "incident_id", "at", "subject", "kind"),
    Index("happening_of_station", "incident_id", "station", "at"),
    Index("happening_unresolved", "source", "over_at"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", JsonText, primary_key=True),
    Column("incident_id", JsonText, nullable=False),
    Column("subject", JsonText, nullable=False),
    Column("cause", JsonText, nullable=False),
    Column("kind", JsonText, nullable=False),
    Column("station", JsonText, nullable=False),
    Column("severity", JsonText, nullable=False),
    Column("raised_at", UtcDateTime, nullable=False),
    Index("alert_cooling", "station", "raised_at"),
    Index("alert_of", "incident_id"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("alert_id", JsonText, primary_key=True),
    Column("notifier", JsonText, primary_key=True),
    Column("state", JsonText, nullable=False),  # "waiting", "sent" or "given up"
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("problem", JsonText, nullable=False),
    Index("delivery_waiting", "state", "next_at"),
)

shot = Table(
    "shot",
    metadata,
    Column("event_id", JsonText, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("station", JsonText, nullable=False),
    Column("label", JsonText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("within_s", Float, nullable=False),
    Column("clock_error_s", Float),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("confidence", Float, nullable=False),
    Index("shot_when", "label", "at", "station"),
    Index("shot_of_station", "label", "station", "at"),
)

# When the server last heard each station, by its own clock: the clock of a station may be wrong or not set.
heard = Table(
    "heard",
    metadata,
    Column("station", JsonText, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
)

sensor_gap = Table(
    "sensor_gap",
    metadata,
    Column("station", JsonText, primary_key=True),
    Column("sensor", JsonText, primary_key=True),
    Column("gap", JsonText),  # NULL: the sensor watches
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
