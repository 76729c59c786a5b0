"""Checks the Host, Origin and Sec-Fetch-Site headers of requests; it does not authenticate users.

The middleware rejects requests to unknown hosts, and requests other than GET and HEAD from pages of other sites. It
also sets the security headers of every response. Any program that sends fitting headers passes these checks.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

Next = Callable[[Request], Awaitable[Response]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def host_without_port(host: str) -> str:
    """Return the host name in a Host header, without the port; an IPv6 address keeps its brackets."""
    return host.rsplit("]", 1)[0] + "]" if host.startswith("[") else host.partition(":")[0]


def same_origin(request: Request) -> bool:
    """Return whether a page of this server sent the request, according to the headers Sec-Fetch-Site and Origin."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return site is not None


def guard(hosts: tuple[str, ...]) -> Callable[[Request, Next], Awaitable[Response]]:
    """Create the middleware that checks the headers of every request; ``hosts`` lists the accepted host names."""

    async def check(request: Request, call_next: Next) -> Response:
        host = host_without_port(request.headers.get("host", ""))
        if host not in hosts:
            return PlainTextResponse(f"Host {host!r}: expected one of {', '.join(hosts)}\n", status_code=421)
        if request.method not in ("GET", "HEAD") and not same_origin(request):
            return PlainTextResponse("POST requests are accepted only from Wildpost's own pages\n", status_code=403)
        response = await call_next(request)
        # Plotly adds style elements to its charts; no other page needs inline styles.
        styles = " 'unsafe-inline'" if request.url.path == "/trends" else ""
        response.headers["Content-Security-Policy"] = POLICY.format(styles=styles)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return check
