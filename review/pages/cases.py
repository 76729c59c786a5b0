"""The list of cases, the form that opens one, and the page of one case with its time line and next steps."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from casebook.cases.case_file import CaseConflict, CaseFile, State
from casebook.cases.deadlines import Urgency, urgency_of
from casebook.cases.entry import KINDS, OUTCOMES, CaseRefused, Change, Entry, Step
from i18n.case_words import refusal
from i18n.incident_sentences import headline
from i18n.taxonomy import display_name
from review.cards import KIND_CLASSES
from review.case_forms import ROWS, form_values, read_change, read_opening, read_version
from review.case_records import CaseView, evidence_sentences, load_case, open_case, records_of, view_case
from review.page import ContextDependency, PageContext
from review.problems import InvalidRequest
from review.queue import list_cursor, parse_list_cursor
from review.security.access_rules import DECIDE, SEE_CASES, access

router = APIRouter()
PAGE = 30
CAPTURES = 50  # captures listed on the page of a case
ENTRIES = 200  # entries of the custody log listed on the page of a case, the newest
CHOICES = 50  # open cases offered where records are added to one
MAIN_STEPS: tuple[Step, ...] = ("opened", "acknowledged", "assigned", "on_site", "finding", "outcome", "closed")
LEGAL_STEPS: tuple[Step, ...] = (
    "evidence_registered",
    "evidence_decided",
    "decided",
    "served",
    "transfer_reported",
    "transfer_approved",
    "transfer_refused",
    "handed_over",
    "police_answered",
)


@router.get("/cases")
@access(SEE_CASES)
def cases(context: ContextDependency, show: str = "open", after: str = "") -> HTMLResponse:
    """Show the open cases by their next deadline, or the closed ones if ``show`` is "closed", newest first."""
    state: State = "closed" if show == "closed" else "open"
    listed = context.site.cases.listing(state, PAGE + 1, parse_list_cursor(after))
    shown = listed[:PAGE]
    following = list_cursor(shown[-1].key) if len(listed) > PAGE else ""
    remind_hours = {rule.name: rule.remind_hours for rule in context.site.cases.options.deadlines}
    now = datetime.now(UTC)

    def urgency(case: CaseFile) -> Urgency | None:
        return None if case.due_at is None else urgency_of(case.due_at, remind_hours.get(case.due_name, 0.0), now)

    return context.render("cases.html", {"cases": shown, "show": state, "following": following, "urgency": urgency})


@router.get("/cases/new")
@access(SEE_CASES)
def new_case(context: ContextDependency, event: str = "", incident: str = "") -> HTMLResponse:
    """Show the form that opens a case from a capture or an incident, or from neither, such as from a tip."""
    return _new_case(context, event, incident, {}, "")


@router.post("/cases")
@access(DECIDE)
async def create_case(context: ContextDependency, request: Request) -> Response:
    """Open a case."""
    return await run_in_threadpool(_create, context, await request.form())


def _create(context: PageContext, form: FormData) -> Response:
    event, incident = str(form.get("event", "")), str(form.get("incident", ""))
    values = form_values(form)
    try:
        change = read_opening(form, incident)
        case = open_case(context.site, change, [event] if event else [], context.name)
    except CaseRefused as refused:
        return _new_case(context, event, incident, values, refusal(refused.reason, context.language), 422)
    return RedirectResponse(f"/cases/{case.number}", 303)


@router.get("/cases/{number}")
@access(SEE_CASES)
def case_page(context: ContextDependency, number: str) -> HTMLResponse:
    """Show the page of one case, and record that it was viewed."""
    return _case_page(context, view_case(context.site, number, context.name))


@router.post("/cases/{number}/steps")
@access(DECIDE)
async def add_step(context: ContextDependency, number: str, request: Request) -> Response:
    """Add a step or a comment to a case."""
    return await run_in_threadpool(_add_step, context, number, await request.form())


def _add_step(context: PageContext, number: str, form: FormData) -> Response:
    seen, values = read_version(form), form_values(form)
    try:
        change = read_change(form)
        # A comment changes nothing that others could have changed meanwhile.
        expected = None if change.step == "comment" else seen
        context.site.cases.add(number, change, context.name, datetime.now(UTC), expected)
    except CaseConflict as conflict:
        view = load_case(context.site, number)
        return _case_page(context, view, conflict=conflict.entries, values=values, status_code=409)
    except CaseRefused as refused:
        if refused.reason == "missing":
            raise HTTPException(404) from refused
        problem = refusal(refused.reason, context.language)
        return _case_page(context, load_case(context.site, number), problem=problem, values=values, status_code=422)
    return RedirectResponse(f"/cases/{number}", 303)


@router.get("/cases/{number}/steps")
@router.get("/cases/{number}/records")
@access(SEE_CASES)
def back_to_case(context: ContextDependency, number: str) -> RedirectResponse:
    """Lead from the address of a form that was refused, such as after a change of language, to the page of the case."""
    return RedirectResponse(f"/cases/{quote(number, safe='')}", 303)


@router.post("/cases/{number}/records")
@access(DECIDE)
async def add_records(context: ContextDependency, number: str, request: Request) -> Response:
    """Add a capture or an incident to a case."""
    return await run_in_threadpool(_add_records, context, number, await request.form())


@router.post("/cases/records")
@access(DECIDE)
async def add_records_to_chosen(context: ContextDependency, request: Request) -> Response:
    """Add a capture or an incident to the case that the form names."""
    form = await request.form()
    return await run_in_threadpool(_add_records, context, str(form.get("number", "")), form)


def _add_records(context: PageContext, number: str, form: FormData) -> Response:
    events = [str(one) for one in form.getlist("event") if one]
    incidents = tuple(str(one) for one in form.getlist("incident") if one)
    try:
        held = records_of(context.site, events, incidents)
        change = Change(step="linked", incidents=incidents)
        context.site.cases.add(number, change, context.name, datetime.now(UTC), events=held)
    except CaseRefused as refused:
        if refused.reason == "missing":
            raise HTTPException(404) from refused
        problem = refusal(refused.reason, context.language)
        return _case_page(context, load_case(context.site, number), problem=problem, status_code=422)
    return RedirectResponse(f"/cases/{number}", 303)


def _new_case(
    context: PageContext, event: str, incident: str, values: Mapping[str, str], problem: str, status_code: int = 200
) -> HTMLResponse:
    site = context.site
    listed = site.listed_event(event) if event else None
    found = site.incidents.incident(incident) if incident else None
    if (event and listed is None) or (incident and found is None):
        raise InvalidRequest("records")
    title = headline(found, None, context.language) if found else ""
    if listed is not None:
        title = _names(
            context, {(one.label, one.scientific_name) for one in listed.event.detections}, listed.event.station
        )
    return context.render(
        "case_new.html",
        {
            "kinds": KINDS,
            "event": event,
            "incident": incident,
            "title": title[:200],
            "values": values,
            "problem": problem,
            "existing": site.cases.numbers_of([event] if event else [], [incident] if incident else []),
            "open_cases": site.cases.listing("open", CHOICES) if event or incident else [],
        },
        status_code,
    )


def _names(context: PageContext, named: set[tuple[str, str | None]], station: str) -> str:
    """Return the names of what was found, with the station, as the title that the form proposes."""
    language = context.language
    names = sorted(display_name(label, scientific, language.code) for label, scientific in named)
    return f"{station} {language.translate(', ').join(names)}".strip()


def _case_page(
    context: PageContext,
    view: CaseView | None,
    conflict: tuple[Entry, ...] = (),
    problem: str = "",
    values: Mapping[str, str] | None = None,
    status_code: int = 200,
) -> HTMLResponse:
    if view is None:
        raise HTTPException(404)
    return context.render(
        "case.html",
        {
            "view": view,
            "case": view.case,
            "main_steps": _progress(view),
            "legal_steps": LEGAL_STEPS,
            "outcomes": OUTCOMES,
            "rows": range(ROWS),
            "captures": view.held[:CAPTURES],
            "evidence": evidence_sentences(view.held, context.language),
            "newest": list(reversed(view.entries[-ENTRIES:])),
            "chain_problem": view.problem,
            "conflict": conflict,
            "problem": problem,
            "values": values or {},
            "kind_class": KIND_CLASSES,
            "urgency": lambda deadline: deadline.urgency(datetime.now(UTC)),
        },
        status_code,
    )


def _progress(view: CaseView) -> list[dict[str, Any]]:
    """Return the main steps with the entry that did each, and which comes next."""
    entries = {step: view.latest(step) for step in MAIN_STEPS}
    entries["outcome"] = view.outcome  # it may have come with the closing
    if view.case.state == "open":
        entries["closed"] = None
    following = next((step for step in MAIN_STEPS if entries[step] is None), None)
    return [{"step": step, "entry": entries[step], "next": step == following} for step in MAIN_STEPS]
