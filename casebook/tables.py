"""SQLAlchemy tables of the casebook, and their column types."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Column type for an aware datetime, stored as microseconds since 1970 in UTC because SQLite has no time type."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Convert a datetime to microseconds since 1970, for storage."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Convert stored microseconds since 1970 to a datetime in UTC."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class JsonText(TypeDecorator[str]):
    """Column type for text of any length, which is sorted by code point.

    PostgreSQL rejects NUL characters, so each is stored as U+2400.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the text type for a database dialect; on PostgreSQL it has the collation "C"."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace NUL characters in a text with U+2400, for storage."""
        return None if value is None else value.replace("\0", "\u2400")


metadata = MetaData()

about = Table("about", metadata, Column("version", Integer, primary_key=True))

flag = Table(
    "flag",
    metadata,
    Column("event_id", JsonText, primary_key=True),
    Column("rule", JsonText, primary_key=True),
    Column("severity", JsonText, nullable=False),
    Column("reason_key", JsonText, nullable=False),
    Column("reason_values", JSON, nullable=False),
    Column("zone", JsonText),
    Column("raised_at", UtcDateTime, nullable=False),
    Column("state", JsonText, nullable=False),
    Column("closed_by", JsonText),
    Column("closed_at", UtcDateTime),
    Column("station", JsonText, nullable=False, default="", server_default=""),
    Column("at", UtcDateTime, nullable=False),  # of the capture; see Flag.at
    Index("flag_newest", "state", "raised_at"),
    Index("flag_queue", "state", "severity", "at", "event_id"),
)

verdict = Table(
    "verdict",
    metadata,
    Column("id", Integer, primary_key=True),  # all decisions are kept
    Column("sequence", BigInteger, nullable=False),  # the highest of each ordinal is in force
    Column("event_id", JsonText, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("outcome", JsonText, nullable=False),
    Column("observation_type", JsonText, nullable=False),
    Column("label", JsonText, nullable=False),
    Column("scientific_name", JsonText),
    Column("classified_by", JsonText, nullable=False),
    Column("actor_id", JsonText, nullable=False, default="", server_default=""),  # id of an account
    Column("decided_at", UtcDateTime, nullable=False),
    Column("applied", Boolean, nullable=False, default=False),
    Column("withdraws", BigInteger, nullable=False, default=0, server_default="0"),  # sequence of a withdrawn verdict
    Index("verdict_sequence", "sequence", unique=True),
    Index("verdict_of", "event_id", "ordinal", "sequence"),
    Index("verdict_unapplied", "applied"),
)

quarantined = Table(
    "quarantined",
    metadata,
    Column("id", JsonText, primary_key=True),
    Column("source", JsonText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("topic", JsonText, nullable=False),
    Column("station", JsonText, nullable=False),
    Column("reason", JsonText, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("name", JsonText, nullable=False),
    Index("quarantined_newest", "at"),
)

media = Table(
    "media",
    metadata,
    Column("event_id", JsonText, primary_key=True),
    Column("sha256", JsonText, primary_key=True),
    Column("role", JsonText, primary_key=True),
    Column("type", JsonText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("station", JsonText, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("media_content", "sha256"),
)

# Consecutive events in the chain of a station's events; see ``casebook.chain_runs``.
chain_run = Table(
    "chain_run",
    metadata,
    Column("station", JsonText, primary_key=True),
    Column("chain", JsonText, primary_key=True),
    Column("public_key", JsonText, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("previous", JsonText, nullable=False),
    Column("digest", JsonText, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

chain_fault = Table(
    "chain_fault",
    metadata,
    Column("station", JsonText, primary_key=True),
    Column("kind", JsonText, primary_key=True),
    Column("event_id", JsonText, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

clock_shift = Table(
    "clock_shift",
    metadata,
    Column("id", Integer, primary_key=True),  # all corrections are kept
    Column("station", JsonText, nullable=False),
    Column("sensor", JsonText, nullable=False),
    Column("start", UtcDateTime, nullable=False),  # of capture times by the wrong clock
    Column("end", UtcDateTime, nullable=False),
    Column("shift_us", BigInteger, nullable=False),
    Column("reason", JsonText, nullable=False),
    Column("made_by", JsonText, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("undone_by", JsonText, nullable=False),  # "": in force
    Column("undone_at", UtcDateTime),
)

station_command = Table(
    "station_command",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", JsonText, nullable=False),
    Column("channel", JsonText, nullable=False),
    Column("kind", JsonText, nullable=False),
    Column("nonce", JsonText, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("event_id", JsonText, nullable=False),  # of a request for an original, else ""
    Column("sha256", JsonText, nullable=False),  # likewise
    Column("asked_by", JsonText, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("serial", BigInteger),  # None: not sealed yet
    Column("envelope", LargeBinary),
    Column("sent_at", UtcDateTime),  # for the last time
    Column("state", JsonText, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("result", JsonText, nullable=False),
    Column("answered_at", UtcDateTime),
    Index("station_command_nonce", "nonce", unique=True),
    Index("station_command_open", "state", "station"),
    Index("station_command_event", "event_id"),
)

# Parts of originals on their way; deleted when the original is complete.
media_part = Table(
    "media_part",
    metadata,
    Column("station", JsonText, primary_key=True),
    Column("sha256", JsonText, primary_key=True),  # of the whole
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

reported_settings = Table(
    "reported_settings",
    metadata,
    Column("station", JsonText, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("state", JsonText, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("settings", JsonText, nullable=False),
)
