"""Checks the Host header and the origin of POST requests, and sets the security headers of every response."""

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
    """Return a Host header without its port; IPv6 addresses are supported."""
    return host.rsplit("]", 1)[0] + "]" if host.startswith("[") else host.partition(":")[0]


def same_origin(request: Request) -> bool:
    """Return whether a request was sent by one of the server's own pages."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return site is not None


def guard(hosts: tuple[str, ...]) -> Callable[[Request, Next], Awaitable[Response]]:
    """Create the middleware that checks every request."""

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
