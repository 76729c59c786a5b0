"""A server's settings file."""

import msgspec

from casebook.engine import CasebookOptions
from casebook.incidents.occurrence import IncidentOptions
from ingest.media.s3 import MediaOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.rules.rule_set import RulesOptions
from review.options import ReviewOptions
from wildpost.server.alerting import AlertsOptions
from wildpost.server.stores import StoreOptions


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
        first: Whether this machine receives the stations' status, watches for silent stations and hands over verdicts
            that the store did not accept at once; exactly one machine does.
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
