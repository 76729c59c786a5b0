"""What those who run a server ask it: is it alive (/healthz), and how much does it do (/metrics)."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingest.service import IngestService


def add_operations(app: FastAPI, serving: IngestService) -> None:
    """Have the pages' server answer for the intake: /metrics, and 503 at /healthz when the intake hangs."""

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(serving.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def alive(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path == "/healthz" and (stuck := serving.stuck):
            # Asked before the databases are: what makes the intake hang may make them hang too.
            return Response(health_of(stuck), status_code=503, media_type="application/json")
        return await proceed(request)

    app.add_route("/metrics", metrics)
    app.middleware("http")(alive)


def health_of(stuck: str, hindered: str = "", **more: object) -> bytes:
    """Write the answer to /healthz.

    Args:
        stuck: Why it will not go on by itself.
        hindered: What is in the way and may go away.
        more: What else to say.
    """
    status = "stuck" if stuck else "hindered" if hindered else "ok"
    return msgspec.json.encode({"status": status, "problem": stuck or hindered} | more)


@contextmanager
def answering(
    host: str, port: int, health: Callable[[], tuple[int, bytes]], metrics: Callable[[], bytes]
) -> Iterator[int]:
    """Answer /healthz and /metrics, and nothing else, for a server without pages.

    Args:
        host: Where to listen.
        port: And on which port; 0 takes a free one.
        health: Gives status code and body.
        metrics: Gives Prometheus' text form.

    Yields:
        The port.

    Raises:
        OSError: the port is taken.
    """

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            if self.path == "/healthz":
                code, body, kind = *health(), "application/json"
            elif self.path == "/metrics":
                code, body, kind = 200, metrics(), CONTENT_TYPE_LATEST
            else:
                code, body, kind = 404, b"expected /healthz or /metrics\n", "text/plain"
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the library's name
            """Nothing: asked every few seconds, it is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Answers)
    except OSError as error:
        raise OSError(f"/metrics and /healthz could not listen on {host}:{port}: {error}") from error
    thread = threading.Thread(target=server.serve_forever, name="operations")
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
