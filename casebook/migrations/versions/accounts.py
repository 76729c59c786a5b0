"""Migration that adds accounts, areas, sessions, the audit log, and the account id of verdicts."""

import sqlalchemy as sa
from alembic import op

from casebook.tables import JsonText, UtcDateTime

revision = "0007"
down_revision = "0006"

_REFUSED = "the audit log is append-only"


def upgrade() -> None:
    """Create the tables; verdicts of before have no account."""
    op.create_table(
        "account",
        sa.Column("id", JsonText, primary_key=True),
        sa.Column("name", JsonText, nullable=False),
        sa.Column("display_name", JsonText, nullable=False),
        sa.Column("unit", JsonText, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("areas", sa.JSON, nullable=False),
        sa.Column("password_hash", JsonText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("disabled_at", UtcDateTime),
    )
    op.create_index("account_name", "account", ["name"], unique=True)
    op.create_table(
        "area", sa.Column("name", JsonText, primary_key=True), sa.Column("stations", sa.JSON, nullable=False)
    )
    op.create_table(
        "access_session",
        sa.Column("token_sha256", JsonText, primary_key=True),
        sa.Column("account_id", JsonText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("address", JsonText, nullable=False),
        sa.Column("agent", JsonText, nullable=False),
    )
    op.create_index("access_session_account", "access_session", ["account_id"])
    op.create_table(
        "sign_in_failure",
        sa.Column("key", JsonText, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
    )
    op.create_index("sign_in_failure_last", "sign_in_failure", ["last_at"])
    op.create_table(
        "audit_entry",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        *(
            sa.Column(name, JsonText, nullable=False)
            for name in ("actor_id", "name", "unit", "address", "action", "content", "reason", "previous", "digest")
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_entry_{event.lower()} BEFORE {event} ON audit_entry "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
    op.add_column("verdict", sa.Column("actor_id", JsonText, nullable=False, server_default=""))
