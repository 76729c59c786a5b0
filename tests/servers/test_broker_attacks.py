"""What a stolen station password can do at the broker of `wildpost broker init`, on a real Mosquitto: not much."""

import json
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import psutil
import pytest

from casebook.incidents.repository import Alert
from contract import encode, topic_of
from contract.errors import Undelivered
from contract.examples import EVENT
from contract.server_users import ACCOUNT, SERVER_USERS, derived_password
from contract.topics import CHANNELS, KINDS
from ingest.alerts.mqtt_notifier import MqttAlertOptions, MqttNotifier
from ingest.alerts.port import Message, MessageText
from ingest.integrations.home_assistant import HomeAssistant, HomeAssistantOptions
from ingest.receive.mqtt.revocations import Revocations
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from tests.eventually import eventually
from tests.noting import Noting, mqtt_pipeline
from tests.servers.secured_broker import Broker, wildpost
from tests.servers.test_broker_password import ALERT, NOW
from wildpost.broker.rights import BrokerFolderError, check_station_name

EVENT_TOPIC = "wildpost/v1/lake-07/event"


@pytest.fixture
def secret(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BROKER_SECRET", broker.password(ACCOUNT))
    return broker.password(ACCOUNT)


@pytest.mark.parametrize("client_id", ["wildpost-server", "wildpost-server-1", "ridge-01", "wildpost-live", ""])
def test_a_station_is_its_own_client_whatever_client_id_it_claims(broker: Broker, client_id: str) -> None:
    with ExitStack() as stack:
        others = [
            stack.enter_context(closing(broker.connect(ACCOUNT, client_id=name, port=broker.server_port)))
            for name in ("wildpost-server", "wildpost-server-1")
        ]
        others.append(stack.enter_context(closing(broker.connect("ridge-01"))))

        thief = stack.enter_context(closing(broker.connect("lake-07", client_id=client_id)))

        assert thief.publish(EVENT_TOPIC) == "No matching subscribers"
        assert [other.lost.is_set() for other in others] == [False] * 3
        again = stack.enter_context(closing(broker.connect("lake-07", client_id="another")))
        assert again.reasons == ["Success"]
        assert thief.lost.wait(20), "a station has one connection"


@pytest.mark.parametrize("at_the_stations_port", [False, True])
def test_what_waits_for_the_server_is_still_there_after_a_station_claimed_its_client_id(
    broker: Broker, secret: str, at_the_stations_port: bool
) -> None:
    options = broker.server_options(port=broker.port if at_the_stations_port else broker.server_port)
    intake = Noting()
    first = mqtt_pipeline(options, intake)
    first.start()
    first.stop()
    of_ridge = msgspec.structs.replace(EVENT, station="ridge-01")
    with closing(broker.connect("ridge-01")) as ridge:
        for _ in range(20):
            assert ridge.publish("wildpost/v1/ridge-01/event", encode(of_ridge)) == "Success"

    for clean in (False, True):
        broker.connect("lake-07", client_id=options.client_id, keep_session=not clean).close()

    second = mqtt_pipeline(options, intake)
    second.start()
    try:
        eventually(lambda: len(intake.came) == 20, f"the 20 messages; came: {len(intake.came)}")
    finally:
        second.stop()


def test_a_station_cannot_join_the_group_of_the_workers(broker: Broker) -> None:
    shared = "$share/workers/wildpost/+/+/event"
    with (
        closing(broker.connect(ACCOUNT, port=broker.server_port)) as worker,
        closing(broker.connect("lake-07")) as thief,
        closing(broker.connect("ridge-01")) as ridge,
    ):
        assert worker.subscribe(shared) == "Granted QoS 1"

        for topic in (shared, "$share/other/wildpost/#", "$share/workers/wildpost/v1/lake-07/event", "$share/g/#"):
            assert thief.subscribe(topic) == "Not authorized", topic

        for _ in range(20):
            assert ridge.publish("wildpost/v1/ridge-01/event") == "Success"
        eventually(lambda: len(worker.received) == 20)


def test_a_station_writes_its_own_topics_and_no_other_also_not_as_its_will(broker: Broker) -> None:
    with closing(broker.connect("wildpost-watch")) as watch, closing(broker.connect("lake-07")) as thief:
        assert watch.subscribe("wildpost/#") == "Granted QoS 1"
        for kind in KINDS:
            assert thief.publish(topic_of("wildpost", "lake-07", kind)) == "Success"
        for topic in (
            "wildpost/v1/lake-07/command",
            "wildpost/v1/lake-07/settings",
            "wildpost/v1/ridge-01/command",
            "wildpost/v1/lake-07/anything",
            "wildpost/v2/lake-07/event",
            "wildpost/v1/lake-07/event/more",
            "wildpost/v1/LAKE-07/event",
            "wildpost/v1/ridge-01/status",
            "wildpost/alerts/urgent",
            "wildpost/home/status",
            "wildpost/revoked/ridge-01",
            "homeassistant/device/wildpost_lake-07/config",
            "$CONTROL/dynamic-security/v1",
            "other",
        ):
            assert thief.publish(topic, retain=True) == "Not authorized", topic
        will = broker.connect("lake-07", will=("wildpost/v1/ridge-01/status", b"forged"))
        will.vanish()
        own = broker.connect("lake-07", will=("wildpost/v1/lake-07/status", b"{}"))
        own.vanish()

        eventually(lambda: len(watch.received) == len(KINDS) + 1, "the last will of the station itself")
        assert watch.received[-1] == "wildpost/v1/lake-07/status"


def test_a_message_larger_than_any_of_the_contract_ends_the_connection_of_its_sender_alone(broker: Broker) -> None:
    with closing(broker.connect("ridge-01")) as ridge, closing(broker.connect("lake-07")) as thief:
        assert thief.publish(EVENT_TOPIC, b"x" * 8_100_000, retain=True) == "lost"
        assert ridge.publish("wildpost/v1/ridge-01/media", b"x" * 8_000_000) == "No matching subscribers"


@pytest.mark.parametrize(
    "name",
    [
        *("wildpost-server", "wildpost-ingest", "Wildpost-anything", "WILDPOST", "wildpost"),
        *("LAKE-07", "Lake-07", "lake-07"),
        *(
            "+",
            "#",
            "a/b",
            "$SYS",
            "lake\n07",
            "lake\x00",
            "l\u00e4ke",
            "lake-\u0660",
            "-lake",
            "",
            "a" * 64,
            "a:b",
            "a b",
        ),
    ],
)
def test_a_name_that_could_be_taken_for_another_is_refused(name: str) -> None:
    with pytest.raises(BrokerFolderError):
        check_station_name(name, ["lake-07", ACCOUNT])


def test_the_servers_password_alone_gives_each_of_its_connections_a_user_of_its_own(
    broker: Broker, secret: str, tmp_path: Path
) -> None:
    options = broker.server_options(port=broker.port)  # the stations' port: the user name is the client id
    store = DuckDbStore(tmp_path / "detections.duckdb")
    store.write([Received(EVENT, encode(EVENT), NOW)])
    intake = Noting()
    pipeline = mqtt_pipeline(options, intake)
    with ExitStack() as stack:
        stack.callback(store.close)
        pipeline.start()
        stack.callback(pipeline.stop)
        notifier = stack.enter_context(closing(MqttNotifier(MqttAlertOptions(enabled=True), options)))
        home = HomeAssistant(HomeAssistantOptions(enabled=True), options, store)
        stack.callback(home.stop)
        listener = stack.enter_context(closing(broker.connect("wildpost-alert-reader")))
        assistant = stack.enter_context(closing(broker.connect("wildpost-home-assistant")))
        assert listener.subscribe("wildpost/alerts/#") == "Granted QoS 1"
        assert [assistant.subscribe(one) for one in ("homeassistant/#", "wildpost/home/#")] == ["Granted QoS 1"] * 2
        assert assistant.subscribe("wildpost/#") == listener.subscribe("wildpost/#") == "Not authorized"

        notifier.send(message())
        home.publish_changes()
        with closing(broker.connect("lake-07")) as lake:
            assert lake.publish(EVENT_TOPIC) == "Success"

        eventually(lambda: listener.received == ["wildpost/alerts/urgent"])
        eventually(lambda: len(assistant.received) == 3)  # availability, description, state
        assert pipeline.connected
    assert pipeline.problem == ""


def test_a_worker_subscribes_to_its_share_of_the_stations_messages_and_to_nothing_else(broker: Broker) -> None:
    secret = broker.password(ACCOUNT)
    options = broker.server_options()
    for user, allowed in (
        (
            "wildpost-server",
            [*SharedSubscription("any", hears_status=True).subscriptions("wildpost"), "wildpost/+/+/+"],
        ),
        ("wildpost-server", Revocations(options, broker.folder / "none.json").subscriptions),
        ("wildpost-live", ["$share/any-live/wildpost/+/+/event", "wildpost/+/+/event"]),
    ):
        with closing(broker.connect(user, derived_password(secret, user), port=broker.server_port)) as part:
            assert {topic: part.subscribe(topic) for topic in allowed} == dict.fromkeys(allowed, "Granted QoS 1")
            for topic in ("#", "wildpost/#", "$share/any/#", "$share/any/wildpost/#", "homeassistant/#"):
                assert part.subscribe(topic) == "Not authorized", topic


def test_a_station_reads_what_it_is_told_itself_and_nothing_that_others_are_told(broker: Broker) -> None:
    with (
        closing(broker.connect("lake-07")) as lake,
        closing(broker.connect(ACCOUNT, port=broker.server_port)) as server,
    ):
        for channel in CHANNELS:
            assert lake.subscribe(f"wildpost/v1/lake-07/{channel}") == "Granted QoS 1"
            for topic in (
                f"wildpost/v1/ridge-01/{channel}",
                f"wildpost/v1/+/{channel}",
                f"wildpost/+/lake-07/{channel}",
            ):
                assert lake.subscribe(topic) == "Not authorized", topic
        assert lake.subscribe("wildpost/v1/lake-07/answer") == "Not authorized"
        assert server.publish("wildpost/v1/ridge-01/settings", retain=True) == "No matching subscribers"
        assert server.publish("wildpost/v1/lake-07/settings", retain=True) == "Success"
        eventually(lambda: lake.received == ["wildpost/v1/lake-07/settings"])


def test_any_number_of_subscriptions_by_a_station_takes_no_memory_of_the_broker(broker: Broker) -> None:
    with closing(broker.connect("lake-07")) as thief:
        thief.subscribe("warm/up")
        before = psutil.Process(broker.process.pid).memory_info().rss
        refused: list[bool] = []
        thief.client.on_subscribe = lambda *given: refused.extend(one.is_failure for one in given[3])
        for group in range(40):
            thief.client.subscribe([(f"wildpost/{group}/{number}/{'x' * 1000}", 1) for number in range(100)])
        eventually(lambda: len(refused) == 4000)
        assert all(refused)
        assert psutil.Process(broker.process.pid).memory_info().rss - before < 3000 << 10  # 4,000 kB, if it stored them


def test_each_user_of_the_server_has_the_rights_of_its_part_alone(broker: Broker) -> None:
    secret = broker.password(ACCOUNT)
    allowed = {
        "wildpost-alerts": {"wildpost/alerts/urgent"},
        "wildpost-home": {"wildpost/home/status", "homeassistant/device/wildpost_lake-07/config"},
        "wildpost-commands": {"wildpost/v1/lake-07/command", "wildpost/v1/ridge-01/settings"},
    }
    for user in SERVER_USERS:
        with closing(broker.connect(user, derived_password(secret, user), port=broker.server_port)) as part:
            for topic in (*sorted(set().union(*allowed.values())), EVENT_TOPIC):
                expected = "No matching subscribers" if topic in allowed.get(user, ()) else "Not authorized"
                assert part.publish(topic) == expected, (user, topic)


def test_a_part_of_the_server_may_have_a_user_of_its_own_in_the_settings(
    broker: Broker, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_SECRET", broker.password("lake-07"))
    own = {"username": "lake-07", "password_variable": "ALERT_SECRET"}
    options = json.dumps({"enabled": True, "credentials": own})
    notifier = MqttNotifier(msgspec.json.decode(options, type=MqttAlertOptions), broker.server_options())
    with closing(notifier), pytest.raises(Undelivered, match="Check the permissions of 'lake-07'"):
        notifier.send(message())


def test_the_server_says_what_to_do_at_a_broker_folder_of_an_earlier_version(broker: Broker, secret: str) -> None:
    assert wildpost("rotate", broker.folder, ACCOUNT).returncode == 0  # so that the server's password is wrong
    with pytest.raises(Exception, match="run `wildpost broker upgrade`"):
        mqtt_pipeline(broker.server_options(), Noting()).start()


def message() -> Message:
    alert: Alert = ALERT
    return Message(alert, {"en": MessageText("[Urgent] person", "person at night")}, "", {}, {"alert_id": "a1"})
