"""Creates the tables of release 0.1.0: flags, verdicts, quarantine, media."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table("about", sa.Column("version", sa.Integer, primary_key=True))
    op.create_table(
        "flag",
        sa.Column("event_id", JsonText, primary_key=True),
        sa.Column("rule", JsonText, primary_key=True),
        sa.Column("severity", JsonText, nullable=False),
        sa.Column("reason_key", JsonText, nullable=False),
        sa.Column("reason_values", sa.JSON, nullable=False),
        sa.Column("zone", JsonText),
        sa.Column("raised_at", UtcDateTime, nullable=False),
        sa.Column("state", JsonText, nullable=False),
        sa.Column("closed_by", JsonText),
        sa.Column("closed_at", UtcDateTime),
    )
    op.create_index("flag_newest", "flag", ["state", "raised_at"])
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event_id", JsonText, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("outcome", JsonText, nullable=False),
        sa.Column("observation_type", JsonText, nullable=False),
        sa.Column("label", JsonText, nullable=False),
        sa.Column("scientific_name", JsonText),
        sa.Column("classified_by", JsonText, nullable=False),
        sa.Column("decided_at", UtcDateTime, nullable=False),
        sa.Column("applied", sa.Boolean, nullable=False),
        sa.UniqueConstraint("event_id", "ordinal", "decided_at", "classified_by"),
    )
    op.create_index("verdict_unapplied", "verdict", ["applied"])
    op.create_table(
        "quarantined",
        sa.Column("id", JsonText, primary_key=True),
        sa.Column("source", JsonText, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("topic", JsonText, nullable=False),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("reason", JsonText, nullable=False),
        sa.Column("detail", JsonText, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("name", JsonText, nullable=False),
    )
    op.create_index("quarantined_newest", "quarantined", ["at"])
    op.create_table(
        "media",
        sa.Column("event_id", JsonText, primary_key=True),
        sa.Column("sha256", JsonText, primary_key=True),
        sa.Column("role", JsonText, primary_key=True),
        sa.Column("type", JsonText, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
    )
    op.execute("INSERT INTO about (version) VALUES (1)")
