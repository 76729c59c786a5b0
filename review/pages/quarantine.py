"""The page of quarantined messages and files, with the reason and the first bytes of each."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from casebook.records import Quarantined
from review.page import ContextDependency
from review.queue import list_cursor, parse_list_cursor
from review.security.access_rules import MAINTAIN, access

router = APIRouter()
PAGE = 50
PREVIEW_BYTES = 400


def preview(item: Quarantined) -> str:
    """Return the first bytes of quarantined content as text, with dots for unprintable characters."""
    text = item.payload[:PREVIEW_BYTES].decode("utf-8", errors="replace")
    shown = "".join(char if char.isprintable() or char == "\n" else "·" for char in text)
    return shown + ("…" if item.size > PREVIEW_BYTES else "")


@router.get("/quarantine")
@access(MAINTAIN)
def quarantine(context: ContextDependency, after: str = "") -> HTMLResponse:
    """Show one page of quarantined items, newest first."""
    items = context.site.casebook.quarantined(PAGE + 1, parse_list_cursor(after), context.site.stations)
    shown = items[:PAGE]
    following = list_cursor(shown[-1].key) if len(items) > PAGE else ""
    return context.render("quarantine.html", {"items": shown, "following": following, "preview": preview})
