"""Every response carries the security headers, and requests that are malformed, too large or foreign are refused."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from casebook.casebook import Casebook
from casebook.flag_queue import FlagQueue
from contract.errors import StoreUnavailable
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from review.app import ReviewOptions, create_app
from review.security.access_rules import PUBLIC, access
from review.security.host_names import HostName, is_origin, known_hosts, parse_host
from review.security.protection import protected
from review.security.request_checks import MAX_BODY_BYTES, MAX_HEADERS, MAX_TARGET_BYTES
from tests.unit.review.test_answers import PICTURE, Pages, served

JPEG_ADDRESS = f"/media/{hashlib.sha256(PICTURE).hexdigest()}"
EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    tmp_path = tmp_path_factory.mktemp("pages")
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    media = FolderMedia(tmp_path / "media")
    app = create_app(store, casebook, media, ReviewOptions(hosts=("Reserve.example",)))

    @access(PUBLIC)
    async def fail() -> Response:
        raise RuntimeError("secret of the server")

    app.add_api_route("/fails", fail)
    with served(app) as client:
        yield Pages(client, store, casebook, media)
    store.close()
    casebook.close()


def exchange(pages: Pages, request: bytes) -> bytes:
    """Send bytes as they are, and return the response up to the end of its connection."""
    address = urlsplit(str(pages.client.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/trends", {}, 200),
        ("GET", "/healthz", {}, 200),
        ("GET", "/static/tokens.css", {}, 200),
        ("GET", "/api/events", {}, 200),
        ("GET", "/nothing", {}, 404),
        ("GET", "/media/none", {}, 404),
        ("GET", "/verdicts", {}, 405),
        ("DELETE", "/", {}, 405),
        ("POST", "/verdicts", {}, 403),
        ("GET", "/", {"host": "evil.example"}, 421),
        ("GET", "/api/events?limit=many", {}, 422),
        ("GET", "/fails", {}, 500),
        ("GET", "/" + "a" * (MAX_TARGET_BYTES + 1), {}, 414),
        ("GET", "/", {f"x-{number}": "" for number in range(MAX_HEADERS)}, 431),
        ("GET", "/", {"x": "a" * 16_000, "y": "a" * 1000}, 431),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_answer_has_the_security_headers(
    pages: Pages, method: str, path: str, headers: dict[str, str], code: int, accept: str
) -> None:
    answer = pages.client.request(method, path, headers={"accept": accept, **headers})
    assert answer.status_code == code
    assert EXPECTED.items() <= answer.headers.items()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert "strict-transport-security" not in answer.headers
    if code >= 400:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"].startswith(accept)


def test_pages_are_not_stored_and_media_only_for_minutes(pages: Pages) -> None:
    pages.media.put(PICTURE, JPEG_ADDRESS.removeprefix("/media/"))
    assert pages.client.get("/").headers["cache-control"] == "no-store"
    picture = pages.client.get(JPEG_ADDRESS)
    assert picture.headers["cache-control"] == "private, max-age=300"
    again = pages.client.get(JPEG_ADDRESS, headers={"if-none-match": picture.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "private, max-age=300"
    other = pages.client.get(JPEG_ADDRESS, headers={"if-none-match": '"other"'})
    assert other.content == PICTURE


def test_a_static_file_is_stored_for_good_under_the_address_of_its_version(pages: Pages) -> None:
    page = pages.client.get("/").text
    address = page.partition('href="/static/tokens.css')[2].partition('"')[0]
    versioned = pages.client.get(f"/static/tokens.css{address}", headers={"accept-encoding": "identity"})
    assert "immutable" in versioned.headers["cache-control"]
    old = pages.client.get("/static/tokens.css?v=0123", headers={"accept-encoding": "gzip"})
    assert old.headers["cache-control"] == "no-cache"
    assert (old.headers["content-encoding"], old.text) == ("gzip", versioned.text)
    assert pages.client.get("/static/tokens.css", headers={"if-none-match": old.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "..\\app.py", "mark.svg%00.css"])
def test_no_path_leads_out_of_the_static_files(pages: Pages, path: str) -> None:
    assert b"HTTP/1.1 404" in exchange(
        pages, f"GET /static/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/events/marker%3Cscript%3E", {}),
        ("/trends?from=marker", {}),
        ("/trends?zone=marker", {}),
        ("/api/events?start=marker", {}),
        ("/api/events?limit=marker", {}),
        ("/nothing/marker?marker=marker&lang=en", {"referer": "http://marker/", "cookie": "reviewer=marker"}),
        ("/", {"host": "marker.example"}),
        ("/fails?marker", {}),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_an_error_repeats_nothing_of_the_request(pages: Pages, path: str, headers: dict[str, str], accept: str) -> None:
    answer = pages.client.get(path, headers={"accept": accept, **headers})
    assert answer.status_code >= 400
    assert "marker" not in answer.text
    assert "Traceback" not in answer.text and "secret" not in answer.text


@pytest.mark.parametrize("code", [404, 405, 421, 422, 500])
def test_an_error_is_in_the_readers_language(pages: Pages, code: int) -> None:
    request = {404: "/nothing", 405: "/verdicts", 421: "/", 422: "/trends?from=x", 500: "/fails"}[code]
    host = {"host": "evil.example"} if code == 421 else {}
    for accept in ("text/html", "application/json"):
        chinese, english = (
            pages.client.get(request, headers={"accept": accept, "accept-language": language, **host})
            for language in ("zh-CN", "en")
        )
        assert chinese.status_code == english.status_code == code
        assert chinese.text != english.text


def test_an_error_page_needs_no_database(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(queue: FlagQueue) -> int:
        raise StoreUnavailable("casebook 'sqlite': no disk")

    monkeypatch.setattr(FlagQueue, "count_open", fail)
    answer = pages.client.get("/", headers={"accept": "text/html", "accept-language": "en"})
    assert answer.status_code == 503
    assert "cannot be read at the moment" in answer.text and "no disk" in answer.text


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost:1", "127.0.0.1:65535", "[::1]", "[::1]:8420", "[0:0:0:0:0:0:0:1]"),
        *("reserve.example", "RESERVE.example:443"),
    ],
)
def test_a_known_name_is_answered(pages: Pages, host: str) -> None:
    assert pages.client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "127.0.0.1.evil.example",
            "a.localhost",
            "localhost.",
            "reserve.example.",
            "reserve.example.evil",
        ),
        *(
            "localhost:80@evil.example",
            "user@localhost",
            "localhost:80/evil",
            "localhost#",
            "localhost?",
            "localhost\\",
        ),
        *("[::1]evil", "[::1", "::1", "[::ffff:127.0.0.1]", "127.0.0.2", "127.1", "2130706433", "0x7f000001"),
        *("", "127.0.0.1, evil", "localhost:", "localhost:0", "localhost:65536", "localhost:-1", "localhost: 80"),
        *("localhost:٣", "x" * 300),
    ],
)
def test_any_other_host_is_refused(pages: Pages, host: str) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = exchange(pages, request.encode())
    assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost",
        b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost",
        b"GET /healthz HTTP/1.1",
        b"GET /healthz HTTP/1.0",
        b"GET healthz HTTP/1.1\r\nHost: localhost",
        b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost",
        b"CONNECT localhost:1883 HTTP/1.1\r\nHost: localhost",
        b"TRACE / HTTP/1.1\r\nHost: localhost",
        b"POST /verdicts HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1",
        b"POST /verdicts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2",
    ],
)
def test_a_request_with_a_second_meaning_is_refused(pages: Pages, request_line: bytes) -> None:
    answer = exchange(pages, request_line + b"\r\nConnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 405", b"HTTP/1.1 421"))


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("path", ["/verdicts", "/reviewer", "/incidents/none/seen-to", "/nothing"])
def test_a_body_over_the_limit_is_refused_at_every_address(pages: Pages, path: str, chunked: bool) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    answer = pages.client.post(path, content=iter([body]) if chunked else body, headers=pages.ours)
    assert answer.status_code == 413


def test_a_head_request_gets_the_headers_of_the_page(pages: Pages) -> None:
    head, get = pages.client.head("/stations"), pages.client.get("/stations")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_an_unknown_setting_of_a_host_is_refused() -> None:
    for wrong in ("reserve.example:443", "http://reserve.example", "", "*", "reserve.example/"):
        with pytest.raises(ValueError, match="without a port"):
            ReviewOptions(hosts=(wrong,))
    assert "[2001:db8::1]" in known_hosts(["2001:DB8:0::1"])


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("https://reserve.example", True),
        ("https://reserve.example:443", True),
        ("http://reserve.example", False),
        ("https://reserve.example:444", False),
        ("https://reserve.example.", False),
        ("https://x@reserve.example", False),
        ("https://reserve.example/", False),
        ("null", False),
        ("", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: str, same: bool) -> None:
    host = parse_host("reserve.example")
    assert host == HostName("reserve.example")
    assert is_origin(origin, "https", host) is same


def test_behind_tls_browsers_are_told_to_stay_with_tls() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("")(scope, receive, send)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "scheme": "https", "path": "/", "raw_path": b"/", "query_string": b""}
    scope |= {"http_version": "1.1"}
    scope["headers"] = [(b"host", b"localhost")]
    around = protected(app, known_hosts(()), lambda _, code: Response(status_code=code))

    async def answer() -> None:
        await around(scope, receive, send)

    asyncio.run(answer())
    assert dict(sent[0]["headers"])[b"strict-transport-security"] == b"max-age=31536000"


def test_requests_over_the_slots_are_told_to_come_again_and_health_is_answered(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    app = create_app(store, casebook, FolderMedia(tmp_path / "media"), ReviewOptions())
    go_on, running = threading.Event(), threading.Semaphore(0)

    @access(PUBLIC)
    def slow() -> Response:
        running.release()
        go_on.wait(30)
        return PlainTextResponse("done")

    app.add_api_route("/slow", slow)
    codes: list[int] = []
    with served(app) as client:

        def ask() -> None:
            codes.append(httpx.get(client.base_url.join("/slow"), timeout=30, trust_env=False).status_code)

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert running.acquire(timeout=30)
        assert client.get("/healthz").status_code == 200
        refused = client.get("/slow", headers={"accept-language": "en"}, timeout=30)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "busy" in refused.json()["error"]
        go_on.set()
        for thread in threads:
            thread.join(30)
        assert client.get("/slow").status_code == 200
    assert codes == [200] * 24
    store.close()
    casebook.close()
