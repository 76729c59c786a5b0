"""Finds out who sends a request, and whether they may use its route; a dependency of every route."""

import ipaddress
import secrets
from datetime import UTC, datetime
from urllib.parse import unquote

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from casebook.access.actor import ROLES, Actor
from review.security.access_rules import AccessRule, MissingRule, rule_of
from review.security.host_names import LOOPBACK_HOSTS
from review.security.site_access import SiteAccess

NAME_LENGTH = 60
NOBODY = Actor("", "")
LOCAL_ACTOR = "command on the server"
EXPECTED_ACTOR = "x-wildpost-actor"  # header of the pages' scripts: the account that they show
_ANONYMOUS = "ranger"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_TLS_COOKIE, _PLAIN_COOKIE = "__Host-wildpost", "wildpost-session"


class SignInRequired(Exception):
    """The request needs a session, and has none that is in force."""


class RoleMissing(Exception):
    """The account has none of the roles that the route needs."""


async def authorise(request: Request) -> None:
    """Check the rule of the request's route, and store in ``request.state.actor`` who acts.

    Raises:
        SignInRequired: nobody is signed in.
        RoleMissing: the route is for other roles.
        StoreUnavailable: the casebook did not answer.
    """
    rule = rule_of(request.scope["endpoint"])
    if rule is None:  # the check at the start was passed by
        raise MissingRule(request.scope["path"])
    if rule.public:
        return
    access: SiteAccess = request.app.state.site.access
    actor = await run_in_threadpool(_acting, access, request, rule)
    request.state.actor = actor
    if not actor.roles & rule.roles:
        raise RoleMissing


def acting(request: Request) -> Actor:
    """Return who sends a request, as ``authorise`` found out; nobody on routes without sign-in."""
    actor: Actor = getattr(request.state, "actor", NOBODY)
    return actor


def _acting(access: SiteAccess, request: Request, rule: AccessRule) -> Actor:
    address = address_of(request)
    if rule.local and is_local(request):
        return Actor("", LOCAL_ACTOR, roles=rule.roles, stations=None, address=address)
    token = request.headers.get("authorization", "").partition("Bearer ")[2]
    if token and access.local_token and secrets.compare_digest(token.encode(), access.local_token.encode()):
        return Actor("", LOCAL_ACTOR, roles=frozenset(ROLES), stations=None, address=address)
    session_id = request.cookies.get(cookie_name(request), "")
    session = access.sessions.find(session_id, datetime.now(UTC)) if session_id else None
    if session is not None:
        actor = session.actor(address)
        if request.headers.get(EXPECTED_ACTOR, actor.id) != actor.id:
            raise SignInRequired  # another person has signed in since in this browser
        return actor
    if access.is_required():
        raise SignInRequired
    name = unquote(request.cookies.get("reviewer", "")).strip()[:NAME_LENGTH]
    return Actor("", name or _ANONYMOUS, roles=frozenset(ROLES), stations=None, address=address)


def address_of(request: Request) -> str:
    """Return the network address of the client; "" if it is not known."""
    return request.client.host if request.client else ""


def is_local(request: Request) -> bool:
    """Return whether a program on this machine sent the request, without a proxy between."""
    try:
        loopback = ipaddress.ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
    return loopback and not any(name in request.headers for name in _FORWARDED)


def is_confidential(request: Request) -> bool:
    """Return whether nobody on the network can read the request: it came over TLS, or did not leave the machine."""
    host = request.url.hostname or ""
    return request.url.scheme == "https" or host in LOOPBACK_HOSTS or f"[{host}]" in LOOPBACK_HOSTS


def cookie_name(request: Request) -> str:
    """Return the name of the session cookie; over TLS, one that browsers accept from this host alone."""
    return _TLS_COOKIE if request.url.scheme == "https" else _PLAIN_COOKIE
