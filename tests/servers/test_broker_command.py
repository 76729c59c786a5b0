"""The broker that `wildpost broker init` makes: a real Mosquitto, TLS, and stations that speak for themselves alone."""

import os
import socket
import ssl
import stat
import subprocess
import tomllib
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from contract.mqtt.publisher import ConfirmedPublisher
from edge.transport.mqtt.publisher import StationBrokerOptions
from ingest.receive.mqtt.options import ReceiverOptions
from tests.eventually import eventually
from tests.servers.secured_broker import Broker, wildpost


def test_a_station_writes_its_own_topics_and_no_other_stations(broker: Broker) -> None:
    server, lake = broker.connect("wildpost-ingest"), broker.connect("lake-07")
    assert server.subscribe("wildpost/+/+/+") == "Granted QoS 1"

    assert lake.publish("wildpost/v1/lake-07/event") == "Success"
    assert lake.publish("wildpost/v1/ridge-01/event") == "Not authorized"
    assert lake.publish("wildpost/alerts/all") == "Not authorized"
    eventually(lambda: bool(server.received))

    ridge = broker.connect("ridge-01")
    assert ridge.publish("wildpost/v1/ridge-01/event") == "Success"
    eventually(lambda: len(server.received) == 2)
    assert server.received == ["wildpost/v1/lake-07/event", "wildpost/v1/ridge-01/event"]
    for client in (server, lake, ridge):
        client.close()


def test_a_station_hears_nothing_but_its_own_commands(broker: Broker) -> None:
    lake, ridge = broker.connect("lake-07"), broker.connect("ridge-01")

    for topic in ("#", "wildpost/#", "wildpost/v1/ridge-01/event", "wildpost/v1/ridge-01/command", "$SYS/#"):
        assert lake.subscribe(topic) == "Not authorized", topic
    assert lake.subscribe("wildpost/v1/lake-07/command") == "Granted QoS 1"
    assert ridge.publish("wildpost/v1/ridge-01/event") == "No matching subscribers"

    assert lake.received == []
    lake.close()
    ridge.close()


def test_workers_may_share_the_messages(broker: Broker) -> None:
    server, lake = broker.connect("wildpost-ingest"), broker.connect("lake-07")

    assert server.subscribe("$share/ingest/wildpost/+/+/+") == "Granted QoS 1"
    lake.publish("wildpost/v1/lake-07/event")

    eventually(lambda: server.received == ["wildpost/v1/lake-07/event"])
    server.close()
    lake.close()


def test_the_servers_user_may_publish_alerts_and_what_home_assistant_reads(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover = broker.folder / "handover/wildpost-ingest"
    read = tomllib.loads((handover / "broker.toml").read_text())["broker"]
    options = msgspec.convert(read | {"ca_file": str(handover / "ca.crt")}, ReceiverOptions)
    monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", broker.password("wildpost-ingest"))
    watch = broker.connect("wildpost-watch")
    for topic in ("wildpost/alerts/#", "wildpost/home/#", "homeassistant/#"):
        watch.subscribe(topic)

    status = "wildpost/home/status"
    with closing(ConfirmedPublisher(options, will=(status, b"offline"))) as link:
        for topic in ("wildpost/alerts/urgent", "homeassistant/device/wildpost_lake-07/config", status):
            link.publish(topic, b"{}")

    eventually(lambda: len(watch.received) == 3)
    watch.close()


DEBIANS = """
pid_file {folder}/mosquitto.pid
persistence true
persistence_location {folder}/
log_dest file {folder}/mosquitto.log
include_dir {folder}/conf.d
"""


def test_the_distributions_broker_starts_with_ours_included(broker: Broker, tmp_path: Path) -> None:
    distribution = tmp_path / "etc"
    (distribution / "conf.d").mkdir(parents=True)
    (distribution / "conf.d" / "wildpost.conf").symlink_to(broker.folder / "included.conf")
    (distribution / "mosquitto.conf").write_text("user root\n" + DEBIANS.format(folder=distribution))
    broker.stop()  # it has the port

    with subprocess.Popen(
        [broker.program, "-c", str(distribution / "mosquitto.conf")], stderr=subprocess.PIPE
    ) as started:
        try:
            eventually(lambda: broker.listens() or started.poll() is not None)
            assert started.poll() is None, started.communicate()[1].decode()
            client = broker.connect("lake-07")
            assert client.publish("wildpost/v1/lake-07/event") == "No matching subscribers"  # it may, and is heard
            client.close()
        finally:
            started.terminate()


def test_a_revoked_station_is_shut_out_when_the_broker_reads_its_files_again(broker: Broker) -> None:
    old = broker.password("lake-07")
    lake = broker.connect("lake-07")

    revoked = wildpost("revoke", broker.folder, "lake-07", "--reload", broker.process.pid)

    assert revoked.returncode == 0, revoked.stderr
    assert lake.lost.wait(20), "a station that is connected is put out too"
    lake.close()
    again = broker.connect("lake-07", old)
    assert again.reasons[0] == "Not authorized"
    again.close()
    assert not (broker.folder / "handover" / "lake-07").exists()


def test_a_rotated_password_counts_and_the_old_one_does_not(broker: Broker) -> None:
    old = broker.password("lake-07")

    assert wildpost("rotate", broker.folder, "lake-07", "--reload", broker.process.pid).returncode == 0

    eventually(lambda: _reason(broker, broker.password("lake-07")) == "Success")
    assert _reason(broker, old) == "Not authorized"


def test_a_broker_with_another_authority_is_refused_before_the_password_is_sent(broker: Broker, tmp_path: Path) -> None:
    other = tmp_path / "other"
    wildpost("init", other, "--host", "127.0.0.1")

    context = ssl.create_default_context(cafile=other / "ca.crt")
    with socket.create_connection(("127.0.0.1", broker.port)) as line, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(line, server_hostname="127.0.0.1")


def test_a_renewed_certificate_is_of_the_same_authority_and_hosts(broker: Broker) -> None:
    before = (broker.folder / "broker.crt").read_bytes()

    assert wildpost("renew", broker.folder).returncode == 0

    assert (broker.folder / "broker.crt").read_bytes() != before
    broker.stop()
    broker.start()
    lake = broker.connect("lake-07")
    assert lake.reasons == ["Success"]
    lake.close()


def test_keys_and_passwords_are_for_no_one_else_to_read(broker: Broker) -> None:
    private = ("ca.key", "broker.key", "dynamic-security.json", "admin.password")
    for name in (*private, "handover/lake-07/wildpost.env", "handover/lake-07/broker.toml"):
        assert stat.S_IMODE((broker.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((broker.folder / "handover").stat().st_mode) == 0o700
    assert broker.password("lake-07") not in (broker.folder / "dynamic-security.json").read_text()


def test_what_is_handed_over_is_what_a_station_reads(broker: Broker) -> None:
    import tomllib

    import msgspec

    read = tomllib.loads((broker.folder / "handover/lake-07/broker.toml").read_text())
    options = msgspec.convert(read["broker"], StationBrokerOptions)

    assert (options.username, options.port, options.tls) == ("lake-07", broker.port, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("init", "{}", "--host", "h"), "not empty"),
        (("add-station", "{}", "lake-07"), "already exists"),
        (("add-station", "{}", "a/b"), "expected up to 63 letters"),
        (("rotate", "{}", "ghost"), "no user 'ghost'"),
        (("init", "{}-2", "--host", "h", "--prefix", "a/#"), "topic prefix 'a/#': expected levels"),
        (("init", "{}-2", "--host", "h", "--port", "99999"), "port 99999: expected 1 to 65535"),
        (("revoke", "{}", "wildpost-ingest"), "rotate its password instead"),
        (("list", "{}/nowhere"), "no broker here"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(broker: Broker, words: tuple[str, ...], said: str) -> None:
    ended = wildpost(*(word.format(broker.folder) for word in words))

    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--owner", "ghost-of-a-user"), "ghost-of-a-user: no such user" if os.geteuid() == 0 else "only root"),
        (("--reload", str(2**22)), "no such process"),  # the kernel's highest number of a process is one less
        (("--reload", "17 18"), "expected one process id"),
    ],
)
def test_a_mistake_is_said_before_half_a_broker_is_written(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = wildpost("init", tmp_path / "broker", "--host", "h", *words)

    assert ended.returncode == 2
    assert said in ended.stderr
    assert not (tmp_path / "broker").exists()


def test_those_who_may_connect_are_listed(broker: Broker) -> None:
    listed = wildpost("list", broker.folder).stdout.splitlines()

    assert listed[:2] == ["lake-07", "ridge-01"]
    assert {"wildpost-ingest", "wildpost-watch", "wildpost-home-assistant"} < set(listed)
    assert listed[-2].startswith("broker.crt is valid until 20")


def _reason(broker: Broker, password: str) -> str:
    client = broker.connect("lake-07", password)
    client.close()
    return client.reasons[0]
