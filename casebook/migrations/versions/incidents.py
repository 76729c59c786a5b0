"""Creates the tables of incidents, alerts and the state of stations."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table("incident_turn", sa.Column("id", sa.Integer, primary_key=True), sa.Column("taken", sa.Integer))
    _make_incidents()
    _make_alerts()
    _make_stations()


def _make_incidents() -> None:
    op.create_table(
        "incident",
        sa.Column("id", JsonText, primary_key=True),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("severity", JsonText, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("told_severity", JsonText),
        sa.Column("told_kinds", sa.JSON, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
    )
    op.create_index("incident_newest", "incident", ["ended_at"])
    op.create_table(
        "happening",
        sa.Column("subject", JsonText, primary_key=True),
        sa.Column("kind", JsonText, primary_key=True),
        sa.Column("incident_id", JsonText, nullable=False),
        sa.Column("source", JsonText, nullable=False),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("latitude", sa.Float),
        sa.Column("longitude", sa.Float),
        sa.Column("severity", JsonText, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("over_at", UtcDateTime),
    )
    op.create_index("happening_when", "happening", ["at"])
    op.create_index("happening_of", "happening", ["incident_id"])


def _make_alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", JsonText, primary_key=True),
        sa.Column("incident_id", JsonText, nullable=False),
        sa.Column("subject", JsonText, nullable=False),
        sa.Column("cause", JsonText, nullable=False),
        sa.Column("kind", JsonText, nullable=False),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("severity", JsonText, nullable=False),
        sa.Column("raised_at", UtcDateTime, nullable=False),
    )
    op.create_index("alert_cooling", "alert", ["station", "raised_at"])
    op.create_index("alert_of", "alert", ["incident_id"])
    op.create_table(
        "delivery",
        sa.Column("alert_id", JsonText, primary_key=True),
        sa.Column("notifier", JsonText, primary_key=True),
        sa.Column("state", JsonText, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("problem", JsonText, nullable=False),
    )
    op.create_index("delivery_waiting", "delivery", ["state", "next_at"])


def _make_stations() -> None:
    op.create_table(
        "shot",
        sa.Column("event_id", JsonText, primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("station", JsonText, nullable=False),
        sa.Column("label", JsonText, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("within_s", sa.Float, nullable=False),
        sa.Column("clock_error_s", sa.Float),
        sa.Column("latitude", sa.Float),
        sa.Column("longitude", sa.Float),
        sa.Column("confidence", sa.Float, nullable=False),
    )
    op.create_index("shot_when", "shot", ["at"])
    op.create_table(
        "heard",
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("latitude", sa.Float),
        sa.Column("longitude", sa.Float),
    )
    op.create_table(
        "sensor_gap",
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("sensor", JsonText, primary_key=True),
        sa.Column("gap", JsonText),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
    )
