"""An intake that keeps nothing but notes what came."""

from ingest.intake import BatchResult, StoredBatch
from ingest.receive.batch import Batch
from ingest.store.port import WriteResult


class Noting:
    """Fulfils ``Keeps``."""

    max_concurrent_batches = 1

    def __init__(self) -> None:
        """Begin with nothing."""
        self.came: list[bytes] = []

    def store(self, batch: Batch) -> StoredBatch:
        """Note the payloads."""
        self.came += [one.payload for one in batch.records]
        return StoredBatch(0, WriteResult(new=0, repeated=0))

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        """Say that nothing was kept."""
        return BatchResult()
