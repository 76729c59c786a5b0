"""Opens the databases of a server and connects them to ingest, alerts and background tasks.

The order of opening and closing ensures that no acknowledged message is lost.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

from casebook.casebook import Casebook
from casebook.clock_shifts import ClockShifts
from casebook.incidents.database import Database
from contract.redaction import Redaction
from contract.supervision import Supervisor
from i18n.language import load_languages
from ingest.clock_shift_sync import ClockShiftSync
from ingest.media.port import MediaStore
from ingest.receive.mqtt.session_check import check_session
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.remote.sender import CommandSender
from ingest.rules.rule_set import RuleSet, load_rules
from ingest.rules.zones import Zone
from ingest.service import IngestService, IngestState
from ingest.station_watch_loop import StationWatchLoop
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Store
from ingest.verdict_sync import VerdictSync
from wildpost.backup.snapshot_server import serve_snapshots
from wildpost.server.alerting import DRAWN, RunningAlerts, run_alerts
from wildpost.server.command_sending import command_sender
from wildpost.server.stores import open_media, open_store
from wildpost.settings.installation import identified
from wildpost.settings.secret_values import redaction_of
from wildpost.settings.server import ServerSettings

IMPORTS = "imports"  # in the data folder: bundles of USB sticks to import
SPOOL = "spool"  # in the data folder: acknowledged messages of stations over their budget, one folder for each process


@dataclass(frozen=True)
class RunningServer:
    """Databases, ingest, alerts and background tasks of a running server, without the review pages."""

    store: Store
    casebook: Casebook
    media: MediaStore
    ingest: IngestService
    alerts: RunningAlerts
    verdict_sync: VerdictSync | None
    station_watch: StationWatchLoop | None
    supervisor: Supervisor
    redact: Redaction
    command_sender: CommandSender | None = None
    zones: Sequence[Zone] = ()

    def state(self) -> IngestState:
        """Return the state of ingest, with the problems of alerts, stores and background tasks added to ``problem``."""
        state = self.ingest.state()
        problems = (
            state.problem,
            self.alerts.problem,
            self.store.problem,
            self.verdict_sync.problem if self.verdict_sync else "",
            self.station_watch.problem if self.station_watch else "",
            self.command_sender.problem if self.command_sender else "",
        )
        return replace(state, problem=self.redact("; ".join(filter(None, problems))))

    def problem(self) -> str:
        """Return a description of what currently impairs the server; "" if nothing does."""
        return self.redact(self.ingest.stuck) or self.state().problem

    def wake_verdict_sync(self) -> None:
        """Wake the thread that writes pending verdicts to the detection store."""
        if self.verdict_sync:
            self.verdict_sync.wake()


@dataclass(frozen=True)
class OpenDatabases:
    """Databases, media store, flag rules and alerts that a server or a bundle import uses."""

    store: Store
    casebook: Casebook
    media: MediaStore
    rules: RuleSet
    alerts: RunningAlerts


@contextlib.contextmanager
def open_databases(
    settings: ServerSettings,
    folder: Path,
    settings_folder: Path,
    primary: bool,
    supervisor: Supervisor | None = None,
) -> Iterator[OpenDatabases]:
    """Open the databases, load the flag rules and deliver alerts until the context ends.

    Args:
        settings: The server's settings.
        folder: The data folder.
        settings_folder: The folder that paths in the settings are relative to.
        primary: Whether this process publishes to Home Assistant.
        supervisor: Register of the failures of all threads of the process.

    Raises:
        StoreUnavailable: a database cannot be opened.
        NotConfigured: the settings of a notifier are not usable.
    """
    rules = load_rules(settings.rules, settings_folder)
    with contextlib.ExitStack() as stack:
        store = open_store(settings.store, folder)
        stack.callback(store.close)
        casebook = Casebook(settings.casebook.url_in(folder))
        stack.callback(casebook.close)
        media = open_media(settings.media, folder)
        alerts = stack.enter_context(
            run_alerts(
                settings.alerts,
                settings.incidents,
                settings.rules,
                settings.broker,
                rules,
                store,
                casebook,
                media,
                load_languages(ZoneInfo(settings.review.time_zone)),
                folder / DRAWN,
                primary=primary,
                supervisor=supervisor,
                case_options=settings.cases,
            )
        )
        yield OpenDatabases(store, casebook, media, rules, alerts)


@contextlib.contextmanager
def run_server(
    settings: ServerSettings,
    folder: Path,
    settings_folder: Path,
    share: SharedSubscription | None = None,
    primary: bool = True,
) -> Iterator[RunningServer]:
    """Open the databases, load the flag rules and receive messages until the context ends.

    Args:
        settings: The server's settings.
        folder: The data folder.
        settings_folder: The folder that paths in the settings are relative to.
        share: The shared subscription of a worker in a group; None: no group.
        primary: Whether this process watches for silent stations, writes pending verdicts to the store, publishes to
            Home Assistant and imports bundles.

    Raises:
        StoreUnavailable: a database cannot be opened.
        NotConfigured: the settings of a notifier are not usable.
        SessionInUse: another server uses the session of this one at the broker.
        BrokerRefused: the broker refused the connection.
    """
    settings = identified(settings, folder)
    with contextlib.ExitStack() as stack:
        supervisor = Supervisor()
        opened = stack.enter_context(open_databases(settings, folder, settings_folder, primary, supervisor))
        store, casebook, media, alerts = opened.store, opened.casebook, opened.media, opened.alerts
        imports = folder / IMPORTS if primary else None
        ingest = IngestService(
            store,
            casebook,
            media,
            opened.rules,
            settings.broker,
            alerts.incident_service,
            share,
            imports,
            supervisor,
            folder,
            settings.budgets,
            folder / SPOOL / quote(settings.broker.client_id, safe=""),
        )
        stack.callback(ingest.stop)
        check_session(settings.broker)
        ingest.start()
        if isinstance(store, DuckDbStore):
            stack.enter_context(serve_snapshots(folder, store, ingest.paused, supervisor))
        station_watch = (
            StationWatchLoop(alerts.incident_service.check_stations, lambda: ingest.connected, supervisor=supervisor)
            if primary
            else None
        )
        if station_watch:
            stack.callback(station_watch.stop)
            station_watch.start()
        verdict_sync = VerdictSync(casebook, store, supervisor=supervisor) if primary else None
        if verdict_sync:
            verdict_sync.start()
            stack.callback(verdict_sync.stop)
        if primary and isinstance(store, DuckDbStore):
            shifts = ClockShiftSync(ClockShifts(Database(casebook.engine)).in_force, store, supervisor=supervisor)
            stack.callback(shifts.stop)
            shifts.start()
        sender = command_sender(settings, settings_folder, casebook, supervisor) if primary else None
        if sender:
            stack.callback(sender.stop)
            sender.start()
        redact = redaction_of(settings)
        yield RunningServer(
            store,
            casebook,
            media,
            ingest,
            alerts,
            verdict_sync,
            station_watch,
            supervisor,
            redact,
            sender,
            opened.rules.zones,
        )
