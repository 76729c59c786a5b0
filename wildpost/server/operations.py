"""Endpoints for operators: health (/healthz) and Prometheus metrics (/metrics)."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.routing import Route

from contract.redaction import Redaction
from contract.supervision import Supervisor
from ingest.service import IngestService
from review.security.access_rules import OPERATIONS, access
from review.security.authentication import is_local
from review.security.protection import protected
from wildpost.server.web_server import serve_http

_OPERATIONS_CONNECTIONS = 32


def add_operations(app: FastAPI, ingest: IngestService) -> None:
    """Add /metrics to the review application, and answer its /healthz with status 503 while ingest is stuck."""

    @access(OPERATIONS)
    async def metrics(request: Request) -> Response:
        return Response(generate_latest(ingest.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def alive(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path == "/healthz" and is_local(request) and (stuck := ingest.stuck):
            # Checked before /healthz reads the databases: whatever blocks ingest may block them too.
            return Response(health_of(stuck), status_code=503, media_type="application/json")
        return await proceed(request)

    app.add_api_route("/metrics", metrics, include_in_schema=False)
    app.middleware("http")(alive)


def health_of(stuck: str, hindered: str = "", **more: object) -> bytes:
    """Return the JSON body of the response to /healthz.

    Args:
        stuck: Why the server cannot recover by itself.
        hindered: A problem that may end by itself.
        more: Further fields.
    """
    status = "stuck" if stuck else "hindered" if hindered else "ok"
    return msgspec.json.encode({"status": status, "problem": Redaction()(stuck or hindered)} | more)


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

    def answer_health(request: Request) -> Response:
        code, body = health()
        return Response(body, code, media_type="application/json")

    def answer_metrics(request: Request) -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(routes=[Route("/healthz", answer_health), Route("/metrics", answer_metrics)])
    # Monitoring asks under any name of the machine, and nothing here can be changed: no check of the Host header.
    protected_app = protected(app, None, lambda _, code: Response(status_code=code))
    with serve_http(
        protected_app, host, port, "operations", maximum=_OPERATIONS_CONNECTIONS, supervisor=supervisor
    ) as bound:
        yield bound
