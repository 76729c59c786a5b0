"""JSON endpoints for health, events, taxa and review decisions."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from casebook.verdicts import Verdict, VerdictConflict
from contract import Event
from contract.codec import encode
from i18n.taxonomy import shipped_taxonomy
from ingest.station_connection import connection_of
from ingest.store.port import EventQuery
from review.api.json_body import decoded
from review.decisions import Decision, Withdrawal, answer_to, conflict_answer, decide, withdraw
from review.page import ContextDependency, PageContext
from review.problems import InvalidRequest
from review.queue import list_cursor
from review.security.access_rules import ANALYSE, DECIDE, OPERATIONS, SEE, access

router = APIRouter()
MAX_LIMIT = 1000
MAX_TYPED = 100  # letters of a name that the search reads
_decision = msgspec.json.Decoder(Decision)
_withdrawal = msgspec.json.Decoder(Withdrawal)


@router.get("/healthz")
@access(OPERATIONS)
def healthz(context: ContextDependency) -> Response:
    """Report the server's problem, if any, and the number of stations, events, flags, verdicts and media.

    The status code is 200 also during a temporary problem, such as a broker that is down: a supervisor that restarts
    the server at every 503 would fix nothing and make the pages unavailable.
    """
    problem = context.site.problem()
    totals = context.site.casebook.totals()
    states = context.site.store.stations()
    now = datetime.now(UTC)
    chains = context.site.chain_states(now)
    return JSONResponse(
        {
            "status": "hindered" if problem else "ok",
            "problem": problem,
            "stations": len(states),
            "stations_online": sum(connection_of(state, now) == "online" for state in states),
            "contested_names": [state.station for state in states if state.status and state.status.name_contested],
            "unsound_chains": [name for name, chain in chains.items() if not chain.is_sound],
            "events": sum(state.events for state in states),
            "flags": totals.flags,
            "open_flags": totals.open_flags,
            "verdicts": totals.verdicts,
            "quarantined": totals.quarantined,
            "media": totals.media,
        }
    )


@router.get("/api/events")
@access(ANALYSE)
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
    context.note("exported", context.address)
    listed = context.site.store.listing(query)
    last = listed[-1] if len(listed) == query.limit else None
    body = {
        "events": [msgspec.Raw(encode(one.sent)) for one in listed],
        "corrected": {one.event.event_id: one.event.captured_at for one in listed if one.uncorrected is not None},
        "next": list_cursor((last.listed_at, last.event.event_id)) if last else None,
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
@access(SEE)
def taxa(context: ContextDependency, q: str = "", station: str = "") -> Response:
    """Return taxa for the search box of corrections, with their names and protection level.

    Without ``q``, these are taxa that corrections used lately, and taxa detected at the station.
    """
    code, taxonomy = context.language.code, shipped_taxonomy()
    return JSONResponse(
        [
            {
                "key": taxon.key,
                "name": taxon.name(code) or taxon.zh or taxon.en or taxon.key,
                "other": taxon.en if code == "zh_CN" else taxon.zh,
                "scientific_name": taxon.scientific_name or "",
                "protection": next((entry.level for entry in taxonomy.protection(taxon.key)), ""),
            }
            for taxon in context.site.taxon_choices.find(q[:MAX_TYPED], station)
        ],
        headers={"Cache-Control": "private, max-age=60", "Vary": "Cookie, Accept-Language"},
    )


@router.post("/verdicts")
@access(DECIDE)
async def verdicts(context: ContextDependency, request: Request) -> Response:
    """Record a reviewer's decision on a capture."""
    decision = decoded(_decision, await request.body(), "decision")
    return await run_in_threadpool(
        _answer, context, decision.event_id, lambda event: decide(context.site, event, decision, context.actor)
    )


@router.post("/verdicts/withdrawals")
@access(DECIDE)
async def withdrawals(context: ContextDependency, request: Request) -> Response:
    """Withdraw decisions on a capture."""
    wanted = decoded(_withdrawal, await request.body(), "decision")
    return await run_in_threadpool(
        _answer,
        context,
        wanted.event_id,
        lambda event: withdraw(context.site, event, wanted.sequences, context.actor),
    )


def _answer(context: PageContext, event_id: str, record: Callable[[Event], list[Verdict]]) -> Response:
    listed = context.site.listed_event(event_id)
    if listed is None:
        raise HTTPException(404)
    try:
        recorded = record(listed.event)
    except VerdictConflict as conflict:
        return JSONResponse(conflict_answer(conflict.latest, context.language), 409)
    return JSONResponse(answer_to(context.site, listed, recorded, context.language))
