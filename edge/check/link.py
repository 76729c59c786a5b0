"""Check of the budget of a station's link: how much waits because of it, and until when."""

from contextlib import closing
from datetime import datetime
from pathlib import Path

from edge.check.finding import Figure, Finding
from edge.link_budget import MEGABYTE, LinkOptions, describe_reason, held_media, hold, remembered_usage, waiting_topics
from edge.outbox.outbox import Outbox, OutboxError


def link_budget(folder: Path, options: LinkOptions, local: datetime, prefix: str, station: str) -> Finding | None:
    """Report the use of the link and what waits for it; None if nothing is limited or the outbox cannot be read.

    Args:
        folder: Folder of the station in the data folder.
        options: The budget.
        local: Current time of the station.
        prefix: First levels of every topic.
        station: Name of the station.
    """
    path = folder / "outbox.sqlite"
    if options == LinkOptions() or not path.is_file():
        return None
    try:
        with closing(Outbox(path)) as outbox:
            usage = remembered_usage(outbox).with_sent(local, 0)
            held = held_media(hold(options, usage, local), outbox, waiting_topics(prefix, station))
    except (OutboxError, OSError):  # the check of the outbox says so
        return None
    found = f"{usage.day_bytes / MEGABYTE:.1f} MB sent today, {usage.month_bytes / MEGABYTE:.1f} MB this month"
    figures: dict[str, Figure] = {
        "day_bytes": usage.day_bytes,
        "month_bytes": usage.month_bytes,
        "held": held.reason if held else None,
    }
    if held is None:
        return Finding("works", "link", f"{found}; media are sent", figures=figures)
    figures |= {"held_until": held.until.isoformat(), "held_messages": held.messages, "held_bytes": held.size}
    found += f"; {held.messages} media, {held.size / MEGABYTE:.1f} MB, wait until {held.until:%Y-%m-%d %H:%M}: "
    found += describe_reason(held.reason)
    return Finding("works", "link", found, figures=figures)
