"""Structs for the settings file of a server."""

import ipaddress
from typing import Annotated

import msgspec

from casebook.cases.deadlines import CaseOptions
from casebook.engine import CasebookOptions
from casebook.incidents.occurrence import IncidentOptions
from ingest.budgets.options import BudgetOptions
from ingest.media.s3 import MediaOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.rules.rule_set import RulesOptions
from review.options import ReviewOptions
from wildpost.server.alerting import AlertsOptions
from wildpost.server.stores import StoreOptions


class WebOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Host and port of the review pages.

    Attributes:
        host: Address to listen on. Other than a loopback address, it needs accounts, and a proxy with TLS.
        port: Port to listen on; 0: any free port.
        proxies: Addresses of reverse proxies on this machine whose X-Forwarded-For and X-Forwarded-Proto headers are
            believed; empty: such headers are ignored.
    """

    host: str = "127.0.0.1"
    port: int = 8420
    proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for proxy in self.proxies:
            ipaddress.ip_address(proxy)  # a ValueError names the address


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `wildpost ingest`.

    Attributes:
        group: Name of the shared subscription; all workers with this name, on any machine, share the messages. "": no
            shared subscription.
        first: Whether this machine receives the stations' status, watches for silent stations and writes pending
            verdicts to the store; true on exactly one machine.
        host: Address of /metrics and /healthz.
        port: Port of /metrics and /healthz; 0: any free port.
    """

    group: str = ""
    first: bool = True
    host: str = "127.0.0.1"
    port: int = 8421


class BackupOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `wildpost backup`.

    Attributes:
        recipients: Public keys that backups are encrypted for; `wildpost backup-keygen` prints one.
    """

    recipients: tuple[Annotated[str, msgspec.Meta(pattern=r"\Aage1[0-9a-z]{58}\Z")], ...] = ()


class CommandOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of what the server tells stations.

    Attributes:
        signing_key: File of the signing key that `wildpost commands keygen` wrote; relative to the settings file; "":
            the server tells stations nothing.
    """

    signing_key: str = ""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a server; configs/server.toml is a commented example."""

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
    cases: CaseOptions = CaseOptions()
    backup: BackupOptions = BackupOptions()
    budgets: BudgetOptions = BudgetOptions()
    commands: CommandOptions = CommandOptions()
