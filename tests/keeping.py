"""Keeps a batch as the server's threads do, without them."""

from ingest.intake import Intake, Taken
from ingest.receive.batch import Batch


def keep(intake: Intake, batch: Batch) -> Taken:
    """Store a batch and do what follows from it."""
    return intake.conclude(batch, intake.store(batch))
