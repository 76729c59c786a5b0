"""Migration that adds the tables of commands to stations, of originals on their way, and of reported settings."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "station_command",
        sa.Column("id", sa.Integer, primary_key=True),
        *(
            sa.Column(name, JsonText, nullable=False)
            for name in ("station", "channel", "kind", "nonce", "payload", "event_id", "sha256", "asked_by")
        ),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("serial", sa.BigInteger),
        sa.Column("envelope", sa.LargeBinary),
        sa.Column("sent_at", UtcDateTime),
        *(sa.Column(name, JsonText, nullable=False) for name in ("state", "detail", "result")),
        sa.Column("answered_at", UtcDateTime),
    )
    op.create_index("station_command_nonce", "station_command", ["nonce"], unique=True)
    op.create_index("station_command_open", "station_command", ["state", "station"])
    op.create_index("station_command_event", "station_command", ["event_id"])
    op.create_table(
        "media_part",
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("sha256", JsonText, primary_key=True),
        sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "reported_settings",
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        *(sa.Column(name, JsonText, nullable=False) for name in ("state", "detail", "settings")),
    )
