"""An intake that keeps nothing but notes what came."""

from ingest.intake import Stored, Taken
from ingest.receive.batch import Batch
from ingest.store.port import Written


class Noting:
    """Fulfils ``Keeps``."""

    abreast = 1

    def __init__(self) -> None:
        """Begin with nothing."""
        self.came: list[bytes] = []

    def store(self, batch: Batch) -> Stored:
        """Note the payloads."""
        self.came += [one.payload for one in batch.records]
        return Stored(0, Written(new=0, repeated=0))

    def conclude(self, batch: Batch, stored: Stored) -> Taken:
        """Say that nothing was kept."""
        return Taken()
