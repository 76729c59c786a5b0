"""Repository of the chains of the stations' events: which events are missing, and which were altered."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_

from casebook.chain_runs import MOST_RUNS, Linked, Run, gaps, with_event
from casebook.incidents.database import Database
from casebook.portions import portions
from casebook.tables import chain_fault, chain_run

MISSING_AFTER = timedelta(hours=24)  # a backlog of a week is sent within hours, its urgent events first
MOST_FAULTS = 1000  # of one station and kind

Fault = Literal["altered", "forked"]
ChainKey = tuple[str, str, str]  # station, chain, public key
_KEY = ("station", "chain", "public_key")  # columns


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An event with its place in the chain of its station.

    Attributes:
        station: Name of the station.
        event_id: Id of the event.
        chain: Id of the chain.
        key: Public key of the station.
        linked: Its place in the chain.
        valid: Whether its signature is valid.
    """

    station: str
    event_id: str
    chain: str
    key: str
    linked: Linked
    valid: bool


@dataclass(frozen=True, slots=True)
class ChainState:
    """What the chain of a station's events shows.

    Attributes:
        events: Number of events with a place in the chain.
        missing: Number of events that did not arrive although later ones did, ``MISSING_AFTER`` ago.
        altered: Number of events whose signature is not valid.
        forked: Number of events that contradict their neighbours in the chain.
        keys: Number of keys with which the station has signed; more than one: its key was replaced.
    """

    events: int
    missing: int
    altered: int
    forked: int
    keys: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is missing or altered."""
        return not (self.missing or self.altered or self.forked) and self.keys <= 1


class EventChains:
    """Repository of the chains in the casebook's database; several processes may use it."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def record(self, events: Sequence[ChainedEvent]) -> None:
        """Record the places of received events; recording one again changes nothing.

        Raises:
            StoreUnavailable: the database did not answer or rejected a statement.
        """
        by_chain: dict[ChainKey, list[ChainedEvent]] = defaultdict(list)
        faults: list[tuple[ChainedEvent, Fault]] = [(event, "altered") for event in events if not event.valid]
        for event in events:
            if event.valid:
                by_chain[event.station, event.chain, event.key].append(event)
        with self._database.exclusive() as connection:
            faults += [(event, "forked") for event in _extend(connection, by_chain)]
            for event, kind in faults:
                self._add_fault(connection, event, kind)

    def states(self, now: datetime) -> dict[str, ChainState]:
        """Return the state of each station that has ever sent an event with a place in a chain.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        with self._database.begin() as connection:
            rows = connection.execute(select(chain_run).order_by(chain_run.c.first)).mappings().all()
            counts = select(chain_fault.c.station, chain_fault.c.kind, func.count()).group_by(
                chain_fault.c.station, chain_fault.c.kind
            )
            faults = {(station, kind): int(count) for station, kind, count in connection.execute(counts)}
        runs: dict[str, dict[tuple[str, str], list[Run]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            runs[row["station"]][row["chain"], row["public_key"]].append(_run(row))
        stations = {*runs, *(station for station, _ in faults)}
        return {station: _state(station, runs[station], faults, now) for station in sorted(stations)}

    def _add_fault(self, connection: Connection, event: ChainedEvent, kind: Fault) -> None:
        where = (chain_fault.c.station == event.station, chain_fault.c.kind == kind)
        known = connection.execute(select(func.count()).select_from(chain_fault).where(*where)).scalar_one()
        if known < MOST_FAULTS:
            row = {"station": event.station, "kind": kind, "event_id": event.event_id, "at": event.linked.at}
            self._database.add(connection, chain_fault, [row])


def _extend(connection: Connection, events: Mapping[ChainKey, Sequence[ChainedEvent]]) -> list[ChainedEvent]:
    """Add events to the runs of their chains, and return those that contradict their neighbours."""
    known = _read_runs(connection, events)
    added: dict[str, int] = defaultdict(int)  # runs by station
    gone: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    forked: list[ChainedEvent] = []
    for key, members in sorted(events.items()):
        before, station = known[key], key[0]
        if not before and _count_runs(connection, station) + added[station] >= MOST_RUNS:
            continue  # a station that begins a new chain with every event
        runs: Sequence[Run] = before
        for event in sorted(members, key=lambda one: one.linked.number):
            runs, fork = with_event(runs, event.linked)
            if fork:
                forked.append(event)
        added[station] += len(runs) - len(before)
        names = dict(zip(_KEY, key, strict=True))
        gone += [
            {f"old_{name}": value for name, value in (names | {"first": run.first}).items()}
            for run in set(before) - set(runs)
        ]
        new += [names | asdict(run) for run in set(runs) - set(before)]
    if gone:
        same = [chain_run.c[name] == bindparam(f"old_{name}") for name in (*_KEY, "first")]
        connection.execute(delete(chain_run).where(*same), gone)
    if new:
        connection.execute(insert(chain_run), new)
    return forked


def _read_runs(connection: Connection, keys: Iterable[ChainKey]) -> dict[ChainKey, list[Run]]:
    found: dict[ChainKey, list[Run]] = defaultdict(list)
    columns = [chain_run.c[name] for name in _KEY]
    for some in portions(keys):
        query = select(chain_run).where(tuple_(*columns).in_(some)).order_by(chain_run.c.first)
        for row in connection.execute(query).mappings():
            found[row["station"], row["chain"], row["public_key"]].append(_run(row))
    return found


def _count_runs(connection: Connection, station: str) -> int:
    query = select(func.count()).select_from(chain_run).where(chain_run.c.station == station)
    return int(connection.execute(query).scalar_one())


def _run(row: Any) -> Run:
    return Run(row["first"], row["last"], row["previous"], row["digest"], row["since"])


def _state(
    station: str, chains: dict[tuple[str, str], list[Run]], faults: dict[tuple[str, str], int], now: datetime
) -> ChainState:
    missing = [gap for runs in chains.values() for gap in gaps(runs, now - MISSING_AFTER)]
    return ChainState(
        events=sum(run.last - run.first + 1 for runs in chains.values() for run in runs),
        missing=sum(last - first + 1 for first, last in missing),
        altered=faults.get((station, "altered"), 0),
        forked=faults.get((station, "forked"), 0),
        keys=len({key for _, key in chains}),
    )
