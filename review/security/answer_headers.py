"""Sets the security and caching headers of every response, and answers conditional requests."""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
HSTS = "max-age=31536000"  # one year, the least that browsers' preload lists accept: https://hstspreload.org
STATIC = "/static/"
MEDIA_S = 300  # a picture can show a person: long enough for turning back a page, short enough on a shared computer


class AnswerHeaders:
    """ASGI middleware around the whole application, so that errors and refusals get the headers too."""

    def __init__(self, app: ASGIApp) -> None:
        """Store the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unchanged = False

        async def send_with_headers(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS:
                    headers[name] = value
                if message["status"] == 500:
                    headers["Connection"] = "close"  # the web server closes it after an exception
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = HSTS
                headers["Cache-Control"] = cache_control(scope["path"], message["status"], headers)
                if message["status"] == 200 and scope["method"] in ("GET", "HEAD"):
                    unchanged = is_current(headers.get("etag"), Headers(scope=scope).getlist("if-none-match"))
                if unchanged:
                    message["status"] = 304
                    del headers["content-length"], headers["content-type"]
            elif unchanged:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def cache_control(path: str, status: int, headers: Headers) -> str:
    """Return the Cache-Control header of a response: errors and pages are never stored, media only for minutes."""
    if status >= 400:
        return "no-store"
    if headers.get("content-type", "").partition("/")[0] in ("image", "audio", "video") and not path.startswith(STATIC):
        return f"private, max-age={MEDIA_S}"
    return headers.get("cache-control", "no-store")


def is_current(etag: str | None, known: Iterable[str]) -> bool:
    """Return whether the client's copy, by its If-None-Match headers, is the content with this ETag."""
    if not etag:
        return False
    tags = [tag.strip().removeprefix("W/") for header in known for tag in header.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags
