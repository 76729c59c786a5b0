"""The page of the audit log."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from i18n.audit_words import action_name
from review.page import ContextDependency
from review.security.access_rules import ADMINISTER, access

router = APIRouter(include_in_schema=False)
PAGE = 100
_MAX_DIGITS = 18


@router.get("/audit")
@access(ADMINISTER)
def audit(context: ContextDependency, before: str = "") -> HTMLResponse:
    """Show one page of the audit log, newest first."""
    number = int(before) if before.isascii() and before.isdigit() and len(before) <= _MAX_DIGITS else None
    entries = context.site.access.audit.entries(PAGE + 1, number)
    values = {
        "entries": entries[:PAGE],
        "following": entries[PAGE - 1].sequence if len(entries) > PAGE else 0,
        "action_name": lambda action: action_name(action, context.language),
    }
    return context.render("audit.html", values)
