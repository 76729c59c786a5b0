"""Turns errors into pages for browsers and JSON for programs, in the reader's language.

The answers hold no text of the request and no traceback: an attacker's link must not make the pages say something.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.types import Scope

from contract.errors import StoreUnavailable
from i18n.language import Language
from i18n.request_problems import (
    Expected,
    busy_sentence,
    expected_sentence,
    problem_heading,
    problem_sentence,
    role_sentence,
)
from pipelines.coverage.blind_spots import BadCoverage
from pipelines.trends.counting import BadPeriod
from pipelines.trends.periods import TooManyPeriods
from pipelines.trends.request import BadRequest
from review.page import Site
from review.reader_language import chosen_language
from review.security.authentication import NOBODY, RoleMissing, SignInRequired


class InvalidRequest(Exception):
    """A parameter or the body of a request is not valid; ``expected`` names what it must be."""

    def __init__(self, expected: Expected) -> None:
        """Store what was expected."""
        super().__init__(expected)
        self.expected: Expected = expected


_TREND_ERRORS = (BadRequest, TooManyPeriods)
_PERIOD_ERRORS = (BadPeriod, BadCoverage)
_ACCESS_ERRORS = (SignInRequired, RoleMissing)
HANDLED = (
    HTTPException,
    RequestValidationError,
    InvalidRequest,
    StoreUnavailable,
    *_PERIOD_ERRORS,
    *_TREND_ERRORS,
    *_ACCESS_ERRORS,
)


async def answer_problem(request: Request, problem: Exception) -> Response:
    """Return the response to an exception of a handler; exceptions that no handler expects give status 500."""
    site: Site = request.app.state.site
    if isinstance(problem, SignInRequired):
        return _sign_in_first(site, request)
    if isinstance(problem, RoleMissing):
        return problem_response(site, request.scope, 403, role_missing=True)
    if isinstance(problem, HTTPException):
        return problem_response(site, request.scope, problem.status_code, headers=problem.headers)
    if isinstance(problem, StoreUnavailable):
        return problem_response(site, request.scope, 503, reason=str(problem))
    if isinstance(problem, _TREND_ERRORS):
        return problem_response(site, request.scope, 422, expected="trend")
    if isinstance(problem, (InvalidRequest, *_PERIOD_ERRORS)):
        expected = problem.expected if isinstance(problem, InvalidRequest) else "period"
        return problem_response(site, request.scope, 422, expected=expected)
    return problem_response(site, request.scope, 422 if isinstance(problem, RequestValidationError) else 500)


def _sign_in_first(site: Site, request: Request) -> Response:
    """Return a redirect to the sign-in for a page, else status 401."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'back': back})}", 303, {"Cache-Control": "no-store"})
    # RFC 9110 wants the header; the scheme is one that browsers do not ask a password for.
    return problem_response(site, request.scope, 401, headers={"WWW-Authenticate": "Bearer"})


def problem_response(
    site: Site,
    scope: Scope,
    code: int,
    *,
    expected: Expected | None = None,
    reason: str = "",
    busy: bool = False,
    role_missing: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response to a request that cannot be answered; it reads no database.

    Args:
        site: The site's languages and templates.
        scope: The request.
        code: HTTP status code.
        expected: What a parameter must look like.
        reason: Why a store does not answer, in English; it comes from the server, not from the request.
        busy: Whether the server has no free slot for the request.
        role_missing: Whether the account does not have the role that the route needs.
        headers: Further headers of the response.
    """
    request = Request(scope)
    page = "text/html" in request.headers.get("accept", "")
    # Programs name no language; they get English, whatever the pages' default is.
    language = site.languages[chosen_language(request, site.options.language if page else "en")]
    sentence = problem_sentence(code, language)
    if busy or role_missing:
        sentence = busy_sentence(language) if busy else role_sentence(language)
    if expected:
        sentence = f"{sentence} {expected_sentence(expected, language)}"
    headers = {"Vary": "Accept, Accept-Language, Cookie", **(headers or {})}
    if page:
        text = _problem_page(site.templates[language.code], language, code, sentence, reason)
        return HTMLResponse(text, status_code=code, headers=headers)
    error = f"{sentence} {reason}" if reason else sentence
    return JSONResponse({"error": error}, status_code=code, headers=headers)


def _problem_page(templates: Environment, language: Language, code: int, sentence: str, reason: str) -> str:
    return templates.get_template("problem.html").render(
        code=code,
        heading=problem_heading(code, language),
        sentence=sentence,
        reason=reason,
        actor=NOBODY,
        may=lambda address: True,
        path="",
        query=[],
        open_flags=0,
        server_problem="",
        simulated=frozenset(),
    )
