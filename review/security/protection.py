"""Puts the checks, limits and headers of this package around an application, in the order they need."""

from starlette.types import ASGIApp

from review.security.answer_headers import AnswerHeaders
from review.security.request_checks import Refuse, RequestChecks
from review.security.request_slots import RequestSlots


def protected(app: ASGIApp, hosts: frozenset[str] | None, refuse: Refuse) -> ASGIApp:
    """Return an application behind all checks.

    A request gets a slot only when its body has arrived, so that slow clients hold none.

    Args:
        app: The application.
        hosts: Accepted host names, as ``known_hosts`` returns them; None accepts every name.
        refuse: Returns the response to a refused request, for the status code.
    """
    return AnswerHeaders(RequestChecks(RequestSlots(app, refuse), hosts, refuse))
