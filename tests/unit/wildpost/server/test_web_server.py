"""The web server bounds the number of connections, and the time and memory that each may take."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from review.security.protection import protected
from tests.eventually import PATIENCE_S, eventually
from tests.listening import is_closed
from wildpost.server import bounded_protocol, web_server
from wildpost.server.web_server import connection_limit, serve_http

LARGE = 64 << 20  # more than the socket buffers of both sides hold


class Served:
    """A small application behind the web server, and raw connections to it."""

    def __init__(self) -> None:
        self.port = 0
        self.may_end = threading.Event()
        self.running = threading.Semaphore(0)
        self.opened: list[socket.socket] = []

    def app(self) -> Starlette:
        async def echo(request: Request) -> Response:
            return PlainTextResponse(await request.body())

        def wait(request: Request) -> Response:
            self.running.release()
            self.may_end.wait(PATIENCE_S)
            return PlainTextResponse("done")

        def large(request: Request) -> Response:
            return PlainTextResponse(bytes(LARGE))

        async def who(request: Request) -> Response:
            assert request.client
            return PlainTextResponse(f"{request.client.host} {request.url.scheme}")

        routes = [Route("/", echo, methods=["GET", "POST"]), Route("/wait", wait), Route("/large", large)]
        routes += [Route("/who", who), Route("/file", lambda _: FileResponse(__file__))]

        async def pass_on(request: Request, following: RequestResponseEndpoint) -> Response:
            return await following(request)

        return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)])

    def connect(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        connection.sendall(sent)
        self.opened.append(connection)
        return connection

    def status(self, path: str = "/") -> int:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_S, trust_env=False).status_code


@contextlib.contextmanager
def serving(maximum: int = 8, proxies: tuple[str, ...] = ()) -> Iterator[Served]:
    served = Served()
    app = protected(served.app(), None, lambda _, code: Response(status_code=code))
    try:
        with serve_http(app, "127.0.0.1", 0, "pages", proxies, maximum) as served.port:
            yield served
            served.may_end.set()
    finally:
        for one in served.opened:
            one.close()


def received(connection: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_protocol, "REQUEST_S", 0.2)
    monkeypatch.setattr(bounded_protocol, "STALLED_S", 0.2)
    monkeypatch.setattr(web_server, "_IDLE_S", 0.2)


def test_silent_connections_make_room_for_one_that_asks() -> None:
    with serving(maximum=8) as served:
        silent = [served.connect(b"GET / HTTP/1.1\r\nHost: a\r\nX: ") for _ in range(40)]
        assert served.status() == 200
        closed = sum(is_closed(one) for one in silent)
        assert closed >= 40 - 8


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HTT", b""),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b""),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", b"HTTP/1.1 408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"HTTP/1.1 408"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT", b"HTTP/1.1 200"),
    ],
    ids=["nothing", "a line", "headers", "a body", "chunks", "one request", "a second request"],
)
def test_a_request_that_does_not_end_ends_its_connection(sent: bytes, answer: bytes) -> None:
    with serving() as served:
        found = received(served.connect(sent))
        assert found[:12] == answer
        assert not answer or b"x-content-type-options: nosniff" in found.lower()


@pytest.mark.usefixtures("impatient")
def test_a_request_that_trickles_in_ends_its_connection() -> None:
    with serving() as served:
        connection = served.connect(b"GET / HTTP/1.1\r\nHost: a\r\n")
        closed = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not closed.wait(0.05):
                    connection.sendall(b"X: y\r\n")

        sender = threading.Thread(target=trickle)
        sender.start()
        received(connection)
        closed.set()
        sender.join()


@pytest.mark.usefixtures("impatient")
def test_a_body_without_end_is_refused_and_its_connection_closed() -> None:
    with serving() as served:
        connection = served.connect(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(received(connection)))
        reader.start()
        with pytest.raises(OSError, match=r"."):
            while True:
                connection.sendall(chunk)
        reader.join()
        assert found[0].startswith(b"HTTP/1.1 413")


@pytest.mark.usefixtures("impatient")
def test_a_client_that_takes_no_response_is_closed() -> None:
    with serving(maximum=4) as served:
        connection = served.connect(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.recv(1)
        eventually(lambda: descriptors_of(served.port) == 1, "only the listening socket is left")
        assert len(received(connection)) < LARGE


def descriptors_of(port: int) -> int:
    """Return how many sockets of this machine have a local port, by /proc/net/tcp, but those that are closing."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(local.endswith(f":{port:04X}") and state in ("01", "0A", "08") for _, local, _, state, *_ in fields)


def test_responses_that_wait_for_their_clients_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_protocol, "UNSENT_BYTES", 2 * LARGE)
    monkeypatch.setattr(bounded_protocol, "STALLED_S", 10 * PATIENCE_S)
    with serving(maximum=16) as served:
        waiting = [served.connect(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(6)]
        for one in waiting:
            one.recv(1)
        eventually(lambda: descriptors_of(served.port) <= 1 + 2, "all but two responses are given up")


def received_at_least(connection: socket.socket, size: int) -> bytes:
    """Return what the server sends until it closes the connection or ``size`` bytes have come."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while len(data) < size and (part := connection.recv(1 << 20)):
            data += part
    return bytes(data)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (b"414", b"431")),
        (b"GET /?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (b"414",)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", (b"431",)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", (b"431",)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", (b"431",)),
        (b"nonsense\r\n\r\n", (b"400",)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n", (b"400",)),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", (b"400",)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n", (b"400",)),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", (b"505",)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (b"505",)),
    ],
)
def test_what_is_no_request_of_ours_is_refused_with_headers(sent: bytes, status: tuple[bytes, ...]) -> None:
    with serving() as served:
        connection = served.connect()
        sender = threading.Thread(target=send, args=(connection, sent))
        sender.start()
        data = received_at_least(connection, 300)
        sender.join()
        assert data.partition(b" ")[2].startswith(status)
        assert b"x-content-type-options: nosniff" in data.lower()
        assert b"server:" not in data.lower()


def send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)


def test_pipelined_requests_are_answered_one_after_another() -> None:
    with serving() as served:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection = served.connect(b"".join(request + str(n % 10).encode() for n in range(1000)) + last)
        answers = received(connection)
        assert answers.count(b"HTTP/1.1 200 OK") == 1001


def test_a_connection_is_refused_only_while_all_are_being_answered() -> None:
    with serving(maximum=4) as served:
        for _ in range(4):
            served.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(4):
            assert served.running.acquire(timeout=PATIENCE_S)
        answer = received(served.connect())
        assert answer.startswith(b"HTTP/1.1 503") and b"retry-after: 5" in answer.lower()
        served.may_end.set()
        for one in served.opened[:4]:
            assert one.recv(100).startswith(b"HTTP/1.1 200")
        assert served.status() == 200


def test_a_websocket_is_not_opened() -> None:
    with serving() as served:
        headers = (
            b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
        )
        assert received(served.connect(b"GET / HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")).startswith(
            b"HTTP/1.1 200"
        )


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [((), "127.0.0.1 http"), (("127.0.0.1",), "203.0.113.7 https"), (("192.0.2.1",), "127.0.0.1 http")],
)
def test_forwarded_headers_are_believed_from_the_configured_proxy_only(proxies: tuple[str, ...], seen: str) -> None:
    forwarded = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
    with serving(proxies=proxies) as served:
        answer = httpx.get(f"http://127.0.0.1:{served.port}/who", headers=forwarded, trust_env=False)
        assert answer.text == seen


def limits_of(soft: int, _: int) -> tuple[int, int]:
    return soft, soft


def test_the_connections_leave_descriptors_to_the_intake(monkeypatch: pytest.MonkeyPatch) -> None:
    used = sum(1 for _ in Path("/dev/fd").iterdir())
    limits = {1_000_000: 128, 1024: 128, used + 64: 20, used + 10: 2}
    for soft, most in limits.items():
        monkeypatch.setattr("resource.getrlimit", partial(limits_of, soft))
        assert 2 <= connection_limit() <= most + 1


def test_a_file_passes_through_middleware_of_starlette() -> None:
    """Such middleware waits for the client to go, and takes any other message for an error."""
    with serving() as served:
        for _ in range(2):
            answer = httpx.get(f"http://127.0.0.1:{served.port}/file", trust_env=False)
            assert answer.content == Path(__file__).read_bytes()
            posted = httpx.post(f"http://127.0.0.1:{served.port}/", content=b"body", trust_env=False)
            assert posted.content == b"body"


def test_an_address_that_is_taken_is_named() -> None:
    with (
        serving() as served,
        pytest.raises(OSError, match=f"127.0.0.1:{served.port}"),
        serve_http(served.app(), "127.0.0.1", served.port, "second"),
    ):
        pass
