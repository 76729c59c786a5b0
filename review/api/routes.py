"""What programs ask, and where a decision arrives."""

from datetime import datetime
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from contract.codec import encode
from i18n.taxa import all_taxa
from ingest.store.port import EventQuery
from review.decisions import Decision, decide
from review.page import COOKIE_S, NAME_LENGTH, ReaderDependency

router = APIRouter()
AT_MOST = 1000
_decision = msgspec.json.Decoder(Decision)


@router.get("/healthz")
def healthz(read: ReaderDependency) -> Response:
    """Say that the pages answer, what is in the server's way, and how much there is.

    It is 200 where the server waits for something that may come back: whoever starts it again at every 503 would mend
    nothing, and take the pages from people.
    """
    problem = read.site.problem()
    totals = read.site.casebook.totals()
    states = read.site.store.stations()
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
    read: ReaderDependency, station: str = "", start: str = "", end: str = "", after: str = "", limit: int = 50
) -> Response:
    """Give captures as their stations sent them, newest first; ``after`` is the ``next`` of the answer before."""
    moment, _, event_id = after.partition("~")
    query = EventQuery(
        stations=(station,) if station else (),
        start=_moment("start", start),
        end=_moment("end", end),
        after=(found, event_id) if (found := _moment("after", moment)) else None,
        limit=max(1, min(limit, AT_MOST)),
    )
    listed = read.site.store.events(query)
    last = listed[-1] if len(listed) == query.limit else None
    body = {
        "events": [msgspec.Raw(encode(event)) for event in listed],
        "next": f"{last.captured_at.isoformat()}~{last.event_id}" if last else None,
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(422, f"{name} {text!r}: expected such as 2026-05-31T06:00:00+08:00") from error
    if found.tzinfo is None:
        raise HTTPException(422, f"{name} {text!r}: its offset from UTC is missing, such as +08:00")
    return found


@router.get("/api/taxa")
def taxa(read: ReaderDependency) -> Response:
    """Give every kind a correction can name, in three languages, for the search box."""
    return JSONResponse(
        [[taxon.key, taxon.name(read.language.code), taxon.zh, taxon.en] for taxon in all_taxa()],
        headers={"Cache-Control": "private, max-age=3600", "Vary": "Cookie, Accept-Language"},
    )


@router.post("/verdicts")
async def verdicts(read: ReaderDependency, request: Request) -> Response:
    """Take one decision."""
    try:
        decision = _decision.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(422, str(error)) from error
    event = await run_in_threadpool(read.site.event, decision.event_id)
    if event is None:
        raise HTTPException(404, f"no capture {decision.event_id}")
    made = await run_in_threadpool(decide, read.site, event, decision, read.name)
    return JSONResponse({"verdicts": [{"ordinal": one.ordinal, "label": one.label} for one in made]})


@router.post("/reviewer")
async def reviewer(request: Request) -> Response:
    """Remember who decides on this device."""
    form = await request.form()
    name = " ".join(str(form.get("name", "")).split())[:NAME_LENGTH] or "ranger"
    back = str(form.get("back", "/"))
    response = RedirectResponse(back if back.startswith("/") and back[1:2] not in ("/", "\\") else "/", 303)
    response.set_cookie("reviewer", quote(name), max_age=COOKIE_S, samesite="lax", httponly=True)
    return response
