"""Migration that numbers verdicts in the order of their recording, and adds running totals to incidents."""

from itertools import groupby
from operator import itemgetter

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0003"
down_revision = "0002"

_PORTION = 1_000  # incidents per UPDATE
_SEVERITIES = ("notice", "warning", "urgent")


def upgrade() -> None:
    """Add the sequence of verdicts, the totals and stations of incidents, and indexes for their queries."""
    _number_verdicts()
    _add_totals()
    _add_stations()
    op.drop_index("happening_when", "happening")
    op.drop_index("happening_of", "happening")
    op.create_index("happening_of", "happening", ["incident_id", "at", "subject", "kind"])
    op.create_index("happening_of_station", "happening", ["incident_id", "station", "at"])
    op.create_index("happening_unresolved", "happening", ["source", "over_at"])
    op.drop_index("incident_newest", "incident")
    op.create_index("incident_newest", "incident", ["ended_at", "id"])
    op.drop_index("shot_when", "shot")
    op.create_index("shot_when", "shot", ["label", "at", "station"])
    op.create_index("shot_of_station", "shot", ["label", "station", "at"])
    op.create_index("media_content", "media", ["sha256"])


def _number_verdicts() -> None:
    # A verdict's sequence is the time of the decision, or one more than the sequence before it if the clock was set
    # back: sequence(i) = max(sequence(i - 1) + 1, decided_at(i)), which is i + max(decided_at(j) - j) over all j <= i.
    op.drop_index("verdict_unapplied", "verdict")
    op.rename_table("verdict", "verdict_2")
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("event_id", JsonText, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("outcome", JsonText, nullable=False),
        sa.Column("observation_type", JsonText, nullable=False),
        sa.Column("label", JsonText, nullable=False),
        sa.Column("scientific_name", JsonText),
        sa.Column("classified_by", JsonText, nullable=False),
        sa.Column("decided_at", UtcDateTime, nullable=False),
        sa.Column("applied", sa.Boolean, nullable=False),
    )
    columns = "event_id, ordinal, outcome, observation_type, label, scientific_name, classified_by, decided_at"
    # A verdict whose sequence differs from its time is applied again: the detection store may have the order wrong.
    op.execute(
        f"INSERT INTO verdict (id, sequence, {columns}, applied) "  # noqa: S608, constants
        f"SELECT id, sequence, {columns}, applied AND sequence = decided_at FROM ("
        f"SELECT id, {columns}, applied, number + max(decided_at - number) OVER (ORDER BY id) AS sequence FROM ("
        f"SELECT id, {columns}, applied, row_number() OVER (ORDER BY id) AS number FROM verdict_2) numbered) verdicts "
        "ORDER BY id"
    )
    op.drop_table("verdict_2")
    if op.get_bind().dialect.name == "postgresql":
        # The ids above were not drawn from the sequence of the new column.
        op.execute(
            "SELECT setval(pg_get_serial_sequence('verdict', 'id'), coalesce((SELECT max(id) FROM verdict), 0) + 1, "
            "false)"
        )
    op.create_index("verdict_sequence", "verdict", ["sequence"], unique=True)
    op.create_index("verdict_of", "verdict", ["event_id", "ordinal", "sequence"])
    op.create_index("verdict_unapplied", "verdict", ["applied"])


def _add_totals() -> None:
    op.add_column("incident", sa.Column("occurrences", sa.Integer, nullable=False, server_default="0"))
    op.add_column("incident", sa.Column("captures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("incident", sa.Column("kinds", sa.JSON, nullable=False, server_default="{}"))
    op.execute(
        "UPDATE incident SET "
        "occurrences = (SELECT count(*) FROM happening WHERE incident_id = incident.id), "
        "captures = (SELECT count(DISTINCT subject) FROM happening "
        "WHERE incident_id = incident.id AND source <> 'health')"
    )
    connection = op.get_bind()
    found = connection.execute(
        sa.text(
            "SELECT incident_id, kind, severity, min(at) AS first_at FROM happening "
            "GROUP BY incident_id, kind, severity ORDER BY incident_id"
        )
    ).all()
    table = sa.table("incident", sa.column("id", JsonText), sa.column("kinds", sa.JSON))
    changes = []
    for incident_id, rows in groupby(found, itemgetter(0)):
        kinds: dict[str, list[str | int]] = {}
        for _, kind, severity, first_at in rows:
            worst, first = kinds.get(kind, [severity, first_at])
            kinds[kind] = [max(str(worst), severity, key=_SEVERITIES.index), min(int(first), first_at)]
        changes.append({"changed": incident_id, "kinds": kinds})
    query = table.update().where(table.c.id == sa.bindparam("changed")).values(kinds=sa.bindparam("kinds"))
    for start in range(0, len(changes), _PORTION):
        connection.execute(query, changes[start : start + _PORTION])


def _add_stations() -> None:
    op.create_table(
        "incident_station",
        sa.Column("incident_id", JsonText, primary_key=True),
        sa.Column("station", JsonText, primary_key=True),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("south", sa.Float),
        sa.Column("north", sa.Float),
        sa.Column("west", sa.Float),
        sa.Column("east", sa.Float),
        sa.Column("moved", sa.Boolean, nullable=False),
    )
    op.execute(
        "INSERT INTO incident_station SELECT incident_id, station, min(at), max(at), "
        "min(latitude), max(latitude), min(longitude), max(longitude), "
        "count(DISTINCT latitude) > 1 OR count(DISTINCT longitude) > 1 OR count(latitude) NOT IN (0, count(*)) "
        "FROM happening GROUP BY incident_id, station"
    )
    op.create_index("incident_station_when", "incident_station", ["last_at"])
