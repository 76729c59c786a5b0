"""Puts the captures of one incident together in the queue, under one heading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from casebook.incidents.reader import Incident
from review.cards import Card
from review.page import Site


@dataclass(frozen=True, slots=True)
class Group:
    """Captures that stand together; ``incident`` is None where nothing joins them."""

    incident: Incident | None
    cards: tuple[Card, ...]


def late_in(incidents: Iterable[Incident]) -> frozenset[str]:
    """Name the captures that arrived too late to be news."""
    return frozenset(part.occurrence.subject for one in incidents for part in one.occurrences if part.occurrence.late)


def grouped(site: Site, cards: Sequence[Card]) -> tuple[list[Group], frozenset[str]]:
    """Group cards, each incident where the first of its captures stands; one of a single thing needs no heading.

    Returns:
        The groups, and which of the captures arrived late.
    """
    homes = site.incidents.incident_ids_of(card.event.event_id for card in cards if card.flags)
    incidents = site.incidents.incidents_by_id(set(homes.values()))
    found = {one.id: one for one in incidents if len(one.occurrences) > 1}
    members: dict[str, list[Card]] = {}
    order: list[str | Card] = []
    for card in cards:
        home = homes.get(card.event.event_id, "")
        if home not in found:
            order.append(card)
            continue
        if home not in members:
            members[home] = []
            order.append(home)
        members[home].append(card)
    groups: list[Group] = []
    for entry in order:
        if isinstance(entry, str):
            groups.append(Group(found[entry], tuple(members[entry])))
        elif groups and groups[-1].incident is None:
            groups[-1] = Group(None, (*groups[-1].cards, entry))
        else:
            groups.append(Group(None, (entry,)))
    return groups, late_in(incidents)


def troubles(site: Site, at_most: int = 10) -> list[Incident]:
    """List the incidents in which a station's trouble is not over and no capture waits: no card stands for those."""
    waiting = site.incidents.incidents(open_only=True, limit=50)
    return [one for one in waiting if not one.event_ids and any(part.over_at is None for part in one.occurrences)][
        :at_most
    ]
