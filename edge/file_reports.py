"""Reports to the server about files: those that were set aside, and those that were analysed but are not in order."""

import logging
from collections.abc import Callable
from datetime import datetime

from contract import SetAside, encode, new_event_id
from edge.capture.clip import Clip, Unusable
from edge.outbox.message import OutboxMessage

LOG = logging.getLogger("wildpost.station")
_NAME_CHARACTERS, _REASON_CHARACTERS, _PRIORITY = 255, 2_000, 2


class FileReports:
    """Makes the reports of one station, and logs them."""

    def __init__(self, station: str, topic: str, now: Callable[[], datetime]) -> None:
        """Store the name of the station, the topic of the reports and the clock."""
        self._station = station
        self._topic = topic
        self._now = now

    def set_aside(self, sensor: str, unusable: Unusable) -> OutboxMessage:
        """Return the report of a file that was set aside."""
        LOG.warning("%s: %s set aside: %s", sensor, unusable.name, unusable.reason)
        return self._message(sensor, unusable.name, unusable.reason, unusable.size, analysed=False)

    def remarks(self, sensor: str, clip: Clip) -> list[OutboxMessage]:
        """Return the reports of what is wrong with a file that was analysed."""
        for remark in clip.remarks:
            LOG.warning("%s: %s", sensor, remark)
        return [self._message(sensor, clip.name, remark, clip.size, analysed=True) for remark in clip.remarks]

    def _message(self, sensor: str, name: str, reason: str, size: int, analysed: bool) -> OutboxMessage:
        report = SetAside(
            report_id=new_event_id(),
            station=self._station,
            sensor=sensor,
            at=self._now(),
            name=name[-_NAME_CHARACTERS:],
            reason=reason[:_REASON_CHARACTERS],
            size=size,
            analysed=analysed,
        )
        return OutboxMessage(self._topic, encode(report), priority=_PRIORITY)
