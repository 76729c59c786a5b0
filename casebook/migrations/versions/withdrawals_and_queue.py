"""Migration that adds withdrawals of verdicts, and to flags the station and time by which the queue lists them."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, and fill those of flags from the occurrences of the same events."""
    op.add_column("verdict", sa.Column("withdraws", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("flag", sa.Column("station", JsonText, nullable=False, server_default=""))
    op.add_column("flag", sa.Column("at", UtcDateTime, nullable=False, server_default="0"))
    # A casebook of before incidents has flags without an occurrence.
    op.execute(
        "UPDATE flag SET "
        "station = coalesce((SELECT min(station) FROM happening WHERE subject = flag.event_id), ''), "
        "at = coalesce((SELECT min(at) FROM happening WHERE subject = flag.event_id), raised_at)"
    )
    with op.batch_alter_table("flag") as table:
        table.alter_column("at", server_default=None)
    op.create_index("flag_queue", "flag", ["state", "severity", "at", "event_id"])
