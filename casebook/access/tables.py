"""SQLAlchemy tables of accounts, areas, sessions, failed sign-ins and the audit log."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table

from casebook.tables import JsonText, UtcDateTime, metadata

account = Table(
    "account",
    metadata,
    Column("id", JsonText, primary_key=True),
    Column("name", JsonText, nullable=False),
    Column("display_name", JsonText, nullable=False),
    Column("unit", JsonText, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("areas", JSON, nullable=False),
    Column("password_hash", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Index("account_name", "name", unique=True),
)

area = Table(
    "area",
    metadata,
    Column("name", JsonText, primary_key=True),
    Column("stations", JSON, nullable=False),
)

access_session = Table(
    "access_session",
    metadata,
    Column("token_sha256", JsonText, primary_key=True),
    Column("account_id", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("address", JsonText, nullable=False),
    Column("agent", JsonText, nullable=False),
    Index("access_session_account", "account_id"),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", JsonText, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("sign_in_failure_last", "last_at"),
)

audit_entry = Table(
    "audit_entry",  # triggers of the migration refuse updates and deletions
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_id", JsonText, nullable=False),
    Column("name", JsonText, nullable=False),
    Column("unit", JsonText, nullable=False),
    Column("address", JsonText, nullable=False),
    Column("action", JsonText, nullable=False),
    Column("content", JsonText, nullable=False),
    Column("reason", JsonText, nullable=False),
    Column("previous", JsonText, nullable=False),
    Column("digest", JsonText, nullable=False),
)
