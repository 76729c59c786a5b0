"""Keeps a batch as the server's threads do, without them."""

from ingest.intake import BatchResult, Intake
from ingest.receive.batch import Batch


def keep(intake: Intake, batch: Batch) -> BatchResult:
    """Store a batch and do what follows from it."""
    return intake.conclude(batch, intake.store(batch))
