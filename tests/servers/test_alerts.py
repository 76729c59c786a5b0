"""People are told by real ways: a webhook, a mail server and a broker that refuse, stall, die and come back."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine

import ingest.alerts.dispatcher as dispatcher_module
from casebook.engine import open_engine
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.alert_queue import AlertQueue, DueAlert, abandon_unknown_notifiers, count_waiting
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import Alert, IncidentRepository
from contract.errors import Undelivered
from contract.supervision import Supervisor
from ingest.alerts.apprise_notifier import AppriseNotifier, AppriseOptions, NotConfigured
from ingest.alerts.dispatcher import Dispatcher, RetryOptions
from ingest.alerts.mqtt_notifier import MqttAlertOptions, MqttNotifier
from ingest.alerts.port import Attachment, AttachmentPending, Message, MessageText, Notifier
from ingest.receive.mqtt.options import ReceiverOptions
from tests.conftest import Mosquitto, free_port
from tests.eventually import eventually
from tests.servers.listeners import Mailbox, Webhook, listening

# Apprise looks whether plugins' own libraries are there; one of those is older than Python's new ways.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)
ALERT = Alert("a1", "0195d0a1-aaaa", "event-1", "first", "human", "ridge-07", "urgent", NOW)
JPEG = b"\xff\xd8 a picture \xff\xd9"
MESSAGE = Message(
    ALERT,
    {
        "zh_CN": MessageText("[紧急] 人 · ridge-07", "夜间发现人"),
        "en": MessageText("[Urgent] person", "person at night"),
    },
    "https://reserve.example/incidents/1",
    {"blurred": Attachment(JPEG, "image/jpeg")},
    {"alert_id": "a1", "kind": "human", "text": {"zh_CN": {"title": "[紧急] 人"}}},
)


@pytest.fixture
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield mailbox, controller.port
    controller.stop()


def by_apprise(monkeypatch: pytest.MonkeyPatch, url: str, **options: Any) -> AppriseNotifier:
    monkeypatch.setenv("ALERT_URL", url)
    return AppriseNotifier(AppriseOptions(name="test", url_variable="ALERT_URL", **options))


def test_a_webhook_is_told_in_chinese_with_link_and_picture(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/").send(MESSAGE)
    (taken,) = webhook.taken
    assert taken["title"] == "[紧急] 人 · ridge-07"
    assert "夜间发现人" in taken["message"]
    assert "https://reserve.example/incidents/1" in taken["message"]
    assert taken["type"] == "failure"
    assert [(one["filename"], one["mimetype"]) for one in taken["attachments"]] == [("0195d0a1.jpg", "image/jpeg")]


def test_a_mail_arrives_in_english_with_its_picture(
    mail_server: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox, port = mail_server
    url = f"mailto://127.0.0.1:{port}/?from=wildpost@reserve.example&to=ranger@reserve.example&mode=insecure"
    by_apprise(monkeypatch, url, language="en").send(MESSAGE)
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[Urgent] person"
    assert "ranger@reserve.example" in mail["To"]
    assert "person at night" in mail.get_body(("plain",)).get_content()
    assert [part.get_content() for part in mail.iter_attachments()] == [JPEG]


def test_a_notifier_without_pictures_sends_none(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/", picture="none").send(MESSAGE)
    assert not webhook.taken[0].get("attachments")


def test_what_is_refused_is_undelivered_and_the_reason_names_no_secret(
    webhook: Webhook, mail_server: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.answer = 503
    with pytest.raises(Undelivered, match="503") as refused:
        by_apprise(monkeypatch, f"json://ranger:hunter22secret@127.0.0.1:{webhook.port}/topsecret").send(MESSAGE)
    assert "hunter22secret" not in str(refused.value)
    mailbox, port = mail_server
    mailbox.refuse = "452 no room"
    with pytest.raises(Undelivered):
        by_apprise(monkeypatch, f"mailto://127.0.0.1:{port}/?from=a@b.example&to=c@d.example&mode=insecure").send(
            MESSAGE
        )
    with pytest.raises(Undelivered):
        by_apprise(monkeypatch, f"json://127.0.0.1:{free_port()}/").send(MESSAGE)


@pytest.mark.parametrize(("url", "told"), [("", "is not set"), ("carrierpigeon://s3cret/x", "scheme 'carrierpigeon'")])
def test_a_way_that_cannot_be_used_is_named_and_its_secret_is_not(
    monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    with pytest.raises(NotConfigured, match=told) as error:
        by_apprise(monkeypatch, url)
    assert "s3cret" not in str(error.value)


def test_a_program_hears_an_alert_on_the_brokers_topic(mosquitto: Mosquitto) -> None:
    notifier = MqttNotifier(MqttAlertOptions(enabled=True), ReceiverOptions(port=mosquitto.port))
    with listening(mosquitto.port, "wildpost/alerts/+") as heard, contextlib.closing(notifier):
        notifier.send(MESSAGE)
        eventually(lambda: heard, "the alert")
    assert heard[0].topic == "wildpost/alerts/urgent"
    assert json.loads(heard[0].payload)["text"]["zh_CN"]["title"] == "[紧急] 人"
    assert not heard[0].retain


def test_a_broker_that_was_away_is_used_when_it_is_back(mosquitto: Mosquitto) -> None:
    notifier = MqttNotifier(MqttAlertOptions(enabled=True), ReceiverOptions(port=mosquitto.port))
    notifier.send(MESSAGE)
    mosquitto.stop()

    def refused() -> bool:
        try:
            notifier.send(MESSAGE)
        except Undelivered:
            return True
        return False

    eventually(refused, "the broker's absence to be noticed")
    mosquitto.start()
    with listening(mosquitto.port, "wildpost/alerts/#") as heard:
        notifier.send(MESSAGE)
        eventually(lambda: heard, "the alert")
    notifier.close()
    notifier.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_refuses_us_is_undelivered(mosquitto_with: Callable[[str], Mosquitto], protocol: Any) -> None:
    broker = mosquitto_with("allow_anonymous false\n")
    notifier = MqttNotifier(MqttAlertOptions(), ReceiverOptions(port=broker.port, protocol=protocol))
    with pytest.raises(Undelivered, match="refuses the connection"):
        notifier.send(MESSAGE)


def test_a_topic_that_is_forbidden_is_undelivered(mosquitto_with: Callable[[str], Mosquitto], tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite other/#\n")
    rights.chmod(0o600)
    broker = mosquitto_with(f"allow_anonymous true\nacl_file {rights}\n")
    notifier = MqttNotifier(MqttAlertOptions(), ReceiverOptions(port=broker.port))
    with pytest.raises(Undelivered, match="refuses wildpost/alerts/urgent"):
        notifier.send(MESSAGE)
    notifier.close()


class Kept:
    """A casebook on disk with alerts in it, opened again as a restarted server does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engines: list[Engine] = []
        self.database = self.open()
        self.now = NOW

    def open(self) -> Database:
        self._engines.append(open_engine(self._url))
        return Database(self._engines[-1])

    def close(self) -> None:
        for engine in self._engines:
            engine.dispose()

    def alert(self, *notifiers: str, minute: float = 0, kind: str = "human", severity: Any = "urgent") -> Alert:
        at = NOW + timedelta(minutes=minute)
        one = Occurrence(f"event-{minute}-{kind}", kind, "vision", "ridge-07", at, at, None, severity, 0.9)
        (raised,) = IncidentRepository(self.database, IncidentOptions(), AlertPolicy(), notifiers).record([one])
        return raised

    def dispatcher(self, notifier: Notifier, compose: Callable[[Alert, str], Message] | None = None) -> Dispatcher:
        def write(alert: Alert, picture: str) -> Message:
            return Message(alert, MESSAGE.words, "", {}, {"alert_id": alert.id})

        outgoing = AlertQueue(self.open(), notifier.name)  # opened again, as after a restart
        return Dispatcher(outgoing, notifier, compose or write, RetryOptions(first_s=10), now=lambda: self.now)

    def log(self) -> list[tuple[str, str, int]]:
        reader = IncidentReader(self.database)
        sent = [alert for one in reader.incidents(open_only=False) for alert in reader.alerts(one.id)]
        ways = [way for alert in sent for way in alert.deliveries]
        return [(way.notifier, way.state, way.attempts) for way in ways]


@pytest.fixture
def kept(casebook_url: str) -> Iterator[Kept]:
    opened = Kept(casebook_url)
    yield opened
    opened.close()


def test_what_did_not_go_out_is_tried_again_ever_more_seldom_and_survives_a_restart(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    kept.alert("test")
    webhook.answer = 500
    tried_at = []
    for second in range(0, 200, 5):
        kept.now = NOW + timedelta(seconds=second)
        if kept.dispatcher(notifier).send_next():
            tried_at.append(second)
    assert tried_at == [0, 10, 30, 70, 150]
    assert kept.log() == [("test", "waiting", 5)]
    webhook.answer = 200
    kept.now = NOW + timedelta(seconds=310)
    assert kept.dispatcher(notifier).send_next()
    assert not kept.dispatcher(notifier).send_next()
    assert kept.log() == [("test", "sent", 6)]
    assert len(webhook.taken) == 1


def test_an_alert_that_never_went_out_is_given_up_and_stays_on_record(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    kept.alert("test")
    webhook.answer = 500
    kept.now = NOW + timedelta(hours=49)
    dispatcher = kept.dispatcher(notifier)
    assert dispatcher.send_next()
    assert not dispatcher.send_next()
    assert kept.log() == [("test", "given up", 1)]
    assert "500" in dispatcher.problem


def test_an_alert_raised_while_the_servers_clock_was_years_ahead_goes_out_when_it_is_right_again(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.alert("test", minute=3_000 * 24 * 60)
    kept.now = NOW
    dispatcher = kept.dispatcher(by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/"))
    assert dispatcher.send_next()
    assert not dispatcher.send_next()
    assert len(webhook.taken) == 1


def test_the_most_urgent_goes_first_and_a_dead_way_keeps_no_other_waiting(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.alert("test", "dead", severity="warning")
    kept.alert("test", "dead", minute=300, kind="gunshot")
    kept.now = NOW + timedelta(minutes=301)
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    dispatcher = kept.dispatcher(notifier)
    assert [dispatcher.send_next(), dispatcher.send_next(), dispatcher.send_next()] == [True, True, False]
    assert [one["type"] for one in webhook.taken] == ["failure", "warning"]
    assert sorted(kept.log()) == [("dead", "waiting", 0)] * 2 + [("test", "sent", 1)] * 2
    assert count_waiting(kept.database) == 2
    assert abandon_unknown_notifiers(kept.database, ["test"], kept.now) == 2
    assert count_waiting(kept.database) == 0


def test_two_processes_tell_an_alert_once(kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    for minute in range(0, 400, 100):
        kept.alert("test", minute=minute)
    kept.now = NOW + timedelta(minutes=400)
    dispatchers = [kept.dispatcher(notifier) for _ in range(3)]
    for dispatcher in dispatchers:
        dispatcher.start()
    eventually(lambda: count_waiting(kept.database) == 0, "all to be told")
    for dispatcher in dispatchers:
        dispatcher.stop()
    assert len(webhook.taken) == 4


def test_what_a_killed_process_had_in_hand_is_told_soon(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = kept.alert("test")
    assert AlertQueue(kept.database, "test").claim(DueAlert(raised, 0), kept.now + dispatcher_module._CLAIM)
    dispatcher = kept.dispatcher(by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/"))
    assert not dispatcher.send_next(), "another may be telling it"
    kept.now += timedelta(seconds=30)
    assert dispatcher.send_next()
    assert kept.log() == [("test", "sent", 2)]


def test_an_attempt_that_takes_long_is_left_to_whoever_makes_it(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "_CLAIM", timedelta(seconds=0.5))
    monkeypatch.setattr(dispatcher_module, "_RENEW_S", 0.05)
    began, slow = datetime.now(UTC), threading.Event()

    def write(alert: Alert, picture: str) -> Message:
        slow.wait(1.5)
        return MESSAGE

    kept.alert("test")
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    kept.now = began
    telling = threading.Thread(
        target=Dispatcher(AlertQueue(kept.open(), "test"), notifier, write, RetryOptions()).send_next
    )
    other = Dispatcher(AlertQueue(kept.open(), "test"), notifier, write, RetryOptions())
    telling.start()
    time.sleep(0.2)
    for _ in range(10):
        assert not other.send_next()
        time.sleep(0.1)
    slow.set()
    telling.join()
    assert kept.log() == [("test", "sent", 1)]


def test_a_picture_on_its_way_is_waited_for_and_counts_as_no_attempt(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = False

    def write(alert: Alert, picture: str) -> Message:
        if not here:
            raise AttachmentPending("picture")
        return MESSAGE

    kept.alert("test")
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    assert kept.dispatcher(notifier, write).send_next()
    assert kept.log() == [("test", "waiting", 0)]
    here, kept.now = True, NOW + timedelta(seconds=1)
    assert kept.dispatcher(notifier, write).send_next()
    assert kept.log() == [("test", "sent", 1)]


@pytest.mark.parametrize("failure", [SyntaxError("broken PNG file"), MemoryError(), ValueError("a label")])
def test_an_alert_whose_picture_cannot_be_drawn_goes_out_without_one(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def write(alert: Alert, picture: str) -> Message:
        if picture != "none":
            raise failure
        return Message(alert, MESSAGE.words, "", {}, {})

    kept.alert("test")
    dispatcher = kept.dispatcher(by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/"), write)
    assert dispatcher.send_next()
    assert kept.log() == [("test", "sent", 1)]
    assert [one["attachments"] for one in webhook.taken] == [[]]


def test_an_alert_at_which_the_server_fails_is_tried_a_few_times_and_stops_no_other(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = kept.alert("test")
    good = kept.alert("test", minute=300, kind="gunshot", severity="warning")
    kept.now = NOW + timedelta(minutes=301)
    supervisor = Supervisor()

    def write(alert: Alert, picture: str) -> Message:
        if alert.id == bad.id:
            raise KeyError("no such incident")
        return Message(alert, MESSAGE.words, "", {}, {"alert_id": alert.id})

    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    queue = AlertQueue(kept.open(), notifier.name)
    dispatcher = Dispatcher(queue, notifier, write, RetryOptions(), lambda: kept.now, supervisor)
    assert [dispatcher.send_next(), dispatcher.send_next(), dispatcher.send_next()] == [True, True, False]
    assert sorted(kept.log()) == [("test", "sent", 1), ("test", "waiting", 1)]
    assert supervisor.restarts["alerts-test-alert"] >= 1
    for minute in range(400, 500, 10):
        kept.now = NOW + timedelta(minutes=minute)
        dispatcher.send_next()
    assert sorted(kept.log()) == [("test", "given up", 5), ("test", "sent", 1)]
    assert "the server fails at an alert of ridge-07: KeyError" in dispatcher.problem
    assert good.id


def test_a_delivery_thread_that_fails_is_restarted_and_delivers(
    kept: Kept, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.alert("test")
    supervisor, failures = Supervisor(0.01, 0.02), [RuntimeError("a defect in the queue")] * 3
    notifier = by_apprise(monkeypatch, f"json://127.0.0.1:{webhook.port}/")
    queue = AlertQueue(kept.open(), notifier.name)
    due = queue.due

    def failing(now: datetime) -> DueAlert | None:
        if failures:
            raise failures.pop()
        return due(now)

    monkeypatch.setattr(queue, "due", failing)
    dispatcher = Dispatcher(
        queue,
        notifier,
        lambda alert, _: Message(alert, MESSAGE.words, "", {}, {}),
        RetryOptions(),
        supervisor=supervisor,
    )
    dispatcher.start()
    eventually(lambda: webhook.taken, "the alert")
    dispatcher.stop()
    assert supervisor.restarts["alerts-test"] == 3
