"""Search for the messages that make a batch fail, and the decision whose fault the failure is: theirs or ours."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from contract import decode
from contract.isolation import is_temporary
from contract.supervision import describe_exception
from ingest.intake import BatchResult
from ingest.receive.batch import ReceivedMessage, kind_and_station

LOG = logging.getLogger("wildpost.intake")
_FAILURES_OF_ONE_KIND = 3  # in sequence, with no success of that kind between: the fault may be ours
_PROBES = 20
_LOGGED = 100  # exceptions
_SUSPECTED_S = 600.0


class ServerFault(Exception):
    """Raised when all messages of a kind fail: the fault is the server's, and no message may be set aside for it.

    Attributes:
        kind: Kind of the messages.
    """

    def __init__(self, kind: str, error: BaseException) -> None:
        super().__init__(f"every {kind} message fails with {describe_exception(error)}")
        self.kind = kind


class FailureRecord:
    """Record of unexpected failures and of successes by kind of message; several threads share it."""

    def __init__(self) -> None:
        """Create a record without failures."""
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}  # by kind, since its last success
        self._successes: dict[str, int] = {}  # by kind, since the first failure of any kind
        self._suspects: dict[str, float] = {}  # time of the last failure by station
        self._logged: set[str] = set()

    def successes(self, kind: str) -> int:
        """Return a number that grows with each success of a kind after a failure."""
        return self._successes.get(kind, 0)

    def succeeded(self, messages: Sequence[ReceivedMessage]) -> set[str]:
        """Record that messages were processed, and return the kinds of the valid ones.

        It costs nothing, and returns nothing, if there was no failure in the last minutes.
        """
        if not self._suspects or not self.suspects():
            return set()
        kinds = self._successful_kinds(messages)
        with self._lock:
            for kind in kinds:
                self._failures.pop(kind, None)
                self._successes[kind] = self._successes.get(kind, 0) + 1
        return kinds

    def _successful_kinds(self, messages: Sequence[ReceivedMessage]) -> set[str]:
        """Return the kinds of the valid messages: that an invalid one was quarantined shows nothing."""
        found: set[str] = set()
        for one in messages:
            if (kind := kind_and_station(one.topic)[0]) not in found and _is_valid(one):
                found.add(kind)
        return found

    def failed(self, kind: str, station: str) -> bool:
        """Record that a message failed alone; return whether several of its kind have failed and none succeeded."""
        with self._lock:
            self._suspects[station] = time.monotonic()
            self._failures[kind] = self._failures.get(kind, 0) + 1
            return self._failures[kind] >= _FAILURES_OF_ONE_KIND

    def log(self, message: ReceivedMessage, error: BaseException) -> None:
        """Log an exception for which a message is set aside; each exception once, since a station may cause many."""
        text = describe_exception(error)
        if text not in self._logged and len(self._logged) < _LOGGED:
            self._logged.add(text)
            LOG.error("a message on %s is set aside in quarantine: %s", message.topic[:200], text, exc_info=error)

    def suspects(self) -> Collection[str]:
        """Return the stations of which a message failed in the last minutes."""
        since = time.monotonic() - _SUSPECTED_S
        with self._lock:
            self._suspects = {station: at for station, at in self._suspects.items() if at > since}
            return frozenset(self._suspects)


class Isolation:
    """Processing of the messages of one failed batch in ever smaller parts, until each failing message stands alone."""

    def __init__(
        self,
        process: Callable[[Sequence[ReceivedMessage]], BatchResult],
        set_aside: Callable[[ReceivedMessage, BaseException], BatchResult],
        record: FailureRecord,
        refuted: Iterable[str] = (),
    ) -> None:
        """Create an isolation; ``run`` processes the messages.

        Args:
            process: Makes messages durable, idempotently; raises an exception if one of them cannot be processed.
            set_aside: Stores one message in quarantine, with the exception.
            record: Failures and successes of earlier batches.
            refuted: Kinds of which a message has succeeded, so that the fault is not the server's.
        """
        self._process, self._set_aside, self._record = process, set_aside, record
        self._refuted = set(refuted)
        self._messages: Sequence[ReceivedMessage] = ()

    def run(self, messages: Sequence[ReceivedMessage]) -> BatchResult:
        """Process the messages, and set aside those that fail alone.

        Messages of stations without recent failures come first, so that the others do not delay them.

        Raises:
            ServerFault: every message of a kind fails; none of the kind but the first two was set aside.
        """
        self._messages = messages
        suspects = self._record.suspects()
        groups: Mapping[bool, list[ReceivedMessage]] = {False: [], True: []}
        for one in messages:
            groups[kind_and_station(one.topic)[1] in suspects].append(one)
        return sum((self._split(group) for group in groups.values() if group), BatchResult())

    def _split(self, messages: Sequence[ReceivedMessage]) -> BatchResult:
        try:
            result = self._process(messages)
        except Exception as error:
            if is_temporary(error):
                raise
            if len(messages) == 1:
                return self._judge(messages[0], error)
        else:
            self._succeeded(messages)
            return result
        half = len(messages) // 2
        return self._split(messages[:half]) + self._split(messages[half:])

    def _judge(self, message: ReceivedMessage, error: BaseException) -> BatchResult:
        kind, station = kind_and_station(message.topic)
        if self._record.failed(kind, station) and kind not in self._refuted and not self._any_succeeds(kind, station):
            raise ServerFault(kind, error)
        return self._set_aside(message, error)

    def _any_succeeds(self, kind: str, station: str) -> bool:
        """Try one message of each other station, until one of the same kind succeeds."""
        probes: dict[str, ReceivedMessage] = {}
        for one in self._messages:
            its_kind, its_station = kind_and_station(one.topic)
            if its_kind == kind and its_station != station and len(probes) < _PROBES:
                probes.setdefault(its_station, one)
        for one in probes.values():
            try:
                self._process([one])
            except Exception as error:
                if is_temporary(error):
                    raise
            else:
                self._succeeded([one])
                return True
        return False

    def _succeeded(self, messages: Sequence[ReceivedMessage]) -> None:
        self._refuted |= self._record.succeeded(messages)


def _is_valid(message: ReceivedMessage) -> bool:
    try:
        decode(message.topic, message.payload)
    except Exception:  # noqa: BLE001, an invalid message, or one at which the server fails
        return False
    return True
