"""Connection to an InfluxDB server: line protocol writes, InfluxQL queries, and classification of errors."""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from contract.errors import ContentRejected, StoreUnavailable

MAX_LINES = 5_000  # per request, as InfluxData recommends
MAX_CONCURRENT_BATCHES = 3  # one batch is prepared while InfluxDB syncs the others to disk
MAX_BYTES = 4_000_000  # per request; InfluxDB 3 rejects 10 MB
MAX_GET_QUERY = 4_000  # characters; longer queries are sent in the body, since proxies limit a URL to 8 kB

_FULL_HINT = " (once the disk has room again, restart InfluxDB: 1.x keeps refusing writes)"
_BAD_CONTENT = (400, 413, 422)  # of a write: a line that cannot be parsed, a field of another type, too many bytes
_OLDER = re.compile(r"points? beyond retention policy.*dropped=(\d+)")


class StoreRefused(StoreUnavailable):
    """InfluxDB rejected the request; a retry fails until an operator fixes the cause."""


class PointsRejected(StoreRefused, ContentRejected):
    """InfluxDB rejected the content of points, such as a field of another type."""


class InfluxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connection settings of an InfluxDB server, without the secret, which an environment variable contains.

    Attributes:
        url: URL of the server or its reverse proxy.
        database: A database in 1.x and 3.x; in 2.x a bucket with an InfluxQL mapping of the same name.
        org: Organisation, required by 2.x.
        username: User name for authentication by password; empty: by token, or none without a secret.
        write_path: "v2" writes to /api/v2/write (1.8 and later), "v1" to /write (any 1.x).
        create: Create a missing database and set its retention; 2.x has its own commands for this.
        retention_days: Retention in days; 0 is unlimited. Used only if ``create`` is set.
        timeout_s: Timeout of one request in seconds.
    """

    url: str = "http://127.0.0.1:8086"
    database: str = "wildpost"
    org: str = ""
    username: str = ""
    write_path: Literal["v1", "v2"] = "v2"
    create: bool = True
    retention_days: int = 0
    timeout_s: float = 30

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^@?#\s]+", self.url):  # the message omits it, since it may contain a password
            raise ValueError(
                "influxdb url: expected a URL such as http://127.0.0.1:8086, without user, password or token"
            )


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an InfluxQL result: its group-by tags, and its rows by column name."""

    tags: dict[str, str]
    rows: list[dict[str, Any]]


class Table(msgspec.Struct):
    """One series of an InfluxQL result as InfluxDB returns it: column names, and rows of values."""

    columns: list[str]
    tags: dict[str, str] = {}
    values: list[list[Any]] = []


class _Result(msgspec.Struct):
    series: list[Table] = []
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""


class InfluxConnection:
    """Synchronous connection to one InfluxDB database; every call waits for the server's response.

    Attributes:
        older_than_kept: Number of points the server dropped on write because they are older than its retention.
    """

    def __init__(self, options: InfluxOptions, secret: str) -> None:
        """Create the HTTP client without sending a request."""
        from influxdb_client import InfluxDBClient  # slow to import; only servers with InfluxDB need it

        token = f"{options.username}:{secret}" if options.username else secret
        self._options = options
        self.older_than_kept = 0
        self._posting = ThreadPoolExecutor(MAX_CONCURRENT_BATCHES, thread_name_prefix="influxdb")
        self._client = InfluxDBClient(
            options.url,
            token=token or None,
            org=options.org or None,
            timeout=int(options.timeout_s * 1000),
            auth_basic=bool(options.username),
        )

    @property
    def name(self) -> str:
        """Name of the database for messages and errors, without the secret."""
        return f"InfluxDB {self._options.url}, {self._options.database}"

    def write(self, lines: Iterable[bytes]) -> None:
        """Write line-protocol lines in order, and return once InfluxDB has them in its write-ahead log.

        The iterable is consumed while earlier lines are being sent.

        Raises:
            StoreUnavailable: none, some or all lines may be written; writing them again is idempotent.
        """
        pending: Future[None] | None = None
        for body in _portions(lines):
            if pending is not None:
                pending.result()
            pending = self._posting.submit(self._post, body)
        if pending is not None:
            pending.result()

    def _post(self, body: bytes) -> None:
        database, org = self._options.database, self._options.org
        if self._options.write_path == "v2":
            path, where = "/api/v2/write", [("org", org), ("bucket", database), ("precision", "ns")]
        else:
            path, where = "/write", [("db", database), ("precision", "ns")]
        try:
            self._request("POST", path, where, body=body, content="text/plain; charset=utf-8")
        except StoreRefused as error:
            # All other points of the request are written. Failing would block all stations for one with a wrong clock.
            if not (older := _OLDER.search(str(error))):
                raise
            self.older_than_kept += int(older[1])

    def query(self, statement: str) -> list[Series]:
        """Run one InfluxQL statement and return its series, with rows by column name."""
        return [
            Series(one.tags, [dict(zip(one.columns, row, strict=True)) for row in one.values])
            for one in self.tables(statement)
        ]

    def tables(self, statement: str) -> list[Table]:
        """Run one InfluxQL statement and return its series as received, with times in nanoseconds since 1970.

        InfluxDB 3.x accepts only one statement per request.

        Raises:
            StoreUnavailable: the server did not answer or rejected the statement.
        """
        parameters = [("db", self._options.database), ("epoch", "ns"), ("q", statement)]
        # 1.x requires POST for changes; for the rest, every version and proxy supports GET
        if len(statement) > MAX_GET_QUERY or not statement.startswith(("SELECT", "SHOW")):
            data = self._request("POST", "/query", [], form=parameters)
        else:
            data = self._request("GET", "/query", parameters)
        try:
            answer = msgspec.json.decode(data, type=_Answer)
        except msgspec.DecodeError as error:
            raise StoreRefused(f"{self.name}: answered {data[:100]!r}, which is not an InfluxDB response") from error
        failure = answer.error or next((result.error for result in answer.results if result.error), "")
        if failure:
            raise self.refused(failure)
        return [one for result in answer.results for one in result.series]

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Run one InfluxQL statement and return the rows of all series, by column name."""
        return [row for series in self.query(statement) for row in series.rows]

    def refused(self, why: str) -> StoreUnavailable:
        """Return the exception for a request that InfluxDB rejected.

        ``StoreUnavailable`` if a retry can help, else its subclass ``StoreRefused``.
        """
        transient = ("timeout", "engine is closed", "shard is disabled", "cache-max-memory", "too many", "not ready")
        kind = StoreUnavailable if any(word in why for word in transient) else StoreRefused
        return kind(f"{self.name}: {why.strip()[:500]}")

    def close(self) -> None:
        """Close the connections to the InfluxDB server."""
        self._posting.shutdown()
        self._client.close()

    def _request(
        self,
        method: str,
        path: str,
        parameters: list[tuple[str, str]],
        *,
        body: bytes | None = None,
        form: list[tuple[str, str]] | None = None,
        content: str = "application/x-www-form-urlencoded",
    ) -> bytes:
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = self._client.api_client.call_api(
                path,
                method,
                query_params=parameters,
                header_params={"Accept": "application/json", "Content-Type": content},
                body=body,
                post_params=form or [],
                _preload_content=False,
                _return_http_data_only=True,
                urlopen_kw={},
            )
            status, data = int(response.status), bytes(response.data)
        except ApiException as error:
            status, data = int(error.status or 0), _bytes(error.body or error.reason)
        except (HTTPError, OSError) as error:
            raise StoreUnavailable(f"{self.name}: no answer: {error}") from error
        if 200 <= status < 300:
            return data
        text = f"{method} {path} was answered with {status}: {data.decode(errors='replace').strip()}"
        if status in (0, 408, 429) or status >= 500:
            hint = _FULL_HINT if "no space left" in text else ""
            raise StoreUnavailable(f"{self.name}: {text[:500]}{hint}")
        if status in (401, 403):
            text += " (is the token right, or the username and its password? See secret_variable in [store])"
        refusal = self.refused(text)
        if isinstance(refusal, StoreRefused) and body is not None and status in _BAD_CONTENT:
            raise PointsRejected(str(refusal))
        raise refusal


def _portions(lines: Iterable[bytes]) -> Iterator[bytes]:
    portion: list[bytes] = []
    size = 0
    for line in lines:
        if portion and (len(portion) == MAX_LINES or size + len(line) > MAX_BYTES):
            yield b"\n".join(portion)
            portion, size = [], 0
        portion.append(line)
        size += len(line) + 1
    if portion:
        yield b"\n".join(portion)


def _bytes(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()
