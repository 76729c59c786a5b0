"""Receives what the server tells the station, does it, and answers; everything is on the disk before it is done."""

import logging
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract import encode, new_event_id, topic_of
from contract.commands import KINDS_OF_COMMANDS, Answer, AnswerState, CommandKind, MediaRequest, NoPayload
from contract.envelope import Envelope, public_text
from contract.event_chain import signed_payload
from contract.messages import SetAside
from contract.supervision import SupervisedThread
from contract.topics import Channel
from edge.clocks import Reading, read_clocks
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.remote.acceptance import Acceptance, Accepted, Deferred, Ignored, Repeated
from edge.remote.originals import KeptOriginals, Transfer, Transfers, Withheld
from edge.remote.outcome import Outcome
from edge.remote.settings_change import SettingsChange

LOG = logging.getLogger("wildpost.remote")
_MOST_WAITING = 100  # messages that arrived and were not looked at: more is a flood
_IDLE_S, _FEEDING_S, _LEAST_S = 30.0, 1.0, 0.1
_RESTART = "restart capture"  # name in the outbox's memory: the command whose restart is under way
_REPORT_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a station can be told to do.

    Attributes:
        status: Returns a report of the station as a JSON text.
        retry: Tries to send what the broker refused.
        restart: Ends all sensors and starts them anew.
        originals: Finds originals.
        settings: Changes settings; None: they cannot be changed.
    """

    status: Callable[[], str]
    retry: Callable[[], object]
    restart: Callable[[], object]
    originals: KeptOriginals
    settings: SettingsChange | None = None


class RemoteControl:
    """Thread that acts on envelopes from the server."""

    def __init__(
        self,
        station: str,
        prefix: str,
        root_key: str,
        key: Ed25519PrivateKey,
        outbox: Outbox,
        abilities: Abilities,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clocks: Callable[[datetime], Reading] = read_clocks,
    ) -> None:
        """Create the thread without starting it.

        Args:
            station: Name of the station.
            prefix: First levels of every topic.
            root_key: Public key of the root of commands.
            key: The station's own key, which signs its answers.
            outbox: Remembers serials, and takes the answers.
            abilities: What it can do.
            now: The system clock.
            clocks: Reads the clocks that say whether the date is known.
        """
        self._station, self._prefix, self._key, self._outbox = station, prefix, key, outbox
        self._public = public_text(key.public_key().public_bytes_raw())
        self._abilities, self._now, self._clocks = abilities, now, clocks
        self._acceptance = Acceptance(station, root_key, outbox.remembered)
        self._transfers = Transfers(station, topic_of(prefix, station, "part"), outbox)
        self._arrived: queue.Queue[tuple[Channel, bytes, bool]] = queue.Queue(_MOST_WAITING)
        self._deferred: dict[Channel, bytes] = {}
        self._reported_s: float | None = None
        self._thread = SupervisedThread("remote", self._step)

    @property
    def settings_values(self) -> str:
        """Values in force of all settings that can be changed remotely, as JSON; "{}" if none can."""
        return self._abilities.settings.values if self._abilities.settings else "{}"

    def start(self) -> None:
        """Finish what an earlier run of the station began, and start to act on envelopes."""
        if text := self._outbox.remembered(_RESTART):
            nonce, serial = text.split()
            answer = self.answer(int(serial), nonce, "restart-capture", "done", "the sensors were started anew")
            self._outbox.commit([answer], memory={_RESTART: ""})
        if settings := self._abilities.settings:
            self._report_settings(settings)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the envelope in progress."""
        self._thread.stop()

    def deliver(self, channel: Channel, data: bytes, retained: bool) -> None:
        """Take an envelope that arrived, for the thread; ``retained``: it is a copy that the broker keeps."""
        try:
            self._arrived.put_nowait((channel, data, retained))
        except queue.Full:
            LOG.error("%d messages of the server wait already; one is dropped, and comes again", _MOST_WAITING)
        self._thread.wake()

    def answer(
        self, serial: int, nonce: str, kind: CommandKind, state: AnswerState, detail: str = "", result: str = ""
    ) -> OutboxMessage:
        """Return a signed answer for the outbox."""
        answer = Answer(
            station=self._station,
            serial=serial,
            nonce=nonce,
            kind=kind,
            state=state,
            at=self._now(),
            key=self._public,
            detail=detail[:2000],
            result=result,
        )
        payload = signed_payload(encode(answer), self._key.sign)
        return OutboxMessage(topic_of(self._prefix, self._station, "answer"), payload, priority=2)

    def run_once(self) -> float:
        """Act on all envelopes that have arrived and can be judged; return the seconds until the next look."""
        again = [(channel, data, False) for channel, data in self._deferred.items()]
        self._deferred.clear()
        for arrived in (*again, *self._new()):
            self._receive(*arrived)
        more = self._transfers.feed(lambda lost, why: self.answer(lost.serial, lost.nonce, "media", "gone", why))
        settings = self._abilities.settings
        if settings and settings.decide():
            self._report_settings(settings)
        left_s = settings.remaining_s if settings else None
        return min(_FEEDING_S if more else _IDLE_S, _IDLE_S if left_s is None else max(left_s, _LEAST_S))

    def _step(self) -> float:
        return self.run_once()

    def _new(self) -> Sequence[tuple[Channel, bytes, bool]]:
        return [self._arrived.get_nowait() for _ in range(self._arrived.qsize())]

    def _receive(self, channel: Channel, data: bytes, retained: bool) -> None:
        try:
            accepted = self._acceptance.check(channel, data, self._clocks(self._now()))
        except Ignored as reason:
            self._report(f"a message on {channel} is ignored: {reason}")
        except Repeated:
            if not retained and (last := self._outbox.remembered(_last_answer(channel))):
                topic = topic_of(self._prefix, self._station, "answer")
                self._outbox.commit([OutboxMessage(topic, last.encode(), priority=2)])
        except Deferred as reason:
            LOG.info("waiting for the date: %s", reason)
            self._deferred[channel] = data
        else:
            self._act(channel, accepted)

    def _act(self, channel: Channel, accepted: Accepted) -> None:
        envelope = accepted.envelope
        outcome = Outcome("refused", accepted.refusal) if accepted.refusal else self._outcome(envelope)
        kind: CommandKind = next((one for one in KINDS_OF_COMMANDS if one == envelope.kind), "status")
        answer = self.answer(envelope.serial, envelope.nonce, kind, outcome.state, outcome.detail, outcome.result)
        memory = {**accepted.memory, **outcome.memory, _last_answer(channel): answer.payload.decode()}
        self._outbox.commit([answer], memory=memory)
        LOG.info("%s %d of the server: %s %s", envelope.kind, envelope.serial, outcome.state, outcome.detail)
        outcome.then()

    def _outcome(self, envelope: Envelope) -> Outcome:
        try:
            if envelope.kind == "media":
                return self._media(envelope, msgspec.json.decode(envelope.payload, type=MediaRequest))
            if envelope.kind == "settings":
                settings = self._abilities.settings
                return settings.change(envelope) if settings else Outcome("refused", "this station takes no settings")
            msgspec.json.decode(envelope.payload, type=NoPayload)
        except msgspec.MsgspecError as error:
            return Outcome("refused", f"payload of {envelope.kind}: {error}")
        if envelope.kind == "status":
            return Outcome("done", result=self._abilities.status())
        if envelope.kind == "retry":
            return Outcome("done", then=self._abilities.retry)
        memory = {_RESTART: f"{envelope.nonce} {envelope.serial}"}
        return Outcome("accepted", "the sensors are started anew", memory=memory, then=self._abilities.restart)

    def _media(self, envelope: Envelope, request: MediaRequest) -> Outcome:
        if self._transfers.is_full:
            return Outcome("refused", "too many originals are on their way; ask again later")
        try:
            path = self._abilities.originals.find(request)
        except Withheld as reason:
            return Outcome("refused", str(reason))
        if path is None:
            return Outcome("gone", f"{request.name}: the station does not have it any more")
        transfer = Transfer(envelope.nonce, envelope.serial, request, str(path))
        return Outcome(
            "accepted",
            memory=self._transfers.with_new(transfer),
            then=lambda: self._transfers.began(transfer),
        )

    def _report_settings(self, settings: SettingsChange) -> None:
        """Report the result of a trial if there is one, and the values in force."""
        verdict = settings.verdict
        if verdict is None:
            answer = self.answer(settings.serial, "", "settings", "reported", result=settings.values)
        else:
            answer = self.answer(
                verdict.serial, verdict.nonce, "settings", verdict.state, verdict.detail, settings.values
            )
        self._outbox.commit([answer])
        settings.reported()

    def _report(self, problem: str) -> None:
        """Log an ignored message, and report it to the server at most once an hour: it may be an attack."""
        LOG.error("%s", problem)
        up_s = self._clocks(self._now()).up_s
        if self._reported_s is not None and up_s - self._reported_s < _REPORT_EVERY_S:
            return
        self._reported_s = up_s
        report = SetAside(
            report_id=new_event_id(),
            station=self._station,
            sensor="remote",
            at=self._now(),
            name="command",
            reason=problem[:2000],
            size=0,
        )
        self._outbox.commit([OutboxMessage(topic_of(self._prefix, self._station, "setaside"), encode(report), 2)])


def _last_answer(channel: Channel) -> str:
    return f"answer {channel}"
