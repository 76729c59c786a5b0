"""Endpoints for operators: health (/healthz) and Prometheus metrics (/metrics)."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from contract.supervision import SupervisedThread, Supervisor
from ingest.service import IngestService


def add_operations(app: FastAPI, ingest: IngestService) -> None:
    """Add /metrics to the review application, and answer its /healthz with status 503 while ingest is stuck."""

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(ingest.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def alive(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path == "/healthz" and (stuck := ingest.stuck):
            # Checked before /healthz reads the databases: whatever blocks ingest may block them too.
            return Response(health_of(stuck), status_code=503, media_type="application/json")
        return await proceed(request)

    app.add_route("/metrics", metrics)
    app.middleware("http")(alive)


def health_of(stuck: str, hindered: str = "", **more: object) -> bytes:
    """Return the JSON body of the response to /healthz.

    Args:
        stuck: Why the server cannot recover by itself.
        hindered: A problem that may end by itself.
        more: Further fields.
    """
    status = "stuck" if stuck else "hindered" if hindered else "ok"
    return msgspec.json.encode({"status": status, "problem": stuck or hindered} | more)


@contextmanager
def serve_operations(
    host: str,
    port: int,
    health: Callable[[], tuple[int, bytes]],
    metrics: Callable[[], bytes],
    supervisor: Supervisor | None = None,
) -> Iterator[int]:
    """Serve /healthz and /metrics for a server without pages.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0: any free port.
        health: Returns status code and body.
        metrics: Returns Prometheus' text format.
        supervisor: Register of the thread's failures.

    Yields:
        The port.

    Raises:
        OSError: the port is in use.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer a GET request for /healthz or /metrics."""
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
            """Write no log line for a request: health probes send a request every few seconds."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise OSError(f"/metrics and /healthz could not listen on {host}:{port}: {error}") from error
    thread = SupervisedThread("operations", server.serve_forever, supervisor)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        thread.stopping.set()
        server.shutdown()
        thread.stop()
        server.server_close()
