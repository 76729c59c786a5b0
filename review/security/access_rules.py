"""Who may use which route: every route has one rule, and a route without a rule fails the start."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.routing import BaseRoute

from casebook.access.actor import ROLES, Role

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class MissingRule(Exception):
    """Routes have no access rule, or are of a kind for which rules are not checked; the message names them."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who may use a route.

    Attributes:
        roles: An account needs one of these roles.
        public: Whether the route needs no sign-in.
        local: Whether programs on this machine need no sign-in, for monitoring.
    """

    roles: frozenset[Role] = frozenset(ROLES)
    public: bool = False
    local: bool = False


PUBLIC = AccessRule(public=True)
SIGNED_IN = AccessRule()
SEE = AccessRule(frozenset({"administrator", "manager", "ranger", "analyst", "police_guest"}))  # pictures of people
SEE_CASES = AccessRule(frozenset({"administrator", "manager", "ranger", "police_guest"}))
DECIDE = AccessRule(frozenset({"administrator", "manager", "ranger"}))
ANALYSE = AccessRule(frozenset({"administrator", "manager", "ranger", "analyst"}))
PLAN = AccessRule(frozenset({"administrator", "manager"}))  # what a poacher could use
REPORT = AccessRule(frozenset({"administrator", "manager", "analyst"}))
STATIONS = AccessRule(frozenset({"administrator", "manager", "ranger", "technician"}))
MAINTAIN = AccessRule(frozenset({"administrator", "manager", "technician"}))
ADMINISTER = AccessRule(frozenset({"administrator"}))
OPERATIONS = AccessRule(frozenset({"administrator", "manager", "technician"}), local=True)


def access(rule: AccessRule) -> Callable[[Endpoint], Endpoint]:
    """Return a decorator that gives a route's function its rule; it stands below the decorator of the router."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["access_rule"] = rule
        return endpoint

    return mark


def rule_of(endpoint: object) -> AccessRule | None:
    """Return the access rule of a route's function; None if it has none."""
    rule = getattr(endpoint, "access_rule", None)
    return rule if isinstance(rule, AccessRule) else None


def rules_by_path(routes: Iterable[BaseRoute]) -> dict[str, AccessRule]:
    """Return the rule of each route by its path; where methods of a path differ, that of the first one.

    Raises:
        MissingRule: a route has no rule, or is no route of FastAPI, whose dependencies check the rule.
    """
    found: dict[str, AccessRule] = {}
    without: list[str] = []
    for route in leaf_routes(routes):
        rule = rule_of(getattr(route, "endpoint", None))
        path = str(getattr(route, "path", route))
        if rule is None or not hasattr(route, "dependant"):
            without.append(path)
        else:
            found.setdefault(path, rule)
    if without:
        raise MissingRule(f"routes without an access rule: {', '.join(without)}; see review.security.access_rules")
    return found


def leaf_routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield routes, and those of included routers, which newer versions of FastAPI keep as a group."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from leaf_routes(included.routes)
