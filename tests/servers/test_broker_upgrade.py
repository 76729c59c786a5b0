"""The folder of an earlier version gets the present rules; stations keep their passwords, and what waits is kept."""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from contract import Event, encode
from contract.examples import EVENT
from contract.server_users import ACCOUNT, derived_password
from tests.conftest import free_port, mosquitto_program
from tests.eventually import eventually
from tests.noting import Noting, mqtt_pipeline
from tests.servers.secured_broker import Broker, wildpost

OLD = """\
# Created by `wildpost broker init`. Change users and rights with `wildpost broker`, then: kill -HUP.
# topics begin with wildpost
listener {port}
certfile {folder}/broker.crt
keyfile {folder}/broker.key
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rights
persistence true
persistence_location /var/lib/mosquitto/
autosave_interval 30
max_queued_messages 0
max_inflight_messages 1000
persistent_client_expiration 60d
"""
RIGHTS = """\
user lake-07
topic write wildpost/+/lake-07/+
user wildpost-ingest
topic read wildpost/#
"""


def old_line(user: str, password: str) -> str:
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 20_000)
    return f"{user}:$7$20000${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Broker]:
    """A running broker as the first version of the command made it: one listener, passwords and an ACL file."""
    folder, port = tmp_path / "broker", free_port()
    assert wildpost("init", folder, "--host", "127.0.0.1", "--port", port).returncode == 0
    assert wildpost("add-station", folder, "lake-07").returncode == 0
    for name in ("dynamic-security.json", "admin.password", "included.conf"):
        (folder / name).unlink()
    for user in ("wildpost-watch", "wildpost-home-assistant", "wildpost-alert-reader"):
        assert wildpost("handed-over", folder, user).returncode == 0
    (folder / "mosquitto.conf").write_text(OLD.format(port=port, folder=folder))
    broker = Broker.__new__(Broker)
    broker.folder, broker.port, broker.server_port, broker.program = folder, port, port, mosquitto_program()
    users = {user: broker.password(user) for user in ("lake-07", ACCOUNT)}
    (folder / "passwords").write_text("".join(old_line(*one) for one in users.items()))
    (folder / "rights").write_text(RIGHTS)
    broker.start()
    yield broker
    if broker.process.poll() is None:
        broker.stop()


def test_an_old_folder_is_brought_up_to_date_and_nothing_is_lost(old: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    station, server = old.password("lake-07"), old.password(ACCOUNT)
    old.connect(ACCOUNT, client_id="wildpost-server", keep_session=True).close()
    with closing(old.connect(ACCOUNT, client_id="wildpost-server", keep_session=True)) as session:
        assert session.subscribe("wildpost/+/+/+") == "Granted QoS 1"
    with closing(old.connect("lake-07")) as lake:
        for _ in range(5):
            assert lake.publish("wildpost/v1/lake-07/event", encode(of_lake())) == "Success"
    assert "run wildpost broker upgrade first" in wildpost("add-station", old.folder, "ridge-01").stderr

    server_port = free_port()
    done = wildpost("upgrade", old.folder, "--server-port", server_port)

    assert done.returncode == 0, done.stderr
    assert "new password" not in done.stdout
    assert not {"passwords", "rights"} & {file.name for file in old.folder.iterdir()}
    old.stop()
    old.server_port = server_port
    old.start()
    with closing(old.connect("lake-07", station)) as lake:
        assert lake.assigned_id == "lake-07"
        assert lake.publish("wildpost/v1/lake-07/command") == "Not authorized"
    with closing(old.connect("wildpost-alerts", derived_password(server, "wildpost-alerts"))) as part:
        assert part.reasons == ["Success"]
    monkeypatch.setenv("BROKER_SECRET", server)
    intake = Noting()
    pipeline = mqtt_pipeline(old.server_options(), intake)
    pipeline.start()
    eventually(lambda: len(intake.came) == 5, "what waited under the old rules")
    pipeline.stop()


def test_a_second_upgrade_changes_no_password(old: Broker) -> None:
    assert wildpost("upgrade", old.folder).returncode == 0
    for user in (ACCOUNT, "lake-07"):
        assert wildpost("handed-over", old.folder, user).returncode == 0
    before = (old.folder / "dynamic-security.json").read_text()

    again = wildpost("upgrade", old.folder)

    assert (again.returncode, "new password" in again.stdout) == (0, False)
    assert (old.folder / "dynamic-security.json").read_text() == before


def test_the_server_gets_a_new_password_if_its_old_one_is_not_in_the_folder(old: Broker) -> None:
    assert wildpost("handed-over", old.folder, ACCOUNT).returncode == 0

    done = wildpost("upgrade", old.folder)

    assert "the server has a new password" in done.stdout
    assert old.password(ACCOUNT)


def of_lake() -> Event:
    return msgspec.structs.replace(EVENT, station="lake-07")
