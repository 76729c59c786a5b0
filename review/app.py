"""The review pages as a FastAPI application; the pages load nothing from other hosts."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from casebook.casebook import Casebook
from contract.errors import StoreUnavailable
from ingest.drawing.drawings import Drawings
from ingest.media.port import MediaStore
from ingest.store.port import Store
from pipelines.trends.counting import BadPeriod
from review.api import routes as api
from review.decisions import InvalidDecision
from review.options import NotLoopback, ReviewOptions, check_bind
from review.page import Site, page_context
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
    drawings: Drawings | None = None,
) -> FastAPI:
    """Create the FastAPI application of the review pages.

    Args:
        store: The store of detections.
        casebook: The store of flags and verdicts.
        media_store: The store of pictures and clips.
        options: Settings of the pages.
        problem: Returns a description of what currently impairs the server; "" if nothing does.
        wake_verdict_sync: Called after a verdict that the store did not accept.
        drawings: Draws spectrograms; None: they are drawn anew for each request.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: the time zone in the options is unknown.
    """
    site = Site(store, casebook, media_store, options, drawings or Drawings(None), problem, wake_verdict_sync)
    site.templates  # noqa: B018, reports an unknown time zone or missing translations at the start

    # FastAPI's own documentation pages are disabled: they load their scripts from other hosts.
    app = FastAPI(title="Wildpost", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = site
    app.middleware("http")(guard(options.hosts))
    for page in (queue, event, incident, trends, stations, quarantine, media, api):
        app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_exception_handler(HTTPException, _problem)
    app.add_exception_handler(RequestValidationError, _problem)
    app.add_exception_handler(BadPeriod, _problem)
    app.add_exception_handler(InvalidDecision, _problem)
    app.add_exception_handler(StoreUnavailable, _problem)
    return app


async def _problem(request: Request, problem: Exception) -> Response:
    """Return an error as an HTML page to browsers and as JSON to other clients."""
    if isinstance(problem, HTTPException):
        code, detail = problem.status_code, str(problem.detail)
    elif isinstance(problem, StoreUnavailable):
        code, detail = 503, str(problem)
    else:
        code, detail = 422, str(problem)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": detail}, status_code=code)
    return page_context(request).render("problem.html", {"code": code, "detail": detail}, status_code=code)
