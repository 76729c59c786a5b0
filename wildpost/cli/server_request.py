"""Where the commands for analysis find data: a running server, else the database file of a data folder."""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import WildpostError
from wildpost.settings.data_folder import named_folder

if TYPE_CHECKING:
    from ingest.store.duckdb.store import DuckDbStore

SERVER, DETECTIONS = "server.json", "detections.duckdb"
_TIMEOUT_S = 60
_DEMO = Path("demo") / "server"


class CannotCount(WildpostError):
    """No detection database was found, or the server refused the request; the message says why."""


def find_data(given: Path | None) -> Path:
    """Return the data folder: the given one, else the default one, else that of the demo if only it has data.

    Where the demo's data is used, a line on standard error says so.
    """
    folder = named_folder(given)
    if given is None and not _has_data(folder) and _has_data(folder / _DEMO):
        print(f"This is the data of the demo, in {folder / _DEMO}.", file=sys.stderr)
        return folder / _DEMO
    return folder


def _has_data(folder: Path) -> bool:
    return (folder / SERVER).exists() or (folder / DETECTIONS).exists()


def ask_server(folder: Path, path: str, query: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Request JSON from the server that runs on a data folder; None if no server answers.

    Raises:
        CannotCount: the server refused the request.
    """
    announced = folder / SERVER
    if not announced.exists():
        return None
    server = json.loads(announced.read_text())
    address = f"{server['url']}{path}?{urllib.parse.urlencode(query)}"
    headers = {"Accept": "application/json", "Authorization": f"Bearer {server.get('token', '')}"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310, our own server
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            raise CannotCount(json.load(refused).get("error", str(refused))) from refused
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None  # the server was killed and left server.json behind: the database is not locked
    return found


@contextmanager
def read_store(folder: Path) -> "Iterator[DuckDbStore]":
    """Open the database file of a data folder for reading.

    Raises:
        CannotCount: there is no such file.
        StoreUnavailable: it cannot be read.
    """
    from ingest.store.duckdb.store import DuckDbStore

    path = folder / DETECTIONS
    if not path.exists():
        raise CannotCount(f"{path}: no such database; name the server's data folder with --data DIR")
    with closing(DuckDbStore(path, read_only=True)) as store:
        yield store
