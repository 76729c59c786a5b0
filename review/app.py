"""The review pages as a web application: rangers decide, analysts look at trends, nothing is loaded from elsewhere."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from casebook.casebook import Casebook
from contract.errors import StoreUnavailable
from ingest.media.port import MediaStore
from ingest.store.port import Store
from pipelines.trends.counting import BadPeriod
from review.api import routes as api
from review.decisions import Undecidable
from review.options import NotLoopback, ReviewOptions, check_bind
from review.page import Site, reader
from review.pages import event, incident, media, quarantine, queue, stations, trends
from review.security.guard import guard

__all__ = ["NotLoopback", "ReviewOptions", "check_bind", "create_app"]


def create_app(
    store: Store,
    casebook: Casebook,
    media_store: MediaStore,
    options: ReviewOptions,
    problem: Callable[[], str] = lambda: "",
    wake_verdict_sync: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Make the application.

    Args:
        store: Where detections are.
        casebook: Where flags and verdicts are.
        media_store: Where pictures and clips are.
        options: How the pages are set up.
        problem: Says what keeps the server from working whole right now, in words; "": nothing.
        wake_verdict_sync: Is called after a verdict was recorded that the store did not take.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: the options name a time zone nobody knows.
    """
    site = Site(store, casebook, media_store, options, problem, wake_verdict_sync)
    site.templates  # noqa: B018, a mistake in time zone or translations shows now, not at the first page

    # No pages of FastAPI's own: they would load their scripts from other hosts.
    app = FastAPI(title="Wildpost", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = site
    app.middleware("http")(guard(options.hosts))
    for page in (queue, event, incident, trends, stations, quarantine, media, api):
        app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_exception_handler(HTTPException, _problem)
    app.add_exception_handler(RequestValidationError, _problem)
    app.add_exception_handler(BadPeriod, _problem)
    app.add_exception_handler(Undecidable, _problem)
    app.add_exception_handler(StoreUnavailable, _problem)
    return app


async def _problem(request: Request, problem: Exception) -> Response:
    """Say what is wrong, as a page to people and as JSON to programs."""
    if isinstance(problem, HTTPException):
        code, detail = problem.status_code, str(problem.detail)
    elif isinstance(problem, StoreUnavailable):
        code, detail = 503, str(problem)
    else:
        code, detail = 422, str(problem)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": detail}, status_code=code)
    return reader(request).page("problem.html", {"code": code, "detail": detail}, status_code=code)
