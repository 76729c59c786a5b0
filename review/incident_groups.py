"""Groups the review queue by incident, so that each incident has one heading for its captures."""

from collections.abc import Sequence
from dataclasses import dataclass

from casebook.incidents.reader import Incident
from review.cards import Card
from review.page import Site


@dataclass(frozen=True, slots=True)
class Group:
    """Cards of one incident, or consecutive cards without an incident (``incident`` is None)."""

    incident: Incident | None
    cards: tuple[Card, ...]


def group_by_incident(site: Site, cards: Sequence[Card]) -> tuple[list[Group], frozenset[str]]:
    """Group cards by incident, in the order of the first card of each group.

    An incident with a single occurrence gets no group.

    Returns:
        The groups, and the ids of captures that arrived late.
    """
    memberships = site.incidents.memberships(card.event.event_id for card in cards if card.flags)
    incident_ids = memberships.incident_ids
    incidents = site.incidents.incidents_by_id(set(incident_ids.values()))
    found = {one.id: one for one in incidents if one.occurrence_count > 1}
    members: dict[str, list[Card]] = {}
    order: list[str | Card] = []
    for card in cards:
        incident_id = incident_ids.get(card.event.event_id, "")
        if incident_id not in found:
            order.append(card)
            continue
        if incident_id not in members:
            members[incident_id] = []
            order.append(incident_id)
        members[incident_id].append(card)
    groups: list[Group] = []
    for entry in order:
        if isinstance(entry, str):
            groups.append(Group(found[entry], tuple(members[entry])))
        elif groups and groups[-1].incident is None:
            groups[-1] = Group(None, (*groups[-1].cards, entry))
        else:
            groups.append(Group(None, (entry,)))
    return groups, memberships.late_events
