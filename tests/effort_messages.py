"""Messages of effort with times of the test's own."""

from datetime import datetime
from typing import Any

import msgspec

from contract import Effort, new_event_id
from contract.examples import EFFORT
from contract.messages import Gap


def effort_of(start: datetime, end: datetime, gap: Gap | None = None, **changes: Any) -> Effort:
    """Return the example of effort with a new id, watching or with a gap, and with other values of further fields."""
    values = {"effort_id": new_event_id(), "start": start, "end": end, "watching": gap is None, "gap": gap}
    return msgspec.structs.replace(EFFORT, **values, **changes)
