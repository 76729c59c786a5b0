"""What waits for a person: flagged captures nobody decided on first, then the rest, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Literal

from contract import Event
from contract.messages import ObservationType
from ingest.store.port import EventQuery
from pipelines.trends.counting import local_midnight
from review.cards import Card, cards_of
from review.page import Site

Phase = Literal["f", "r"]  # flagged ones stand first, then the rest
Show = Literal["todo", "flagged", "unreviewed", "reviewed"]
FLAGS_AT_MOST = 2000  # that many open flags are sorted to the front; older ones keep their place among the rest
LOOKED_AT_MOST = 2000  # captures looked through for one page of a filter that only the casebook can answer


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person asked to see; empty: everything.

    Attributes:
        show: Everything with flagged first, only flagged, only undecided, or only decided ones.
        after: The last card of the page before: its phase ("f" flagged, "r" rest), time and id.
    """

    show: Show = "todo"
    station: str = ""
    taxon: str = ""
    kind: ObservationType | None = None
    day: date | None = None
    after: tuple[str, datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of cards, and where the next begins ("" where none does)."""

    cards: tuple[Card, ...]
    next: str


def read_after(text: str) -> tuple[str, datetime, str] | None:
    """Read where a page begins; anything else begins at the top."""
    parts = text.split("~")
    if len(parts) != 3 or parts[0] not in ("f", "r"):
        return None
    try:
        moment = datetime.fromisoformat(parts[1])
    except ValueError:
        return None
    return (parts[0], moment, parts[2]) if moment.tzinfo else None


def read_moment(text: str) -> tuple[datetime, str] | None:
    """Read where a page of a plain list begins, "time~id"; anything else begins at the top."""
    found = read_after(f"r~{text}")
    return found[1:] if found else None


def page_of(site: Site, filters: Filters) -> Page:
    """Find one page of the queue."""
    size = site.options.page_size
    found: list[tuple[str, Card]] = []
    looked = 0
    for phase, card in _walk(site, filters):
        looked += 1
        if _wanted(card, filters.show):
            found.append((phase, card))
        if len(found) > size or looked >= LOOKED_AT_MOST:
            break
    shown = found[:size]
    if len(found) > size or looked >= LOOKED_AT_MOST:
        phase, last = shown[-1] if shown else (phase, card)
        following = f"{phase}~{last.event.captured_at.isoformat()}~{last.event.event_id}"
    else:
        following = ""
    return Page(tuple(card for _, card in shown), following)


def next_undecided(site: Site, event: Event, phase: Phase) -> str:
    """Find what waits after a capture in the order of the queue, else from the top; "": nothing waits.

    Args:
        site: Where to look.
        event: The capture that a person has before them.
        phase: Where it stood in the queue when it was opened: deciding closes its flags.
    """
    here = (phase, event.captured_at, event.event_id)
    for filters in (Filters(show="unreviewed", after=here), Filters(show="unreviewed")):
        for _, card in islice(_walk(site, filters), LOOKED_AT_MOST):
            if not card.decided and card.event.event_id != event.event_id:
                return card.event.event_id
    return ""


def _wanted(card: Card, show: Show) -> bool:
    match show:
        case "flagged":
            return bool(card.open_flags)
        case "unreviewed":
            return not card.decided
        case "reviewed":
            return card.decided
        case _:
            return True


def _walk(site: Site, filters: Filters) -> Iterator[tuple[str, Card]]:
    query = _query(site, filters)
    flagged = [flag.event_id for flag in site.casebook.flags(open_only=True, limit=FLAGS_AT_MOST)]
    front = set(flagged) if filters.show != "reviewed" else set()
    phase, after = (filters.after[0], filters.after[1:]) if filters.after else ("f", None)
    if phase == "f" and front:
        events = site.store.events(replace(query, event_ids=tuple(front), after=after, limit=FLAGS_AT_MOST))
        yield from (("f", card) for card in _in_portions(site, events))
    if filters.show == "flagged":
        return
    query = replace(query, after=after if phase == "r" else None)
    while True:
        events = site.store.events(query)
        yield from (("r", card) for card in cards_of(site, [one for one in events if one.event_id not in front]))
        if len(events) < query.limit:
            return
        query = replace(query, after=(events[-1].captured_at, events[-1].event_id))


def _in_portions(site: Site, events: list[Event]) -> Iterator[Card]:
    size = site.options.page_size + 1
    for start in range(0, len(events), size):
        yield from cards_of(site, events[start : start + size])


def _query(site: Site, filters: Filters) -> EventQuery:
    return EventQuery(
        stations=(filters.station,) if filters.station else (),
        taxa=(filters.taxon,) if filters.taxon else (),
        observation_types=(filters.kind,) if filters.kind else (),
        start=local_midnight(filters.day, site.zone) if filters.day else None,
        end=local_midnight(filters.day + timedelta(days=1), site.zone) if filters.day else None,
        limit=site.options.page_size + 1,
    )
