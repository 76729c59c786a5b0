"""The pages for signing in and out, and the page of one's own account."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from casebook.access.accounts import Account
from casebook.access.passwords import MIN_CHARACTERS, PasswordsBusy, UnusablePassword
from casebook.access.sessions import ABSOLUTE
from casebook.access.sign_in import SignInRefused
from i18n.role_names import role_name
from review.page import ContextDependency, PageContext, set_cookie
from review.security.access_rules import PUBLIC, SIGNED_IN, access
from review.security.authentication import NAME_LENGTH, address_of, cookie_name, is_confidential

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=2_000)]


@router.get("/sign-in")
@access(PUBLIC)
def sign_in_page(context: ContextDependency, back: str = "/") -> HTMLResponse:
    """Show the form for the sign-in."""
    return _form(context, safe_address(back))


@router.post("/sign-in")
@access(PUBLIC)
def sign_in(
    context: ContextDependency, request: Request, name: Text = "", password: Text = "", back: Text = "/"
) -> Response:
    """Begin a session under a new id, and go to the page that asked for the sign-in."""
    back = safe_address(back)
    if not is_confidential(request):
        return _form(context, back, status_code=403)
    cookie = cookie_name(request)
    agent = request.headers.get("user-agent", "")
    try:
        token, actor = context.site.access.sign_in.sign_in(
            name, password, address_of(request), agent, request.cookies.get(cookie, "")
        )
    except SignInRefused as refused:
        return _refused(context, back, name, refused.wait)
    except PasswordsBusy as busy:
        raise HTTPException(503, headers={"Retry-After": "5"}) from busy
    response = RedirectResponse(back if context.may(back, actor) else context.home(actor), 303)
    set_cookie(request, response, cookie, token, ABSOLUTE // timedelta(seconds=1))
    return response


@router.post("/sign-out")
@access(PUBLIC)
def sign_out(context: ContextDependency, request: Request) -> Response:
    """End the session of this browser."""
    cookie = cookie_name(request)
    token = request.cookies.get(cookie, "")
    session = context.site.access.sessions.find(token, datetime.now(UTC)) if token else None
    if session is not None:
        context.site.access.sessions.end(token, session.actor(address_of(request)))
    response = RedirectResponse("/sign-in", 303, headers={"Clear-Site-Data": '"cache"'})
    set_cookie(request, response, cookie, "", 0)
    return response


@router.post("/reviewer")
@access(SIGNED_IN)
def reviewer(context: ContextDependency, request: Request, name: Text = "", back: Text = "/") -> Response:
    """Store the reviewer's name in a cookie, where there are no accounts."""
    if context.actor.id:
        raise HTTPException(404)
    response = RedirectResponse(safe_address(back), 303)
    shown = " ".join(name.split())[:NAME_LENGTH] or context.name
    set_cookie(request, response, "reviewer", quote(shown))
    return response


@router.get("/account")
@access(SIGNED_IN)
def account_page(context: ContextDependency) -> HTMLResponse:
    """Show one's own account and its sessions."""
    return _account(context)


@router.post("/account/password")
@access(SIGNED_IN)
def change_password(context: ContextDependency, old: Text = "", new: Text = "", again: Text = "") -> Response:
    """Change one's own password and end all sessions."""
    translate = context.language.translate
    if new != again:
        return _account(context, translate("The two new passwords differ."), 422)
    try:
        context.site.access.sign_in.change_password(_own(context).name, old, new, context.actor)
    except UnusablePassword:
        rule = translate(
            "Expected at least %(number)s characters, not all alike, without the name of the account.",
            number=MIN_CHARACTERS,
        )
        return _account(context, rule, 422)
    except SignInRefused as refused:
        problem = _wait_sentence(context, refused.wait) or translate("The old password is not right.")
        return _account(context, problem, 429 if refused.wait else 403)
    except PasswordsBusy as busy:
        raise HTTPException(503, headers={"Retry-After": "5"}) from busy
    return RedirectResponse("/sign-in?back=/account", 303)


@router.post("/account/sign-out-everywhere")
@access(SIGNED_IN)
def sign_out_everywhere(context: ContextDependency) -> Response:
    """End all sessions of one's own account."""
    context.site.access.accounts.end_sessions(_own(context).name, context.actor)
    return RedirectResponse("/sign-in", 303, headers={"Clear-Site-Data": '"cache"'})


def safe_address(address: str) -> str:
    """Return an address of these pages; "/" if it could lead elsewhere."""
    safe = address.startswith("/") and address[1:2] not in ("/", "\\") and address.isprintable()
    return address if safe and not address.startswith("/sign-in") else "/"


def _own(context: PageContext) -> Account:
    """Return the account of who acts; there is none where the pages need no sign-in."""
    found = context.site.access.accounts.by_id(context.actor.id)
    if found is None:
        raise HTTPException(404)
    return found


def _form(context: PageContext, back: str, problem: str = "", name: str = "", status_code: int = 200) -> HTMLResponse:
    values = {
        "back": back,
        "problem": problem,
        "name": name,
        "confidential": is_confidential(context.request),
        "any_account": context.site.access.accounts.exist(),
    }
    return context.render_bare("sign_in.html", values, status_code)


def _refused(context: PageContext, back: str, name: str, wait: timedelta) -> HTMLResponse:
    sentence = _wait_sentence(context, wait) or context.language.translate("Name or password is not right.")
    response = _form(context, back, sentence, name, 429 if wait else 403)
    if wait:
        response.headers["Retry-After"] = str(wait // timedelta(seconds=1) + 1)
    return response


def _wait_sentence(context: PageContext, wait: timedelta) -> str:
    if not wait:
        return ""
    duration = context.language.duration(wait)
    return context.language.translate("Too many attempts failed. Try again in %(duration)s.", duration=duration)


def _account(context: PageContext, problem: str = "", status_code: int = 200) -> HTMLResponse:
    now = datetime.now(UTC)
    values = {
        "account": _own(context),
        "role_name": lambda role: role_name(role, context.language),
        "sessions": context.site.access.sessions.of_account(context.actor.id, now),
        "problem": problem,
        "minimum": MIN_CHARACTERS,
    }
    return context.render("account.html", values, status_code)
