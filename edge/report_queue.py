"""Queue of effort and deployment messages, which are kept in memory while the disk is full."""

import logging
import threading
from collections.abc import Mapping, Sequence

from contract import Deployment, Effort, encode, topic_of
from contract.codec import kind_of
from edge.outbox.outbox import Outbox, OutboxFull, OutboxMessage

LOG = logging.getLogger("wildpost.station")


class ReportQueue:
    """Writes reports of a station to its outbox; those that do not fit on the disk are written with the next."""

    def __init__(self, outbox: Outbox, prefix: str, station: str) -> None:
        """Store the outbox and the parts of the topics."""
        self._outbox = outbox
        self._prefix = prefix
        self._station = station
        self._lock = threading.Lock()
        self._owed: list[OutboxMessage] = []
        self._memory: dict[str, str] = {}  # committed with them

    def put(self, records: Sequence[Effort | Deployment], memory: Mapping[str, str] | None = None) -> None:
        """Store records, with values that the outbox remembers, in one transaction."""
        with self._lock:
            for record in records:
                topic = topic_of(self._prefix, self._station, kind_of(record))
                self._owed.append(OutboxMessage(topic, encode(record), priority=2))
            self._memory |= memory or {}
            if not self._owed:
                return
            try:
                self._outbox.commit(self._owed, memory=self._memory)
            except OutboxFull as full:
                LOG.error("%s", full)
                return
            self._owed.clear()
            self._memory.clear()
