"""Migration that adds the tables of the chains of the stations' events."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables; events of before have no place in a chain."""
    op.create_table(
        "chain_run",
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("chain", JsonText, primary_key=True),
        sa.Column("public_key", JsonText, primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("previous", JsonText, nullable=False),
        sa.Column("digest", JsonText, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
    op.create_table(
        "chain_fault",
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("kind", JsonText, primary_key=True),
        sa.Column("event_id", JsonText, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
    )
