"""Interface of the object that makes batches durable."""

from typing import Protocol

from ingest.intake import BatchResult, StoredBatch
from ingest.receive.batch import Batch


class BatchSink(Protocol):
    """Interface of an object that makes a batch durable in two idempotent steps, ``store`` and ``conclude``."""

    @property
    def max_concurrent_batches(self) -> int:
        """Maximum number of batches that ``store`` may write concurrently."""
        ...

    def store(self, batch: Batch) -> StoredBatch:
        """Store a batch; ``StoreUnavailable`` or ``OSError`` means that the caller must retry."""
        ...

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        """Apply rules to a stored batch and record its flags and incidents; raises the same errors as ``store``."""
        ...
