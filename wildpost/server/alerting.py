"""Creates and starts the parts of a server that detect incidents and deliver alerts."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from casebook.casebook import Casebook
from casebook.cases.deadlines import CaseOptions
from casebook.cases.reminders import CaseReminders
from casebook.cases.repository import Cases
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.alert_queue import AlertQueue, abandon_unknown_notifiers
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract.bounds import Text
from contract.supervision import Supervisor
from i18n.known_labels import KnownLabels
from i18n.language import Language
from ingest.alerts.apprise_notifier import AppriseNotifier, AppriseOptions, NotConfigured
from ingest.alerts.dispatcher import Dispatcher, RetryOptions
from ingest.alerts.message_writer import AlertMessageWriter
from ingest.alerts.mqtt_notifier import MqttAlertOptions, MqttNotifier
from ingest.alerts.port import Notifier
from ingest.case_reminder_loop import CaseReminderLoop
from ingest.drawing.drawings import Drawings
from ingest.drawing.processes import DrawingLimits, DrawingProcesses
from ingest.integrations.home_assistant import HomeAssistant, HomeAssistantOptions
from ingest.media.port import MediaStore
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.store.port import Store

DRAWN = "drawn"  # in the data folder: pictures that were drawn from media; it may be deleted at any time


class AlertsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of alerts about incidents.

    Attributes:
        address: URL of the pages for links in alerts, such as https://reserve.example/; "": no links.
        policy: Which incidents cause an alert.
        apprise: Notifiers of the Apprise library, one Apprise URL each.
        mqtt: Alerts on a topic of the stations' broker.
        retry: Retries of failed deliveries.
        home_assistant: Stations as devices in Home Assistant.
        labels: Further labels of detectors that alerts may show, beside the taxa table, the rules and the table of
            protection levels; any other label is shown as "other".
    """

    address: str = ""
    policy: AlertPolicy = AlertPolicy()
    apprise: tuple[AppriseOptions, ...] = ()
    mqtt: MqttAlertOptions = MqttAlertOptions()
    retry: RetryOptions = RetryOptions()
    home_assistant: HomeAssistantOptions = HomeAssistantOptions()
    labels: tuple[Text, ...] = ()


def create_notifiers(options: AlertsOptions, broker: ReceiverOptions) -> list[Notifier]:
    """Create all notifiers that the settings of alerts configure.

    Raises:
        NotConfigured: the settings of a notifier are not usable, or two notifiers share a name.
    """
    notifiers: list[Notifier] = [AppriseNotifier(one) for one in options.apprise]
    if options.mqtt.enabled:
        notifiers.append(MqttNotifier(options.mqtt, broker))
    names = [notifier.name for notifier in notifiers]
    if len(set(names)) != len(names):
        raise NotConfigured(f"notifiers share a name: {sorted(names)}")
    return notifiers


@dataclass(frozen=True)
class RunningAlerts:
    """Incident service and alert delivery of a running server."""

    incident_service: IncidentService
    reader: IncidentReader
    dispatchers: tuple[Dispatcher, ...]
    home_assistant: HomeAssistant | None = None
    case_reminders: CaseReminderLoop | None = None

    @property
    def problem(self) -> str:
        """Description of what currently prevents the delivery of alerts; "" if nothing does."""
        parts = (*self.dispatchers, self.home_assistant, self.case_reminders)
        return "; ".join(part.problem for part in parts if part and part.problem)


@contextlib.contextmanager
def run_alerts(
    options: AlertsOptions,
    incidents: IncidentOptions,
    rules_options: RulesOptions,
    broker: ReceiverOptions,
    rules: RuleSet,
    store: Store,
    casebook: Casebook,
    media: MediaStore,
    languages: Mapping[str, Language],
    drawn: Path,
    primary: bool = True,
    supervisor: Supervisor | None = None,
    case_options: CaseOptions | None = None,
) -> Iterator[RunningAlerts]:
    """Create the incident service and deliver alerts until the context ends.

    All workers of a group deliver alerts, each alert once; only the ``primary`` one publishes stations to Home
    Assistant and checks the deadlines of cases.

    Raises:
        NotConfigured: the settings of a notifier are not usable.
        StoreUnavailable: the casebook does not answer.
    """
    database = Database(casebook.engine)
    notifiers = create_notifiers(options, broker)
    names = [notifier.name for notifier in notifiers]
    reader = IncidentReader(database)
    cases = Cases(database, case_options)
    drawings = Drawings(drawn, DrawingProcesses(1, DrawingLimits(cpu_s=5, patience_s=15)))  # pages delay no alert
    labels = KnownLabels([*options.labels, *rules.known_labels, *incidents.corroboration.labels])
    writer = AlertMessageWriter(
        reader,
        store,
        media,
        drawings,
        languages,
        options.address,
        lambda: datetime.now(UTC),
        labels,
        options.policy.station_alerts_per_hour,
        cases,
    )
    dispatchers = tuple(
        Dispatcher(AlertQueue(database, notifier.name), notifier, writer.write, options.retry, supervisor=supervisor)
        for notifier in notifiers
    )
    abandon_unknown_notifiers(database, names, datetime.now(UTC))

    def wake(alerts: Sequence[Alert]) -> None:
        for dispatcher in dispatchers:
            dispatcher.wake()

    incident_service = IncidentService(
        rules,
        store,
        IncidentRepository(database, incidents, options.policy, names),
        ShotRepository(database, incidents.corroboration),
        StationWatch(database, rules_options.station, incidents),
        incidents,
        wake,
        supervisor,
        labels.kind,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(drawings.close)
        for dispatcher in dispatchers:
            dispatcher.start()
            stack.callback(dispatcher.stop)
        home_assistant = (
            HomeAssistant(options.home_assistant, broker, store, supervisor, labels)
            if primary and options.home_assistant.enabled
            else None
        )
        if home_assistant:
            home_assistant.start()
            stack.callback(home_assistant.stop)
        remind = CaseReminders(database, cases, names).remind
        case_reminders = CaseReminderLoop(remind, wake, supervisor=supervisor) if primary else None
        if case_reminders:
            case_reminders.start()
            stack.callback(case_reminders.stop)
        yield RunningAlerts(incident_service, reader, dispatchers, home_assistant, case_reminders)
