"""Everything between the broker and the databases, opened and closed in the order in which nothing is lost."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from ingest.casebook import Casebook
from ingest.casebook_engine import CasebookOptions
from ingest.incidents.happening import IncidentOptions
from ingest.incidents.watch_loop import WatchLoop
from ingest.media.port import MediaStore
from ingest.media.s3 import MediaOptions
from ingest.receiver import ReceiverOptions
from ingest.rules import RulesOptions, load_rules
from ingest.serving import Serving, ServingState
from ingest.share import Share
from ingest.store.duckdb import DuckDbStore
from ingest.store.port import Store
from ingest.verdict_sync import VerdictSync
from review.language import load_languages
from review.options import ReviewOptions
from wildpost.alerting import Alerting, AlertsOptions, alerting
from wildpost.backup_door import open_door
from wildpost.stores import StoreOptions, open_media, open_store


class WebOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pages are.

    Attributes:
        host: An address of this machine alone, since there is no sign-in yet.
        port: To listen on; 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 8420


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `wildpost ingest` receives without pages.

    Attributes:
        group: Workers of one group share the messages, on however many machines; "": one works alone.
        first: Whether this machine hears the stations' status, watches for silent ones and hands over verdicts that the
            store did not take at once; one machine does.
        host: Where /metrics and /healthz are.
        port: And on which port; 0 takes a free one.
    """

    group: str = ""
    first: bool = True
    host: str = "127.0.0.1"
    port: int = 8421


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a server is told; configs/server.toml is an example with comments."""

    broker: ReceiverOptions = ReceiverOptions()
    store: StoreOptions = StoreOptions()
    casebook: CasebookOptions = CasebookOptions()
    media: MediaOptions = MediaOptions()
    web: WebOptions = WebOptions()
    ingest: IngestOptions = IngestOptions()
    review: ReviewOptions = ReviewOptions()
    rules: RulesOptions = RulesOptions()
    incidents: IncidentOptions = IncidentOptions()
    alerts: AlertsOptions = AlertsOptions()


@dataclass(frozen=True)
class Receiving:
    """What is open and running."""

    store: Store
    casebook: Casebook
    media: MediaStore
    serving: Serving
    told: Alerting
    verdict_sync: VerdictSync | None

    def state(self) -> ServingState:
        """Tell how the intake fares, and whether people are told and verdicts counted."""
        state = self.serving.state()
        problems = (
            state.problem,
            self.told.problem,
            self.store.problem,
            self.verdict_sync.problem if self.verdict_sync else "",
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
def receiving(
    settings: ServerSettings, folder: Path, rules_beside: Path, share: Share | None = None, watches: bool = True
) -> Iterator[Receiving]:
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
        serving = Serving(store, casebook, media, rules, settings.broker, told.desk, share)
        stack.callback(serving.stop)
        serving.start()
        if isinstance(store, DuckDbStore):
            stack.enter_context(open_door(folder, store, serving.still))
        if watches:
            watch = WatchLoop(told.desk.look, lambda: serving.connected)
            stack.callback(watch.stop)
            watch.start()
        verdict_sync = VerdictSync(casebook, store) if watches else None
        if verdict_sync:
            verdict_sync.start()
            stack.callback(verdict_sync.stop)
        yield Receiving(store, casebook, media, serving, told, verdict_sync)
