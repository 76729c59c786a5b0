"""JSON addresses of cases: list, one case with its entries and deadlines, opening one, and adding a step."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Meta
from starlette.concurrency import run_in_threadpool

from casebook.cases.case_file import CaseConflict, CaseFile
from casebook.cases.deadlines import Deadline
from casebook.cases.entry import (
    ACCESS,
    MOST_LINKS,
    CaseKind,
    CaseRefused,
    Change,
    Finding,
    IncidentId,
    Outcome,
    Remark,
    Step,
)
from contract.bounds import OptionalText, Uuid
from review.api.json_body import decoded
from review.case_records import open_case, records_of, view_case
from review.page import ContextDependency, PageContext
from review.problems import InvalidRequest
from review.queue import list_cursor, parse_list_cursor
from review.security.access_rules import DECIDE, SEE_CASES, access

router = APIRouter()
MAX_LIMIT = 200
EventIds = Annotated[tuple[Uuid, ...], Meta(max_length=MOST_LINKS)]
IncidentIds = Annotated[tuple[IncidentId, ...], Meta(max_length=MOST_LINKS)]


class NewCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case to open, as sent by a program."""

    kind: CaseKind
    title: OptionalText = ""
    area: OptionalText = ""
    text: Remark = ""
    events: EventIds = ()
    incidents: IncidentIds = ()


class NewStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step to add to a case, as sent by a program.

    Attributes:
        step: The step.
        seen: ``version`` of the case that the person saw; absent: the step is added whatever others did.
        text: Free text.
        team: Who is assigned.
        outcome: The outcome.
        finding: What was found.
        events: Captures to link.
        incidents: Incidents to link, with their captures.
    """

    step: Step
    seen: int | None = None
    text: Remark = ""
    team: OptionalText = ""
    outcome: Outcome | None = None
    finding: Finding | None = None
    events: EventIds = ()
    incidents: IncidentIds = ()


_new_case = msgspec.json.Decoder(NewCase)
_new_step = msgspec.json.Decoder(NewStep)


@router.get("/api/cases")
@access(SEE_CASES)
def cases(context: ContextDependency, state: str = "open", after: str = "", limit: int = 50) -> Response:
    """Return cases: open ones by their next deadline, or closed ones by their last change, newest first.

    ``after`` is the cursor for the next page: the ``next`` of the previous response.
    """
    if state not in ("open", "closed"):
        raise InvalidRequest("choice")
    limit = max(1, min(limit, MAX_LIMIT))
    listed = context.site.cases.listing("open" if state == "open" else "closed", limit, parse_list_cursor(after))
    return _answer({"cases": listed, "next": list_cursor(listed[-1].key) if len(listed) == limit else None})


@router.get("/api/cases/{number}")
@access(SEE_CASES)
def case(context: ContextDependency, number: str) -> Response:
    """Return a case with its deadlines, its entries as they are stored, and its captures; the view is recorded."""
    view = view_case(context.site, number, context.name)
    if view is None:
        raise HTTPException(404)
    now = datetime.now(UTC)
    return _answer(
        {
            "case": view.case,
            "deadlines": [_deadline(one, now) for one in view.deadlines],
            "problem": view.problem,
            "entries": [msgspec.Raw(one) for one in view.encoded],
            "events": [event.event_id for event, _ in view.held],
            "incidents": view.incidents,
        }
    )


@router.post("/api/cases")
@access(DECIDE)
async def create_case(context: ContextDependency, request: Request) -> Response:
    """Open a case; ``kind`` is required."""
    new = decoded(_new_case, await request.body(), "case")
    change = Change(
        step="opened", kind=new.kind, title=new.title, area=new.area, text=new.text, incidents=new.incidents
    )

    def record() -> CaseFile:
        return open_case(context.site, change, new.events, context.name)

    return await run_in_threadpool(_recorded, record, 201)


@router.post("/api/cases/{number}/steps")
@access(DECIDE)
async def add_step(context: ContextDependency, number: str, request: Request) -> Response:
    """Add a step to a case; 409 if somebody else has changed the case since ``seen``."""
    new = decoded(_new_step, await request.body(), "case")
    if new.step in ACCESS:
        raise InvalidRequest("choice")
    return await run_in_threadpool(_recorded, lambda: _add(context, number, new))


def _add(context: PageContext, number: str, new: NewStep) -> object:
    change = Change(
        step=new.step,
        text=new.text,
        team=new.team,
        outcome=new.outcome,
        finding=new.finding,
        incidents=new.incidents,
    )
    events = records_of(context.site, new.events, new.incidents)
    return context.site.cases.add(number, change, context.name, datetime.now(UTC), new.seen, events)


def _recorded(record: Callable[[], object], status_code: int = 200) -> Response:
    try:
        return _answer(record(), status_code)
    except CaseConflict as conflict:
        return _answer({"error": "somebody else has changed the case meanwhile", "entries": conflict.entries}, 409)
    except CaseRefused as refused:
        if refused.reason == "missing":
            raise HTTPException(404) from refused
        return JSONResponse({"error": str(refused), "reason": refused.reason}, 422)


def _deadline(one: Deadline, now: datetime) -> dict[str, object]:
    return {
        "name": one.rule.name,
        "source": one.rule.source,
        "started_at": one.started_at,
        "due_at": one.due_at,
        "met_at": one.met_at,
        "urgency": one.urgency(now),
    }


def _answer(body: object, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status_code, media_type="application/json")
