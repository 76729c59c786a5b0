"""A card is imported while a server runs on the same data folder: the server stores it, for it alone may write."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.card_import.deployments import Placement
from tests.cards import DAY, DEPLOYMENT, GREY, Server, make_card, picture
from tests.conftest import Mosquitto
from tests.servers.test_serve import serving
from wildpost.cli.main import main


def test_the_running_server_takes_in_the_card(mosquitto: Mosquitto, tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.data.mkdir()
    expected = make_card(tmp_path / "card")
    with serving(server.data, mosquitto.port):
        report, delivery = server.take_in(tmp_path / "card")
        assert (report.new, delivery.undelivered, delivery.problems) == (expected, 0, [])
    assert len(server.events()) == expected


def card_command(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "wildpost", "import", "card", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_the_command_imports_with_the_shipped_networks_and_gives_an_account(tmp_path: Path) -> None:
    picture(tmp_path / "card" / "北坡" / "春" / "1.jpg", DAY, GREY, 1)
    picture(tmp_path / "card" / "other.jpg", DAY, GREY, 2)
    words = (str(tmp_path / "card"), "--pattern", "{place}/{deployment}", "--data", str(tmp_path / "data"))
    ran = card_command(*words, "--processes", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    account = json.loads(ran.stdout)
    assert (account["files"], account["new"], account["batches_waiting"]) == (1, 1, 0)
    assert list(account["without_deployment"].values()) == [1]
    (event,) = Server(tmp_path / "data").events()
    assert event.station == "site-2d678181"
    assert [model.name for model in event.models] == ["wildpost-nano", "wildpost-species"]
    listed = card_command(*words, "--dry-run")
    assert "(北坡): 1 picture\n" in listed.stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "expected --deployment NAME"),
        (("--deployment", "a", "--latitude", "95", "--longitude", "3"), "latitude"),
        (("--deployment", "a", "--start", "soon"), "--start 'soon'"),
        (("--deployment", "a", "--start", "2026-06-01", "--end", "2026-05-01"), "expected an end after the start"),
        (("--deployment", "a", "--clock", "1.jpg"), "--clock '1.jpg'"),
        (("--deployment", "a", "--clock", "9.jpg=2026-05-01T12:00"), "9.jpg: no such file"),
        (("--deployment", "a", "--detectors", "eyes"), "--detectors 'eyes'"),
        (("--pattern", "{place}"), "expected --deployment NAME too"),
        (("--pattern", "{place}/{deployment}", "--start", "2026-05-01"), "--start describes one deployment"),
        (("--deployment", "a", "--processes", "-1"), "--processes -1"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    picture(tmp_path / "card" / "1.jpg", DAY, GREY, 1)
    assert main(["import", "card", str(tmp_path / "card"), *words, "--data", str(tmp_path / "data")]) == 1
    assert problem in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "card", str(tmp_path / "gone"), "--deployment", "a", "--data", str(tmp_path)]) == 1
    assert "expected a folder or a mounted card" in capsys.readouterr().err


def test_two_imports_into_one_data_folder_do_not_run_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    picture(tmp_path / "card" / "1.jpg", DAY, GREY, 1)
    problems: list[str] = []

    def second(*_: object) -> None:
        try:
            Server(server.data).take_in(tmp_path / "card", Placement(DEPLOYMENT))
        except OSError as error:
            problems.append(str(error))

    server.take_in(tmp_path / "card", on_progress=second)
    assert len(problems) == 1 and "imports a card into this data folder" in problems[0]
