"""What is sent to InfluxDB 2.x and 3.x, which no distribution carries: recorded by a real HTTP server that says yes."""

import base64
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from casebook.verdicts import Verdict
from contract import encode
from contract.errors import StoreUnavailable
from contract.examples import EVENT
from ingest.store.counts import CountQuery
from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions, StoreRefused
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import EventQuery, Received

MOMENT = CountQuery.in_utc(EVENT.captured_at, EVENT.captured_at + timedelta(seconds=1))
EMPTY = b'{"results":[{"statement_id":0}]}'
DATABASES = b'{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["wild"]]}]}]}'


class Recorder(ThreadingHTTPServer):
    """Answers as InfluxDB does with nothing in it, or as it is told, and keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], str | None, bytes]] = []
        self.answers: list[tuple[int, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        form = body.decode() if path == "/query" else ""
        asked = dict(urllib.parse.parse_qsl(form or query, keep_blank_values=True))
        self.server.asked.append((self.command, path, asked, self.headers["Authorization"], body))
        status, data = 204 if "write" in path else 200, b"" if "write" in path else EMPTY
        if asked.get("q") == "SHOW DATABASES":
            data = DATABASES
        if self.server.answers:
            status, data = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002, the standard library's name
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_writes_of_2_x_name_organisation_bucket_precision_and_token(recorder: Recorder) -> None:
    store = InfluxDbStore(InfluxOptions(url=recorder.url, database="wild", org="reserve"), "a token")
    store.write([Received(EVENT, encode(EVENT), EVENT.captured_at)])
    store.close()
    writes = [one for one in recorder.asked if one[1] == "/api/v2/write"]
    assert {one[0] for one in writes} == {"POST"}
    assert all(one[2] == {"org": "reserve", "bucket": "wild", "precision": "ns"} for one in writes)
    assert {one[3] for one in recorder.asked} == {"Token a token"}
    lines = [line for one in writes for line in one[4].decode().split("\n")]
    both = ["detection", "detection_by_taxon"]
    assert [line.split(",")[0].split(" ")[0] for line in lines] == [
        "event",
        *both,
        *both,
        "model_use",
        "event_index",
    ]


def test_writes_of_1_x_name_the_database_and_sign_in_by_password(recorder: Recorder) -> None:
    options = InfluxOptions(url=recorder.url, database="wild", username="ranger", write_path="v1")
    store = InfluxDbStore(options, "four boars")
    store.write([Received(EVENT, encode(EVENT), EVENT.captured_at)])
    store.close()
    writes = [one for one in recorder.asked if one[1] == "/write"]
    assert writes
    assert all(one[2] == {"db": "wild", "precision": "ns"} for one in writes)
    assert {one[3] for one in recorder.asked} == {"Basic " + base64.b64encode(b"ranger:four boars").decode()}


def test_every_question_is_one_statement_of_influxql(recorder: Recorder) -> None:
    store = InfluxDbStore(InfluxOptions(url=recorder.url, database="wild"))
    store.write([Received(EVENT, encode(EVENT), EVENT.captured_at)])
    store.apply_verdicts(
        [Verdict(EVENT.event_id, 0, "dismissed", "blank", "person", None, "ranger", EVENT.captured_at)]
    )
    store.count(replace(MOMENT, taxa=("it's; a boar",)))
    store.events(EventQuery(event_ids=(EVENT.event_id,)))
    store.events(EventQuery(taxa=("boar",)))
    store.stations()
    store.close()
    asked = [one[2] for one in recorder.asked if one[1] == "/query"]
    assert len(asked) > 8
    for one in asked:
        assert (one["db"], one["epoch"]) == ("wild", "ns")
        assert one["q"].replace("it\\'s; a boar", "").startswith(("SELECT ", "SHOW DATABASES"))
        assert ";" not in one["q"].replace("it\\'s; a boar", "")
    assert {one[3] for one in recorder.asked} == {None}


def test_a_long_question_travels_in_the_body(recorder: Recorder) -> None:
    store = InfluxDbStore(InfluxOptions(url=recorder.url, database="wild"))
    stations = tuple(f"station-{number:03}" for number in range(300))
    store.count(replace(MOMENT, stations=stations))
    store.close()
    method, path, asked, _, _ = recorder.asked[-1]
    assert (method, path) == ("POST", "/query")
    assert "station-299" in asked["q"]


def test_a_large_batch_goes_in_requests_that_every_version_takes(recorder: Recorder) -> None:
    link = InfluxConnection(InfluxOptions(url=recorder.url), "")
    lines = [b'event payload="%b" %d' % (b"x" * 1000, number) for number in range(6000)]
    link.write([*lines, *(b"short a=1 %d" % number for number in range(6000))])
    link.close()
    bodies = [one[4] for one in recorder.asked]
    assert b"\n".join(bodies).count(b"\n") == 11_999
    assert max(map(len, bodies)) <= 4_000_000
    assert max(body.count(b"\n") for body in bodies) < 5000


@pytest.mark.parametrize(
    ("status", "body", "final"),
    [
        (503, b'{"error":"hinted handoff queue not empty"}', False),
        (500, b"<html>a proxy's page</html>", False),
        (429, b'{"code":"too many requests"}', False),
        (401, b'{"code":"unauthorized","message":"unauthorized access"}', True),
        (404, b'{"code":"not found","message":"bucket \\"wild\\" not found"}', True),
        (400, b'{"error":"partial write: field type conflict"}', True),
        (413, b'{"error":"Request Entity Too Large"}', True),
        (500, b'{"error":"timeout"}', False),
    ],
)
def test_what_may_pass_is_told_from_what_does_not(recorder: Recorder, status: int, body: bytes, final: bool) -> None:
    link = InfluxConnection(InfluxOptions(url=recorder.url), "")
    recorder.answers.append((status, body))
    with pytest.raises(StoreUnavailable, match=str(status)) as caught:
        link.write([b"event a=1 1"])
    assert isinstance(caught.value, StoreRefused) == final
    link.write([b"event a=1 1"])  # the next one is taken
    link.close()


def test_a_disk_that_was_full_is_told_with_what_1_x_needs_afterwards(recorder: Recorder) -> None:
    link = InfluxConnection(InfluxOptions(url=recorder.url), "")
    recorder.answers = [(500, b'{"error":"engine: error writing WAL entry: no space left on device"}')]
    with pytest.raises(StoreUnavailable, match=r"no space left on device.*restart InfluxDB") as told:
        link.write([b"status online=1i 1"])
    assert not isinstance(told.value, StoreRefused)
    link.close()


def test_an_answer_that_is_not_influxdbs_is_shown(recorder: Recorder) -> None:
    recorder.answers.append((200, b"<html>It works!</html>"))
    with pytest.raises(StoreRefused, match="It works!"):
        InfluxDbStore(InfluxOptions(url=recorder.url))


def test_a_statement_refused_within_an_answer_is_an_error(recorder: Recorder) -> None:
    link = InfluxConnection(InfluxOptions(url=recorder.url), "")
    recorder.answers.append((200, b'{"results":[{"statement_id":0,"error":"max-select-series limit exceeded"}]}'))
    with pytest.raises(StoreRefused, match="max-select-series"):
        link.query("SELECT 1")
    recorder.answers.append((200, msgspec.json.encode({"results": [{"error": "query timeout"}]})))
    with pytest.raises(StoreUnavailable, match="query timeout") as caught:
        link.query("SELECT 1")
    assert not isinstance(caught.value, StoreRefused)
    link.close()
