"""Checks method, address, size and the Host, Origin and Sec-Fetch-Site headers of every request.

It does not authenticate users: any program that sends fitting headers passes.
"""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from review.security.host_names import HostName, is_origin, parse_host

METHODS = ("GET", "HEAD", "POST")
MAX_TARGET_BYTES = 8 << 10  # path and query; longest of ours: a list of filters, some hundred bytes
MAX_HEADER_BYTES = 16 << 10  # names and values of all headers
MAX_HEADERS = 64  # a browser behind a proxy sends about 25
MAX_BODY_BYTES = 64 << 10  # largest body of ours: a decision on all detections of a capture, some kilobytes

Refuse = Callable[[Scope, int], Response]


class RequestChecks:
    """ASGI middleware that refuses requests which are too large, malformed, or from pages of other sites."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, refuse: Refuse) -> None:
        """Store the application.

        Args:
            app: The application.
            hosts: Accepted host names, as ``known_hosts`` returns them; None accepts every name.
            refuse: Returns the response to a refused request, for the status code.
        """
        self._app = app
        self._hosts = hosts
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        status: int | None = self._refused(scope, headers)
        if not status and ("transfer-encoding" in headers or "content-length" in headers):
            status, body = await _read_body(headers, receive)
            receive = _replayed(body, receive)
        if status is None:
            return  # the client is gone
        if status:
            response = self._refuse(scope, status)
            if status == 405:
                response.headers["Allow"] = ", ".join(METHODS)
            await response(scope, receive, send)
            return
        # A HEAD request is answered like GET; the web server leaves out the body.
        scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        await self._app(scope, receive, send)

    def _refused(self, scope: Scope, headers: Headers) -> int:
        """Return the status code for a request that is refused by its line and headers, else 0."""
        target = scope["raw_path"]
        if scope["http_version"] not in ("1.0", "1.1"):
            return 505
        if scope["method"] not in METHODS:
            return 405
        if not target.startswith(b"/"):
            return 400  # absolute form (RFC 9112, section 3.2.2): its host would overrule the Host header
        if len(target) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            return 414
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
            return 431
        if self._hosts is None:
            return 0
        given = headers.getlist("host")
        host = parse_host(given[0]) if len(given) == 1 else None
        if host is None or host.name not in self._hosts:
            return 421
        return 0 if scope["method"] != "POST" or is_same_origin(scope["scheme"], host, headers) else 403


def is_same_origin(scheme: str, host: HostName, headers: Headers) -> bool:
    """Return whether a page of this server sent the request, according to the headers Sec-Fetch-Site and Origin."""
    site, origins = headers.get("sec-fetch-site"), headers.getlist("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origins:
        return len(origins) == 1 and is_origin(origins[0], scheme, host)
    return site is not None


async def _read_body(headers: Headers, receive: Receive) -> tuple[int | None, bytes]:
    """Read the body of a request; the status code is 0, 413 if it is too large, or None if the client closed."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES:
        return 413, b""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None, b""
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return 413, b""
        if not message.get("more_body", False):
            return 0, bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a function that returns the body that was read, and after it what the client does."""
    waiting = [body]

    async def receive_again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return receive_again
