"""The way to an InfluxDB server: lines in, InfluxQL answers out, and what a refusal means."""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from contract.errors import StoreUnavailable

LINES_AT_MOST = 5_000  # a request: as many as its makers advise
MAX_CONCURRENT_BATCHES = (
    3  # batches under way at once: one is worked out while InfluxDB makes the others safe on its disk
)
BYTES_AT_MOST = 4_000_000  # a request; InfluxDB 3 refuses 10 MB
LONG_QUERY = 4_000  # characters: longer ones travel in the body, for proxies limit an address to 8 kB

_FULL_HINT = " (where its disk has room again: start InfluxDB anew, 1.x goes on refusing)"
_OLDER = re.compile(r"points? beyond retention policy.*dropped=(\d+)")


class StoreRefused(StoreUnavailable):
    """The database answered and refused; trying again will not help until somebody mends it."""


class InfluxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the InfluxDB is and how it is spoken to; the secret comes from the environment.

    Attributes:
        url: Of the server, or of what stands before it.
        database: In 1.x and 3.x a database, in 2.x a bucket with a mapping for InfluxQL of the same name.
        org: The organisation, which 2.x asks for.
        username: Signs in by name and password; empty: by token, or not at all where there is none.
        write_path: "v2" writes to /api/v2/write (1.8 and later), "v1" to /write (any 1.x).
        create: Make the database where there is none, and set its retention; 2.x has its own commands for this.
        retention_days: How long everything is kept; 0 is for ever. Only where ``create`` is set.
        timeout_s: Of one request.
    """

    url: str = "http://127.0.0.1:8086"
    database: str = "wildpost"
    org: str = ""
    username: str = ""
    write_path: Literal["v1", "v2"] = "v2"
    create: bool = True
    retention_days: int = 0
    timeout_s: float = 30


@dataclass(frozen=True, slots=True)
class Series:
    """One table of an answer: the tags it was grouped by, and its rows."""

    tags: dict[str, str]
    rows: list[dict[str, Any]]


class Table(msgspec.Struct):
    """One table of an answer as it came: names of columns, and rows of values."""

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
    """Speaks to one database through influxdb-client; every call comes back when the server has answered.

    Attributes:
        older_than_kept: How many points the server dropped at once, being older than its retention.
    """

    def __init__(self, options: InfluxOptions, secret: str) -> None:
        """Get ready; nothing is sent yet."""
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
        """What is spoken to, without its secret."""
        return f"InfluxDB {self._options.url}, {self._options.database}"

    def write(self, lines: Iterable[bytes]) -> None:
        """Write lines in their order; they are in the server's log of writes when this returns.

        Lines may be made while earlier ones are on their way.

        Raises:
            StoreUnavailable: none, some or all of them may be written; writing them again changes nothing.
        """
        under_way: Future[None] | None = None
        for body in _portions(lines):
            if under_way is not None:
                under_way.result()
            under_way = self._posting.submit(self._post, body)
        if under_way is not None:
            under_way.result()

    def _post(self, body: bytes) -> None:
        database, org = self._options.database, self._options.org
        if self._options.write_path == "v2":
            path, where = "/api/v2/write", [("org", org), ("bucket", database), ("precision", "ns")]
        else:
            path, where = "/write", [("db", database), ("precision", "ns")]
        try:
            self._request("POST", path, where, body=body, content="text/plain; charset=utf-8")
        except StoreRefused as error:
            # All others of the portion are written. To refuse would stop every station for one with a wrong clock.
            if not (older := _OLDER.search(str(error))):
                raise
            self.older_than_kept += int(older[1])

    def query(self, statement: str) -> list[Series]:
        """Ask as ``tables`` does, and take every row by the names of its columns."""
        return [
            Series(one.tags, [dict(zip(one.columns, row, strict=True)) for row in one.values])
            for one in self.tables(statement)
        ]

    def tables(self, statement: str) -> list[Table]:
        """Ask one statement of InfluxQL (3.x takes no more at once); times come as nanoseconds since 1970.

        Raises:
            StoreUnavailable: no answer, or a refusal.
        """
        asked = [("db", self._options.database), ("epoch", "ns"), ("q", statement)]
        # 1.x changes anything by POST only; elsewhere GET is what every version and proxy knows
        if len(statement) > LONG_QUERY or not statement.startswith(("SELECT", "SHOW")):
            data = self._request("POST", "/query", [], form=asked)
        else:
            data = self._request("GET", "/query", asked)
        try:
            answer = msgspec.json.decode(data, type=_Answer)
        except msgspec.DecodeError as error:
            raise StoreRefused(f"{self.name}: answers {data[:100]!r}, not as InfluxDB does") from error
        wrong = answer.error or next((result.error for result in answer.results if result.error), "")
        if wrong:
            raise self.refused(wrong)
        return [one for result in answer.results for one in result.series]

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Ask one statement and take the rows of all its tables."""
        return [row for series in self.query(statement) for row in series.rows]

    def refused(self, why: str) -> StoreUnavailable:
        """Word a refusal: one that passes by itself, or one that does not."""
        passing = ("timeout", "engine is closed", "shard is disabled", "cache-max-memory", "too many", "not ready")
        kind = StoreUnavailable if any(word in why for word in passing) else StoreRefused
        return kind(f"{self.name}: {why.strip()[:500]}")

    def close(self) -> None:
        """Let go of the connections."""
        self._posting.shutdown()
        self._client.close()

    def _request(
        self,
        method: str,
        path: str,
        asked: list[tuple[str, str]],
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
                query_params=asked,
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
        said = f"{method} {path} was answered with {status}: {data.decode(errors='replace').strip()}"
        if status in (0, 408, 429) or status >= 500:
            hint = _FULL_HINT if "no space left" in said else ""
            raise StoreUnavailable(f"{self.name}: {said[:500]}{hint}")
        if status in (401, 403):
            said += " (is the token right, or the username and its password? See secret_variable in [store])"
        raise self.refused(said)


def _portions(lines: Iterable[bytes]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        if gathered and (len(gathered) == LINES_AT_MOST or size + len(line) > BYTES_AT_MOST):
            yield b"\n".join(gathered)
            gathered, size = [], 0
        gathered.append(line)
        size += len(line) + 1
    if gathered:
        yield b"\n".join(gathered)


def _bytes(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()
