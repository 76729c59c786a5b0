"""A server that cannot begin says why, and what to do."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from casebook.casebook import Casebook
from contract.errors import StoreUnavailable
from ingest.media.folder import FolderMedia
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import BrokerRefused, Receiver
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.service import IngestService
from ingest.store.duckdb.store import DuckDbStore
from tests.noting import Noting
from tests.servers.conftest import wait_for


def test_two_servers_of_one_name_are_told_so(mosquitto: Any) -> None:
    receivers = [Receiver(ReceiverOptions(port=mosquitto.port), Noting()) for _ in range(2)]
    for receiver in receivers:
        receiver.start()
    wait_for(
        lambda: any("Two servers with client id 'wildpost-server'" in one.problem for one in receivers),
        "one to say that each puts the other out",
    )
    for receiver in receivers:
        receiver.stop()


def serving(tmp_path: Path, options: ReceiverOptions) -> tuple[IngestService, Callable[[], None]]:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path}/casebook.sqlite")

    def close() -> None:
        store.close()
        casebook.close()

    rules = RuleSet(RulesOptions(), ())
    return IngestService(store, casebook, FolderMedia(tmp_path / "media"), rules, options), close


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_said_at_once(guarded: Any, tmp_path: Path, protocol: Any) -> None:
    (tmp_path / "secret").write_text("wrong\n")
    options = ReceiverOptions(
        port=guarded.port, username="server", password_file=str(tmp_path / "secret"), protocol=protocol
    )
    refused, close = serving(tmp_path, options)
    message = r"refuses the connection: Not authorized.*username 'server' and its password"
    with pytest.raises(BrokerRefused, match=message):
        refused.start()
    close()


def test_the_right_password_is_let_in(guarded: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("right\n")
    options = ReceiverOptions(port=guarded.port, username="server", password_file=str(tmp_path / "secret"))
    accepted, close = serving(tmp_path, options)
    accepted.start()
    assert accepted.state().connected
    accepted.stop()
    close()


def test_without_a_broker_it_waits_for_one_and_says_so(mosquitto: Any, tmp_path: Path) -> None:
    mosquitto.stop()
    waiting, close = serving(tmp_path, ReceiverOptions(port=mosquitto.port))
    waiting.start(answer_s=1)
    assert waiting.state().problem.startswith(f"no broker at 127.0.0.1:{mosquitto.port}: ")
    mosquitto.start()
    deadline = time.monotonic() + 40
    while not waiting.state().connected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert waiting.state().connected
    assert waiting.state().problem == ""
    waiting.stop()
    close()


def test_a_store_that_another_process_holds_names_that_process(tmp_path: Path) -> None:
    path = tmp_path / "detections.duckdb"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb, sys; held = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreUnavailable, match=rf"PID {holder.pid}\).*stop that one, or give this one"):
            DuckDbStore(path)
    finally:
        holder.communicate("")
    DuckDbStore(path).close()
