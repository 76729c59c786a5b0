"""Migration that adds the tables of cases."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables of cases, their entries, links, held media and reminders."""
    op.create_table(
        "case_file",
        sa.Column("number", JsonText, primary_key=True),
        *(sa.Column(name, JsonText, nullable=False) for name in ("kind", "area", "title", "team", "step", "outcome")),
        sa.Column("state", JsonText, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("due_name", JsonText, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("case_file_due", "case_file", ["state", "due_at", "number"])
    op.create_table(
        "case_entry",
        sa.Column("case_number", JsonText, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", JsonText, nullable=False),
        sa.Column("actor", JsonText, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("encoded", JsonText, nullable=False),
    )
    op.create_table(
        "case_event",
        sa.Column("case_number", JsonText, primary_key=True),
        sa.Column("event_id", JsonText, primary_key=True),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("payload", JsonText, nullable=False),
        sa.Column("deployment", JsonText, nullable=False),
    )
    op.create_index("case_event_of", "case_event", ["event_id"])
    for name, column in (("case_incident", "incident_id"), ("case_media", "sha256")):
        op.create_table(
            name,
            sa.Column("case_number", JsonText, primary_key=True),
            sa.Column(column, JsonText, primary_key=True),
        )
    op.create_index("case_incident_of", "case_incident", ["incident_id"])
    op.create_index("case_media_content", "case_media", ["sha256"])
    op.create_table(
        "case_reminder",
        sa.Column("case_number", JsonText, primary_key=True),
        sa.Column("deadline", JsonText, primary_key=True),
        sa.Column("started_at", UtcDateTime, primary_key=True),
        sa.Column("urgency", JsonText, primary_key=True),
        sa.Column("reminded_at", UtcDateTime, nullable=False),
    )
