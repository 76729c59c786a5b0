"""Everything between the broker and the databases, opened and closed in the order in which nothing is lost."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from casebook.casebook import Casebook
from i18n.language import load_languages
from ingest.media.port import MediaStore
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.rules.rule_set import load_rules
from ingest.service import IngestService, IngestState
from ingest.station_watch_loop import StationWatchLoop
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Store
from ingest.verdict_sync import VerdictSync
from wildpost.backup.snapshot_server import serve_snapshots
from wildpost.server.alerting import Alerting, alerting
from wildpost.server.stores import open_media, open_store
from wildpost.settings.server import ServerSettings


@dataclass(frozen=True)
class RunningServer:
    """What is open and running."""

    store: Store
    casebook: Casebook
    media: MediaStore
    serving: IngestService
    told: Alerting
    verdict_sync: VerdictSync | None
    station_watch: StationWatchLoop | None

    def state(self) -> IngestState:
        """Tell how the intake fares, and whether people are told and verdicts counted."""
        state = self.serving.state()
        problems = (
            state.problem,
            self.told.problem,
            self.store.problem,
            self.verdict_sync.problem if self.verdict_sync else "",
            self.station_watch.problem if self.station_watch else "",
        )
        return replace(state, problem="; ".join(filter(None, problems)))

    def problem(self) -> str:
        """Say in words what keeps the server from working whole right now; "": nothing."""
        return self.serving.stuck or self.state().problem

    def wake_verdict_sync(self) -> None:
        """Have verdicts handed over that the store did not take at once."""
        if self.verdict_sync:
            self.verdict_sync.wake()


@contextlib.contextmanager
def run_server(
    settings: ServerSettings,
    folder: Path,
    rules_beside: Path,
    share: SharedSubscription | None = None,
    watches: bool = True,
) -> Iterator[RunningServer]:
    """Open databases and rules, and receive.

    Args:
        settings: What the server is told.
        folder: The data folder.
        rules_beside: The folder that paths in the settings are relative to.
        share: A worker's part in a group; None: it works alone.
        watches: Whether it watches for stations that are silent, and hands verdicts over to the store.

    Raises:
        StoreUnavailable: a database does not open.
        NotConfigured: a way of telling people cannot be used.
        BrokerRefused: the broker answered and refused us.
    """
    rules = load_rules(settings.rules, rules_beside)
    with contextlib.ExitStack() as stack:
        store = open_store(settings.store, folder)
        stack.callback(store.close)
        casebook = Casebook(settings.casebook.url_in(folder))
        stack.callback(casebook.close)
        media = open_media(settings.media, folder)
        told = stack.enter_context(
            alerting(
                settings.alerts,
                settings.incidents,
                settings.rules,
                settings.broker,
                rules,
                store,
                casebook,
                media,
                load_languages(ZoneInfo(settings.review.time_zone)),
                speaks=watches,
            )
        )
        serving = IngestService(store, casebook, media, rules, settings.broker, told.desk, share)
        stack.callback(serving.stop)
        serving.start()
        if isinstance(store, DuckDbStore):
            stack.enter_context(serve_snapshots(folder, store, serving.paused))
        station_watch = StationWatchLoop(told.desk.check_stations, lambda: serving.connected) if watches else None
        if station_watch:
            stack.callback(station_watch.stop)
            station_watch.start()
        verdict_sync = VerdictSync(casebook, store) if watches else None
        if verdict_sync:
            verdict_sync.start()
            stack.callback(verdict_sync.stop)
        yield RunningServer(store, casebook, media, serving, told, verdict_sync, station_watch)
