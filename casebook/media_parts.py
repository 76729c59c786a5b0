"""Repository of the parts of originals that are on their way from stations."""

from sqlalchemy import delete, func, select

from casebook.incidents.database import Database
from casebook.station_commands import UNDER_WAY
from casebook.tables import media_part, station_command
from contract.commands import MediaPart


class MediaParts:
    """Parts of originals in the casebook's database, so that any worker may receive any part."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def add(self, part: MediaPart) -> bool:
        """Store a part, and return whether the original is whole now.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        row = {"station": part.station, "sha256": part.sha256, "offset": part.offset, "size": part.size}
        same = media_part.c.station == part.station, media_part.c.sha256 == part.sha256
        with self._database.begin() as connection:
            self._database.add(connection, media_part, [row | {"data": part.data}])
            length = select(func.coalesce(func.sum(func.length(media_part.c.data)), 0)).where(*same)
            return int(connection.execute(length).scalar_one()) >= part.size

    def whole(self, station: str, sha256: str) -> bytes:
        """Return the parts of an original, joined."""
        same = media_part.c.station == station, media_part.c.sha256 == sha256
        with self._database.begin() as connection:
            query = select(media_part.c.data).where(*same).order_by(media_part.c.offset)
            return b"".join(connection.execute(query).scalars())

    def delete_abandoned(self) -> None:
        """Delete the parts of originals that nobody waits for any more."""
        awaited = station_command.c.state.in_(UNDER_WAY), station_command.c.sha256 == media_part.c.sha256
        mine = select(station_command.c.id).where(*awaited, station_command.c.station == media_part.c.station)
        with self._database.begin() as connection:
            connection.execute(delete(media_part).where(~mine.exists()))

    def delete(self, station: str, sha256: str) -> None:
        """Delete the parts of an original."""
        same = media_part.c.station == station, media_part.c.sha256 == sha256
        with self._database.begin() as connection:
            connection.execute(delete(media_part).where(*same))
