"""The review queue: captures with open flags, the most severe first, and then all other captures, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Literal, get_args

from contract.messages import ObservationType
from contract.severity import Severity
from i18n.taxonomy import shipped_taxonomy
from ingest.store.port import EventQuery, ListedEvent
from pipelines.trends.counting import local_midnight
from review.cards import Card, load_cards
from review.page import Site

Section = Literal["u", "w", "n", "r"]  # of the queue: by severity of the open flags, and "r" the rest
Show = Literal["todo", "flagged", "urgent", "warning", "notice", "unreviewed", "reviewed"]
Kind = Literal["animal", "human", "vehicle", "unknown", "blank"]
SECTIONS: dict[Section, Severity] = {"u": "urgent", "w": "warning", "n": "notice"}
LARGEST_PORTION = 10_000  # keys read at a time, while few of them match
_ALL_FLAGGED_FROM = 1_000  # from this many keys on, the ids of all flagged events are read instead of asking for each

Key = tuple[datetime, str]  # time under which a capture is listed, and its event id


@dataclass(frozen=True, slots=True)
class Cursor:
    """Pagination cursor: section and key of the last capture of the previous page."""

    section: Section
    key: Key

    def __str__(self) -> str:
        return f"{self.section}~{list_cursor(self.key)}"


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of the queue; an empty filter matches everything.

    Attributes:
        show: "todo": all captures, flagged ones first; "flagged", "unreviewed" or "reviewed": only those; "urgent",
            "warning" or "notice": captures whose most severe open flag has this severity.
        station: Name of a station.
        taxon: Any name of a taxon.
        kind: Kind of the detections; "blank": nothing was found, or everything was dismissed.
        day: Local day.
        after: Cursor of the previous page.
    """

    show: Show = "todo"
    station: str = ""
    taxon: str = ""
    kind: Kind | None = None
    day: date | None = None
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Cards on one page of the queue, and the cursor of the next page, which is "" on the last page."""

    cards: tuple[Card, ...]
    next: str


def parse_cursor(text: str) -> Cursor | None:
    """Parse the cursor "section~time~id" of a queue page; return None, for the first page, if it is invalid."""
    parts = text.split("~")
    section = next((name for name in get_args(Section) if parts[0] == name), None)
    if len(parts) != 3 or section is None:
        return None
    try:
        moment = datetime.fromisoformat(parts[1])
    except ValueError:
        return None
    return Cursor(section, (moment, parts[2])) if moment.tzinfo else None


def list_cursor(key: Key) -> str:
    """Return the cursor "time~id" of a list page."""
    return f"{key[0].isoformat()}~{key[1]}"


def parse_list_cursor(text: str) -> Key | None:
    """Parse the cursor "time~id" of a list page; return None, for the first page, if it is invalid."""
    found = parse_cursor(f"r~{text}")
    return found.key if found else None


def queue_page(site: Site, filters: Filters) -> QueuePage:
    """Return the page of the review queue that matches the filters and starts after their cursor."""
    size = site.options.page_size
    found: list[tuple[Cursor, Card]] = []
    remaining = _cursors(site, filters, size + 1)
    while len(found) <= size and (portion := list(islice(remaining, size + 1 - len(found)))):
        cards = {card.event.event_id: card for card in _load(site, [one.key[1] for one in portion])}
        found += [
            (one, cards[one.key[1]])
            for one in portion
            if one.key[1] in cards and _matches(cards[one.key[1]], filters.show)
        ]
    following = str(found[size - 1][0]) if len(found) > size else ""
    return QueuePage(tuple(card for _, card in found[:size]), following)


def next_undecided(site: Site, current: ListedEvent, section: Section) -> str:
    """Return the event id of the next undecided capture in the queue; "" if there is none.

    The search wraps around at the end of the queue.

    Args:
        site: The stores.
        current: The current capture.
        section: Its section of the queue when it was opened; a decision closes its flags and so changes the section.
    """
    for after in (Cursor(section, current.key), None):
        for one in _cursors(site, Filters(show="unreviewed", after=after), portion=8):
            if one.key[1] != current.event.event_id and any(not card.decided for card in _load(site, [one.key[1]])):
                return one.key[1]
    return ""


def section_of(card: Card) -> Section:
    """Return the section of the queue in which a card is listed."""
    severities = {flag.severity for flag in card.open_flags}
    return next((section for section, severity in SECTIONS.items() if severity in severities), "r")


def _load(site: Site, event_ids: Sequence[str]) -> list[Card]:
    listed = site.store.listing(EventQuery(event_ids=tuple(event_ids), limit=len(event_ids)))
    return load_cards(site, listed)


def _matches(card: Card, show: Show) -> bool:
    """Return whether a card fits; the detection store may lag behind the casebook."""
    match show:
        case "todo":
            return True
        case "unreviewed":
            return not card.decided
        case "reviewed":
            return card.decided
        case _:
            return bool(card.open_flags)


def _cursors(site: Site, filters: Filters, portion: int) -> Iterator[Cursor]:
    """Yield the cursors of the captures that match the filters, in the order of the queue.

    The number of queries grows with the logarithm of the captures that do not match, up to ``LARGEST_PORTION``.
    """
    after = filters.after
    reached = after is None
    for section, severity in SECTIONS.items():
        here = after is not None and after.section == section
        reached = reached or here
        if reached and filters.show in ("todo", "flagged", "unreviewed", severity):
            yield from _flagged(site, filters, section, after.key if here and after else None, portion)
    if filters.show in ("todo", "unreviewed", "reviewed"):
        yield from _rest(site, filters, after.key if after and after.section == "r" else None, portion)


def _flagged(site: Site, filters: Filters, section: Section, after: Key | None, portion: int) -> Iterator[Cursor]:
    query = _query(site, filters)
    while True:
        found = site.flag_queue.events(SECTIONS[section], portion, after, query.stations, query.start, query.end)
        matching = {one.event_id for one in found}
        if found and (query.taxa or query.observation_types or query.blank):
            ids = tuple(matching)
            by_content = replace(query, event_ids=ids, limit=len(ids), start=None, end=None)
            matching = {event_id for _, event_id in site.store.keys(by_content)}
        yield from (Cursor(section, one.key) for one in found if one.event_id in matching)
        if len(found) < portion:
            return
        after = found[-1].key
        portion = min(4 * portion, LARGEST_PORTION)


def _rest(site: Site, filters: Filters, after: Key | None, portion: int) -> Iterator[Cursor]:
    decided = {"unreviewed": False, "reviewed": True}.get(filters.show)
    query = replace(_query(site, filters), decided=decided, after=after)
    all_flagged: set[str] | None = None
    while True:
        keys = site.store.keys(replace(query, limit=portion))
        flagged: set[str] = set()
        if filters.show != "reviewed":
            if len(keys) >= _ALL_FLAGGED_FROM and all_flagged is None:
                all_flagged = site.flag_queue.all_event_ids()
            flagged = (
                set(site.flag_queue.severities_of(event_id for _, event_id in keys))
                if all_flagged is None
                else all_flagged
            )
        yield from (Cursor("r", key) for key in keys if key[1] not in flagged)
        if len(keys) < portion:
            return
        query = replace(query, after=keys[-1])
        portion = min(4 * portion, LARGEST_PORTION)


def _query(site: Site, filters: Filters) -> EventQuery:
    kind: ObservationType | None = None if filters.kind == "blank" else filters.kind
    return EventQuery(
        stations=(filters.station,) if filters.station else (),
        taxa=_names(filters.taxon) if filters.taxon else (),
        observation_types=(kind,) if kind else (),
        blank=filters.kind == "blank",
        start=local_midnight(filters.day, site.zone) if filters.day else None,
        end=local_midnight(filters.day + timedelta(days=1), site.zone) if filters.day else None,
    )


def _names(typed: str) -> tuple[str, ...]:
    """Return the names under which stations may have sent a taxon that is given by any of its names."""
    taxon = shipped_taxonomy().find(typed)
    if taxon is None:
        return (typed,)
    names = [typed, taxon.key, taxon.zh, taxon.en, *taxon.other_names]
    spelt = [spelling for name in names for spelling in (name, name.lower(), name.lower().replace(" ", "_"))]
    return tuple(dict.fromkeys(filter(None, [*spelt, *(name[:1].upper() + name[1:] for name in names)])))
