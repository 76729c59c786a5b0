"""Puts together what watches for incidents and tells people of them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from casebook.casebook import Casebook
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.alert_queue import AlertQueue, abandon_unknown_notifiers
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from i18n.language import Language
from ingest.alerts.apprise_notifier import AppriseNotifier, AppriseOptions, NotConfigured
from ingest.alerts.dispatcher import Dispatcher, RetryOptions
from ingest.alerts.message_writer import AlertMessageWriter
from ingest.alerts.mqtt_notifier import MqttAlertOptions, MqttNotifier
from ingest.alerts.port import Notifier
from ingest.integrations.home_assistant import HomeAssistant, HomeAssistantOptions
from ingest.media.port import MediaStore
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.store.port import Store


class AlertsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told of incidents, and how.

    Attributes:
        address: Where the pages are reached by those who are told, such as https://reserve.example/; "": no links.
        policy: What is worth an alert.
        apprise: Ways that Apprise knows, one Apprise URL each.
        mqtt: A topic of the stations' broker.
        retry: How long to try.
        home_assistant: Stations as devices of Home Assistant.
    """

    address: str = ""
    policy: AlertPolicy = AlertPolicy()
    apprise: tuple[AppriseOptions, ...] = ()
    mqtt: MqttAlertOptions = MqttAlertOptions()
    retry: RetryOptions = RetryOptions()
    home_assistant: HomeAssistantOptions = HomeAssistantOptions()


def notifiers(options: AlertsOptions, broker: ReceiverOptions) -> list[Notifier]:
    """Make every way of telling people that is set up.

    Raises:
        NotConfigured: one cannot be used, or two share a name.
    """
    made: list[Notifier] = [AppriseNotifier(one) for one in options.apprise]
    if options.mqtt.enabled:
        made.append(MqttNotifier(options.mqtt, broker))
    names = [one.name for one in made]
    if len(set(names)) != len(names):
        raise NotConfigured(f"ways of telling people share a name: {sorted(names)}")
    return made


@dataclass(frozen=True)
class Alerting:
    """What is running: where incidents are made, and who carries alerts out."""

    desk: IncidentService
    reader: IncidentReader
    dispatchers: tuple[Dispatcher, ...]
    home: HomeAssistant | None = None

    @property
    def problem(self) -> str:
        """What keeps people from being told right now, in words; "": nothing."""
        tellers = (*self.dispatchers, *((self.home,) if self.home else ()))
        return "; ".join(one.problem for one in tellers if one.problem)


@contextlib.contextmanager
def alerting(
    options: AlertsOptions,
    incidents: IncidentOptions,
    rules_options: RulesOptions,
    broker: ReceiverOptions,
    rules: RuleSet,
    store: Store,
    casebook: Casebook,
    media: MediaStore,
    languages: Mapping[str, Language],
    speaks: bool = True,
) -> Iterator[Alerting]:
    """Open the desk where incidents are made, and carry alerts out until the end.

    Of several workers one ``speaks`` for the stations to Home Assistant; all of them carry alerts out, each alert once.

    Raises:
        NotConfigured: a way of telling people cannot be used.
        StoreUnavailable: the casebook does not answer.
    """
    database = Database(casebook.engine)
    ways = notifiers(options, broker)
    reader = IncidentReader(database)
    writer = AlertMessageWriter(reader, store, media, languages, options.address, lambda: datetime.now(UTC))
    dispatchers = tuple(Dispatcher(AlertQueue(database, way.name), way, writer.write, options.retry) for way in ways)
    abandon_unknown_notifiers(database, [way.name for way in ways], datetime.now(UTC))

    def wake(alerts: Sequence[Alert]) -> None:
        for dispatcher in dispatchers:
            dispatcher.wake()

    desk = IncidentService(
        rules,
        store,
        IncidentRepository(database, incidents, options.policy, [way.name for way in ways]),
        ShotRepository(database, incidents.corroboration),
        StationWatch(database, rules_options.station, incidents),
        incidents,
        wake,
    )
    with contextlib.ExitStack() as stack:
        for dispatcher in dispatchers:
            dispatcher.start()
            stack.callback(dispatcher.stop)
        home = (
            HomeAssistant(options.home_assistant, broker, store) if speaks and options.home_assistant.enabled else None
        )
        if home:
            home.start()
            stack.callback(home.stop)
        yield Alerting(desk, reader, dispatchers, home)
