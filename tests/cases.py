"""Captures and cases for tests: messages as a station signs them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from casebook.cases.case_file import CaseFile, HeldEvent
from casebook.cases.entry import Change
from casebook.cases.repository import Cases
from contract import Event, encode, new_event_id, topic_of
from contract.deployment import Deployment
from contract.examples import EVENT
from contract.messages import Media
from contract.signing_key import open_key
from edge.event_chain import EventChain
from edge.outbox.outbox import Outbox, OutboxMessage

NOW = datetime(2026, 11, 25, 15, 58, tzinfo=UTC)
HOUR = timedelta(hours=1)


class SigningStation:
    """A station that signs its events and links them into its chain."""

    def __init__(self, folder: Path, name: str = EVENT.station) -> None:
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self._outbox = Outbox(folder / "outbox.sqlite")
        self._chain = EventChain(open_key(folder / "station.key"), self._outbox)

    def signed(self, media: tuple[Media, ...] = (), at: datetime = NOW) -> bytes:
        event: Event = msgspec.structs.replace(
            EVENT, event_id=new_event_id(), station=self.name, media=media, captured_at=at
        )
        with self._chain.linked(event) as (payload, remembered):
            self._outbox.commit([OutboxMessage(topic_of("wildpost", self.name, "event"), payload)], memory=remembered)
        return payload

    def close(self) -> None:
        self._outbox.close()


def deployment(station: str = EVENT.station, **values: object) -> bytes:
    """Return a deployment record as a station sends it."""
    record = Deployment(station=station, deployment=EVENT.deployment, at=NOW, sensors=(), evidence_use="lead")
    return encode(msgspec.structs.replace(record, **values))


def opened_case(cases: Cases, *events: HeldEvent, by: str = "Li Min", at: datetime = NOW) -> CaseFile:
    """Open a case of illegal hunting."""
    change = Change(step="opened", kind="hunting", area="北片", title="青岭禁猎区非法狩猎", text="人携犬进入禁猎区")
    return cases.open(change, events, by, at, at.year)
