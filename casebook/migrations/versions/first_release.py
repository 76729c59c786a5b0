"""The tables of 0.1.0: flags, verdicts, quarantine, media."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import Moment, Words

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table("about", sa.Column("version", sa.Integer, primary_key=True))
    op.create_table(
        "flag",
        sa.Column("event_id", Words, primary_key=True),
        sa.Column("rule", Words, primary_key=True),
        sa.Column("severity", Words, nullable=False),
        sa.Column("reason_key", Words, nullable=False),
        sa.Column("reason_values", sa.JSON, nullable=False),
        sa.Column("zone", Words),
        sa.Column("raised_at", Moment, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("closed_by", Words),
        sa.Column("closed_at", Moment),
    )
    op.create_index("flag_newest", "flag", ["state", "raised_at"])
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event_id", Words, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("outcome", Words, nullable=False),
        sa.Column("observation_type", Words, nullable=False),
        sa.Column("label", Words, nullable=False),
        sa.Column("scientific_name", Words),
        sa.Column("classified_by", Words, nullable=False),
        sa.Column("decided_at", Moment, nullable=False),
        sa.Column("applied", sa.Boolean, nullable=False),
        sa.UniqueConstraint("event_id", "ordinal", "decided_at", "classified_by"),
    )
    op.create_index("verdict_unapplied", "verdict", ["applied"])
    op.create_table(
        "quarantined",
        sa.Column("id", Words, primary_key=True),
        sa.Column("source", Words, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("topic", Words, nullable=False),
        sa.Column("station", Words, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("detail", Words, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("name", Words, nullable=False),
    )
    op.create_index("quarantined_newest", "quarantined", ["at"])
    op.create_table(
        "media",
        sa.Column("event_id", Words, primary_key=True),
        sa.Column("sha256", Words, primary_key=True),
        sa.Column("role", Words, primary_key=True),
        sa.Column("type", Words, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("station", Words, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
    )
    op.execute("INSERT INTO about (version) VALUES (1)")
