"""Migration that creates the table of corrected clocks."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table of corrections of sensors' clocks."""
    op.create_table(
        "clock_shift",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("sensor", JsonText, nullable=False),
        sa.Column("start", UtcDateTime, nullable=False),
        sa.Column("end", UtcDateTime, nullable=False),
        sa.Column("shift_us", sa.BigInteger, nullable=False),
        sa.Column("reason", JsonText, nullable=False),
        sa.Column("made_by", JsonText, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("undone_by", JsonText, nullable=False),
        sa.Column("undone_at", UtcDateTime),
    )
