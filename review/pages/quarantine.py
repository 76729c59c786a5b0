"""What came in and could not be used, with the reason and its first bytes."""

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from casebook.records import Quarantined
from review.page import ReaderDependency

router = APIRouter()
PAGE = 50
PREVIEW_BYTES = 400


def preview(item: Quarantined) -> str:
    """Show the first bytes as text, what is no text as dots."""
    text = item.payload[:PREVIEW_BYTES].decode("utf-8", errors="replace")
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "·" for letter in text)
    return shown + ("…" if item.size > PREVIEW_BYTES else "")


@router.get("/quarantine")
def quarantine(read: ReaderDependency, after: str = "") -> HTMLResponse:
    """Show one page of it, newest first."""
    items = read.site.casebook.quarantined(PAGE + 1, _after(after))
    shown = items[:PAGE]
    following = f"{shown[-1].at.isoformat()}~{shown[-1].id}" if len(items) > PAGE else ""
    return read.page("quarantine.html", {"items": shown, "following": following, "preview": preview})


def _after(text: str) -> tuple[datetime, str] | None:
    moment, _, name = text.partition("~")
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (read, name) if read.tzinfo else None
