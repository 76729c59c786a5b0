"""JSON endpoints for health, events, taxa and review decisions."""

from datetime import datetime
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from contract.codec import encode
from i18n.taxonomy import taxon_search
from ingest.store.port import EventQuery
from review.decisions import Decision, decide
from review.page import NAME_LENGTH, ContextDependency, set_cookie
from review.problems import InvalidRequest

router = APIRouter()
MAX_LIMIT = 1000
_decision = msgspec.json.Decoder(Decision)


@router.get("/healthz")
def healthz(context: ContextDependency) -> Response:
    """Report the server's problem, if any, and the number of stations, events, flags, verdicts and media.

    The status code is 200 also during a temporary problem, such as a broker that is down: a supervisor that restarts
    the server at every 503 would fix nothing and make the pages unavailable.
    """
    problem = context.site.problem()
    totals = context.site.casebook.totals()
    states = context.site.store.stations()
    return JSONResponse(
        {
            "status": "hindered" if problem else "ok",
            "problem": problem,
            "stations": len(states),
            "events": sum(state.events for state in states),
            "flags": totals.flags,
            "open_flags": totals.open_flags,
            "verdicts": totals.verdicts,
            "quarantined": totals.quarantined,
            "media": totals.media,
        }
    )


@router.get("/api/events")
def events(
    context: ContextDependency, station: str = "", start: str = "", end: str = "", after: str = "", limit: int = 50
) -> Response:
    """Return the event messages of captures, newest first, as the stations sent them.

    ``after`` is the cursor for the next page: the ``next`` of the previous response. ``corrected`` has the times of
    captures whose clock was corrected on the server, by event id.
    """
    moment, _, event_id = after.partition("~")
    query = EventQuery(
        stations=(station,) if station else (),
        start=_parse_time(start),
        end=_parse_time(end),
        after=(found, event_id) if (found := _parse_time(moment)) else None,
        limit=max(1, min(limit, MAX_LIMIT)),
    )
    listed = context.site.store.listing(query)
    last = listed[-1] if len(listed) == query.limit else None
    body = {
        "events": [msgspec.Raw(encode(one.sent)) for one in listed],
        "corrected": {one.event.event_id: one.event.captured_at for one in listed if one.uncorrected is not None},
        "next": f"{last.listed_at.isoformat()}~{last.event.event_id}" if last else None,
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


def _parse_time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest("moment") from error
    if found.tzinfo is None:
        raise InvalidRequest("moment")
    return found


@router.get("/api/taxa")
def taxa(context: ContextDependency, q: str = "") -> Response:
    """Return taxa whose names match what was typed, with all their names, for the search box of corrections."""
    return JSONResponse(
        [
            [taxon.key, taxon.name(context.language.code) or taxon.key, taxon.zh, taxon.en]
            for taxon in taxon_search().find(q)
        ],
        headers={"Cache-Control": "private, max-age=3600", "Vary": "Cookie, Accept-Language"},
    )


@router.post("/verdicts")
async def verdicts(context: ContextDependency, request: Request) -> Response:
    """Record a reviewer's decision on a capture."""
    try:
        decision = _decision.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest("decision") from error
    event = await run_in_threadpool(context.site.event, decision.event_id)
    if event is None:
        raise HTTPException(404)
    recorded = await run_in_threadpool(decide, context.site, event, decision, context.name)
    return JSONResponse({"verdicts": [{"ordinal": one.ordinal, "label": one.label} for one in recorded]})


@router.post("/reviewer")
async def reviewer(request: Request) -> Response:
    """Store the reviewer's name in a cookie."""
    form = await request.form()
    name = " ".join(str(form.get("name", "")).split())[:NAME_LENGTH] or "ranger"
    back = str(form.get("back", "/"))
    response = RedirectResponse(back if back.startswith("/") and back[1:2] not in ("/", "\\") else "/", 303)
    set_cookie(request, response, "reviewer", quote(name))
    return response
