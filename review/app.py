"""The review pages as a FastAPI application; the pages load nothing from other hosts."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import Response
from starlette.types import ASGIApp, Scope

from casebook.casebook import Casebook
from casebook.cases.deadlines import CaseOptions
from ingest.drawing.drawings import Drawings
from ingest.media.port import MediaStore
from ingest.rules.zones import Zone
from ingest.store.port import Store
from review.api import activity as api_activity
from review.api import cases as api_cases
from review.api import routes as api
from review.api import seasons as api_seasons
from review.api import trends as api_trends
from review.api.description import description_router
from review.options import ReviewOptions
from review.page import Site
from review.pages import (
    activity,
    audit,
    cases,
    coverage,
    event,
    incident,
    media,
    originals,
    quarantine,
    queue,
    report,
    seasons,
    sign_in,
    stations,
    trends,
)
from review.problems import HANDLED, answer_problem, problem_response
from review.security.access_rules import rules_by_path
from review.security.authentication import authorise
from review.security.host_names import known_hosts
from review.security.protection import protected
from review.static_files import static_router

__all__ = ["ReviewOptions", "create_app"]


class ReviewApp(FastAPI):
    """The application; everything it answers, errors too, passes the checks and headers of ``review.security``."""

    def __init__(self, site: Site, **more: Any) -> None:
        """Store what the pages share."""
        super().__init__(dependencies=[Depends(authorise)], **more)
        self.state.site = site

    def check_rules(self) -> None:
        """Read the access rules of all routes.

        Raises:
            MissingRule: a route has none.
        """
        self.state.rules = rules_by_path(self.routes)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application with its middleware, inside the checks of requests."""
        self.check_rules()  # routes may have been added since
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
    sign_in_required: bool = False,
    local_token: str = "",
    wake_command_sender: Callable[[], None] | None = None,
    case_options: CaseOptions | None = None,
    zones: Sequence[Zone] = (),
) -> ReviewApp:
    """Create the FastAPI application of the review pages.

    Args:
        store: The store of detections.
        casebook: The store of flags and verdicts.
        media_store: The store of pictures and clips.
        options: Settings of the pages.
        problem: Returns a description of what currently impairs the server; "" if nothing does.
        wake_verdict_sync: Called after a verdict that the store did not accept.
        drawings: Draws spectrograms; None: they are drawn anew for each request.
        sign_in_required: Whether the pages ask for a sign-in also while there is no account.
        local_token: Token of the commands on this machine; "": none.
        wake_command_sender: Called after a request to a station; None: this server sends none.
        case_options: Deadlines of cases; None: those of the law.
        zones: Zones of the rules, for the page of blind spots.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: the time zone in the options is unknown.
        MissingRule: a route has no access rule.
    """
    site = Site(
        store,
        casebook,
        media_store,
        options,
        drawings or Drawings(None),
        problem,
        wake_verdict_sync,
        sign_in_required,
        local_token,
        wake_command_sender,
        case_options,
        zones=zones,
    )
    site.templates  # noqa: B018, reports an unknown time zone or missing translations at the start

    # FastAPI's own documentation pages are disabled: they load their scripts from other hosts.
    app = ReviewApp(site, title="Wildpost", docs_url=None, redoc_url=None, openapi_url=None)
    programs = (api, api_trends, api_activity, api_seasons, api_cases)
    analysis = (trends, activity, seasons, coverage, report)
    pages = (queue, originals, event, incident, cases, *analysis, stations, quarantine, media, sign_in, audit)
    for part in (*pages, *programs):
        app.include_router(part.router)
    app.include_router(description_router([part.router for part in programs]))
    app.include_router(static_router(site.static_files))
    for kind in (*HANDLED, Exception):
        app.add_exception_handler(kind, answer_problem)
    app.check_rules()
    return app
