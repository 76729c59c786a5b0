"""Asks a station for the original of a capture, which the station keeps."""

from datetime import datetime, timedelta

import msgspec

from casebook.station_commands import CommandRefused, StationCommand, StationCommands
from contract import Event
from contract.commands import MOST_ORIGINAL_BYTES, MediaRequest

LASTS = timedelta(days=7)  # a station may be without a network for some days


def ask_for_original(commands: StationCommands, event: Event, by: str, now: datetime) -> StationCommand:
    """Record a request for the original of a capture; one that is under way is returned.

    Raises:
        CommandRefused: the station kept none, it is too large, or too much is under way.
        StoreUnavailable: the casebook does not answer.
    """
    original = next((media for media in event.media if media.role == "original"), None)
    if original is None:
        raise CommandRefused(f"event {event.event_id}: the station kept no original")
    if not 0 < original.size <= MOST_ORIGINAL_BYTES:
        raise CommandRefused(
            f"event {event.event_id}: an original of {original.size} bytes: expected at most {MOST_ORIGINAL_BYTES}; "
            "fetch it at the station"
        )
    request = MediaRequest(
        event_id=event.event_id,
        sensor=event.sensor,
        sha256=original.sha256,
        size=original.size,
        name=original.name,
    )
    payload = msgspec.json.encode(request).decode()
    wanted = event.event_id, original.sha256
    return commands.ask(event.station, "media", payload, by, now, LASTS, wanted)
