"""The review queue: captures with open flags, newest first, and then all other captures, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Literal

from contract.messages import ObservationType
from ingest.store.port import EventQuery, ListedEvent
from pipelines.trends.counting import local_midnight
from review.cards import Card, load_cards
from review.page import Site

Phase = Literal["f", "r"]  # sections of the queue: "f" captures with open flags, "r" the rest
Show = Literal["todo", "flagged", "unreviewed", "reviewed"]
MAX_FLAGS = 2000  # newest open flags sorted to the front; captures with older flags stay in the rest
MAX_SCANNED = 2000  # captures read for one page of a filter that only the casebook can evaluate


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of the queue; an empty filter matches everything.

    Attributes:
        show: "todo": all captures, flagged ones first; "flagged", "unreviewed" or "reviewed": only those.
        after: Cursor: section ("f" flagged, "r" rest), time and id of the last card on the previous page.
    """

    show: Show = "todo"
    station: str = ""
    taxon: str = ""
    kind: ObservationType | None = None
    day: date | None = None
    after: tuple[str, datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Cards on one page of the queue, and the cursor of the next page, which is "" on the last page."""

    cards: tuple[Card, ...]
    next: str


def parse_cursor(text: str) -> tuple[str, datetime, str] | None:
    """Parse the cursor "section~time~id" of a queue page; return None, for the first page, if it is invalid."""
    parts = text.split("~")
    if len(parts) != 3 or parts[0] not in ("f", "r"):
        return None
    try:
        moment = datetime.fromisoformat(parts[1])
    except ValueError:
        return None
    return (parts[0], moment, parts[2]) if moment.tzinfo else None


def parse_list_cursor(text: str) -> tuple[datetime, str] | None:
    """Parse the cursor "time~id" of a list page; return None, for the first page, if it is invalid."""
    found = parse_cursor(f"r~{text}")
    return found[1:] if found else None


def queue_page(site: Site, filters: Filters) -> QueuePage:
    """Return the page of the review queue that matches the filters and starts after their cursor."""
    size = site.options.page_size
    found: list[tuple[str, Card]] = []
    scanned = 0
    for phase, card in _iterate(site, filters):
        scanned += 1
        if _matches(card, filters.show):
            found.append((phase, card))
        if len(found) > size or scanned >= MAX_SCANNED:
            break
    shown = found[:size]
    if len(found) > size or scanned >= MAX_SCANNED:
        phase, last = shown[-1] if shown else (phase, card)
        following = f"{phase}~{last.listed_at.isoformat()}~{last.event.event_id}"
    else:
        following = ""
    return QueuePage(tuple(card for _, card in shown), following)


def next_undecided(site: Site, current: ListedEvent, phase: Phase) -> str:
    """Return the event id of the next undecided capture in the queue; "" if there is none.

    The search wraps around at the end of the queue.

    Args:
        site: The stores.
        current: The current capture.
        phase: Its section of the queue when it was opened; a decision closes its flags and so changes the section.
    """
    cursor = (phase, *current.key)
    for filters in (Filters(show="unreviewed", after=cursor), Filters(show="unreviewed")):
        for _, card in islice(_iterate(site, filters), MAX_SCANNED):
            if not card.decided and card.event.event_id != current.event.event_id:
                return card.event.event_id
    return ""


def _matches(card: Card, show: Show) -> bool:
    match show:
        case "flagged":
            return bool(card.open_flags)
        case "unreviewed":
            return not card.decided
        case "reviewed":
            return card.decided
        case _:
            return True


def _iterate(site: Site, filters: Filters) -> Iterator[tuple[str, Card]]:
    query = _query(site, filters)
    flagged = [flag.event_id for flag in site.casebook.flags(open_only=True, limit=MAX_FLAGS)]
    front = set(flagged) if filters.show != "reviewed" else set()
    phase, after = (filters.after[0], filters.after[1:]) if filters.after else ("f", None)
    if phase == "f" and front:
        events = site.store.listing(replace(query, event_ids=tuple(front), after=after, limit=MAX_FLAGS))
        yield from (("f", card) for card in _cards_in_batches(site, events))
    if filters.show == "flagged":
        return
    query = replace(query, after=after if phase == "r" else None)
    while True:
        events = site.store.listing(query)
        rest = [one for one in events if one.event.event_id not in front]
        yield from (("r", card) for card in load_cards(site, rest))
        if len(events) < query.limit:
            return
        query = replace(query, after=events[-1].key)


def _cards_in_batches(site: Site, events: list[ListedEvent]) -> Iterator[Card]:
    size = site.options.page_size + 1
    for start in range(0, len(events), size):
        yield from load_cards(site, events[start : start + size])


def _query(site: Site, filters: Filters) -> EventQuery:
    return EventQuery(
        stations=(filters.station,) if filters.station else (),
        taxa=(filters.taxon,) if filters.taxon else (),
        observation_types=(filters.kind,) if filters.kind else (),
        start=local_midnight(filters.day, site.zone) if filters.day else None,
        end=local_midnight(filters.day + timedelta(days=1), site.zone) if filters.day else None,
        limit=site.options.page_size + 1,
    )
