"""SQLAlchemy tables of cases, in the casebook database."""

from sqlalchemy import Column, Index, Integer, Table

from casebook.tables import JsonText, UtcDateTime, metadata

# What a list shows of each case; everything in it follows from the entries and the settings of deadlines.
case_file = Table(
    "case_file",
    metadata,
    Column("number", JsonText, primary_key=True),
    Column("kind", JsonText, nullable=False),
    Column("area", JsonText, nullable=False),
    Column("title", JsonText, nullable=False),
    Column("team", JsonText, nullable=False),
    Column("step", JsonText, nullable=False),  # the last that is no note
    Column("outcome", JsonText, nullable=False),  # "": none yet
    Column("state", JsonText, nullable=False),  # "open" or "closed"
    Column("opened_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # end of the running deadline that ends first
    Column("due_name", JsonText, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("version", Integer, nullable=False),  # number of the last entry that is no access
    Index("case_file_due", "state", "due_at", "number"),
)

case_entry = Table(
    "case_entry",
    metadata,
    Column("case_number", JsonText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", JsonText, nullable=False),
    Column("actor", JsonText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("encoded", JsonText, nullable=False),  # JSON of which the hash is made
)

# Messages and deployments of linked captures as they came, so that no retention of the detection store loses them.
case_event = Table(
    "case_event",
    metadata,
    Column("case_number", JsonText, primary_key=True),
    Column("event_id", JsonText, primary_key=True),
    Column("station", JsonText, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("deployment", JsonText, nullable=False),  # "": not known
    Index("case_event_of", "event_id"),
)

case_incident = Table(
    "case_incident",
    metadata,
    Column("case_number", JsonText, primary_key=True),
    Column("incident_id", JsonText, primary_key=True),
    Index("case_incident_of", "incident_id"),
)

# Media that linked messages name: whatever becomes of the detection store, these are held.
case_media = Table(
    "case_media",
    metadata,
    Column("case_number", JsonText, primary_key=True),
    Column("sha256", JsonText, primary_key=True),
    Index("case_media_content", "sha256"),
)

case_reminder = Table(
    "case_reminder",
    metadata,
    Column("case_number", JsonText, primary_key=True),
    Column("deadline", JsonText, primary_key=True),
    Column("started_at", UtcDateTime, primary_key=True),
    Column("urgency", JsonText, primary_key=True),  # "near" or "passed"
    Column("reminded_at", UtcDateTime, nullable=False),
)
