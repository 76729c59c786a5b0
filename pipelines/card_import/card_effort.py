"""Effort of the devices whose cards are imported: from the dates of the deployment, else from their captures."""

from datetime import datetime, timedelta

from contract.bounds import is_representable
from edge.outbox.message import OutboxMessage
from edge.time_ranges import TimeRanges
from pipelines.card_import.deployments import CardDeployment
from pipelines.card_import.examine import Sensor
from pipelines.card_import.ledger import Ledger
from pipelines.card_import.messages import CardMessages

_LONGEST_GUESS = timedelta(days=366)  # one wrong clock would add years; no card stays out for longer
_FORM = "%Y-%m-%d %H:%M"


class CardEffort:
    """Makes the effort of each sensor once, although its card may be imported in parts.

    A camera watches from the start of its deployment to the end. Where a date is not known, the first or last capture
    stands for it, which understates the effort. A recorder hears while it records: each recording is its own effort.
    """

    def __init__(self, ledger: Ledger, messages: CardMessages, now: datetime) -> None:
        """Store the ledger, in which what was sent before is remembered, and the current time."""
        self._ledger = ledger
        self._messages = messages
        self._now = now

    def of(self, deployment: CardDeployment, sensor: Sensor) -> tuple[list[OutboxMessage], str]:
        """Return what is new of a sensor's effort, and a description of the whole.

        The ledger's transaction must be open.
        """
        period = self._ledger.period(*deployment.key, sensor)
        if sensor == "microphone":
            return [], "not known: no recording has a known time" if period is None else "the time of its recordings"
        messages = self._faults(deployment, sensor)
        start = deployment.start or (period[0] if period else None)
        end = min(deployment.end, self._now) if deployment.end else period[1] if period else None
        if start is None or end is None or end <= start or not is_representable(start):
            return messages, "not known: no dates are given, and no capture has a known time"
        if not (deployment.start and deployment.end) and end - start > _LONGEST_GUESS:
            days = (end - start).days
            return (
                messages,
                f"not known: {days} days from the first to the last capture; expected the deployment's dates",
            )
        how = _source(deployment)
        captures = period[2] if period else 0
        for new_start, new_end in self._new(f"effort {'/'.join(deployment.key)}/{sensor}", start, end):
            messages += self._messages.effort(deployment, sensor, new_start, new_end, captures, how)
            captures = 0
        zone = start.tzinfo
        text = f"{start:{_FORM}} to {end.astimezone(zone):{_FORM}}, {how}"
        if deployment.faults:
            text += f", without {len(deployment.faults)} periods of camera faults"
        return messages, text

    def _faults(self, deployment: CardDeployment, sensor: Sensor) -> list[OutboxMessage]:
        messages: list[OutboxMessage] = []
        for start, end in deployment.faults:
            for new_start, new_end in self._new(f"fault {'/'.join(deployment.key)}/{sensor}", start, end):
                messages += self._messages.fault(deployment, sensor, new_start, new_end)
        return messages

    def _new(self, name: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the parts of a period that were not sent before, and remember the whole."""
        sent = TimeRanges.from_text(self._ledger.remembered(name))
        new = sent.without(start, end)
        sent.add(start, end)
        self._ledger.remember({name: sent.to_text()})
        return new


def _source(deployment: CardDeployment) -> str:
    if deployment.start and deployment.end:
        return "from the dates of the deployment"
    if deployment.start:
        return "from the start of the deployment to the last capture"
    return (
        "from the first capture to the end of the deployment"
        if deployment.end
        else "from the first to the last capture"
    )
