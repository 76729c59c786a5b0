"""The review pages as a FastAPI application; the pages load nothing from other hosts."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.types import ASGIApp, Scope

from casebook.casebook import Casebook
from ingest.drawing.drawings import Drawings
from ingest.media.port import MediaStore
from ingest.rules.zones import Zone
from ingest.store.port import Store
from review.api import activity as api_activity
from review.api import routes as api
from review.api import seasons as api_seasons
from review.api import trends as api_trends
from review.api.description import description_router
from review.options import NotLoopback, ReviewOptions, check_bind
from review.page import Site
from review.pages import (
    activity,
    coverage,
    event,
    incident,
    media,
    quarantine,
    queue,
    report,
    seasons,
    stations,
    trends,
)
from review.problems import HANDLED, answer_problem, problem_response
from review.security.host_names import known_hosts
from review.security.protection import protected
from review.static_files import static_router

__all__ = ["NotLoopback", "ReviewOptions", "check_bind", "create_app"]


class ReviewApp(FastAPI):
    """The application; everything it answers, errors too, passes the checks and headers of ``review.security``."""

    def __init__(self, site: Site, **more: Any) -> None:
        """Store what the pages share."""
        super().__init__(**more)
        self.state.site = site

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application with its middleware, inside the checks of requests."""
        site: Site = self.state.site

        def refuse(scope: Scope, code: int) -> Response:
            return problem_response(site, scope, code, busy=code == 503)

        return protected(super().build_middleware_stack(), known_hosts(site.options.hosts), refuse)


def create_app(
    store: Store,
    casebook: Casebook,
    media_store: MediaStore,
    options: ReviewOptions,
    problem: Callable[[], str] = lambda: "",
    wake_verdict_sync: Callable[[], None] = lambda: None,
    drawings: Drawings | None = None,
    zones: Sequence[Zone] = (),
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
        zones: Zones of the rules, for the page of blind spots.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: the time zone in the options is unknown.
    """
    site = Site(store, casebook, media_store, options, drawings or Drawings(None), problem, wake_verdict_sync, zones)
    site.templates  # noqa: B018, reports an unknown time zone or missing translations at the start

    # FastAPI's own documentation pages are disabled: they load their scripts from other hosts.
    app = ReviewApp(site, title="Wildpost", docs_url=None, redoc_url=None, openapi_url=None)
    pages = (queue, event, incident, trends, activity, seasons, coverage, report, stations, quarantine, media)
    for page in (*pages, api, api_trends, api_activity, api_seasons):
        app.include_router(page.router)
    app.include_router(description_router([api.router, api_trends.router, api_activity.router, api_seasons.router]))
    app.include_router(static_router(site.static_files))
    for kind in (*HANDLED, Exception):
        app.add_exception_handler(kind, answer_problem)
    return app
