"""Legal hold: media of captures that belong to a case, which no retention may delete."""

from collections.abc import Iterable

from sqlalchemy import select

from casebook.cases.tables import case_event, case_media
from casebook.incidents.database import Database
from casebook.portions import portions
from casebook.tables import media


def held_media(database: Database, sha256s: Iterable[str]) -> set[str]:
    """Return those of the given media that belong to a case, open or closed: they must not be deleted.

    Whatever deletes media asks this first, within the same run. Files that arrived later than the capture's message,
    such as an original on request, are held by the capture's id.

    Raises:
        StoreUnavailable: the casebook does not answer; nothing may be deleted then.
    """
    found: set[str] = set()
    with database.begin() as connection:
        for some in portions(sha256s):
            named = select(case_media.c.sha256).where(case_media.c.sha256.in_(some))
            received = (
                select(media.c.sha256)
                .join(case_event, case_event.c.event_id == media.c.event_id)
                .where(media.c.sha256.in_(some))
            )
            for query in (named, received):
                found.update(connection.execute(query).scalars())
    return found
