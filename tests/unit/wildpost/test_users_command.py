"""`wildpost users` and `wildpost areas`, as an administrator types them."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from casebook.access.accounts import Accounts
from casebook.access.actor import ROLES
from casebook.access.audit import AuditLog
from casebook.access.passwords import Passwords
from casebook.casebook import Casebook
from casebook.incidents.database import Database
from ingest.receive.mqtt.options import CLIENT_ID
from wildpost.cli import users
from wildpost.cli.main import main
from wildpost.settings.installation import installation

PASSWORD = "correct horse battery"
ADMINISTRATOR = ["add", "zhao", "--display-name", "赵", "--role", "administrator", "--all-areas"]


@pytest.fixture
def password(tmp_path: Path) -> list[str]:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\nwhat follows is not read")
    return ["--password-file", str(file)]


def run(folder: Path, *words: str, command: str = "users") -> int:
    return main([command, *words, "--data", str(folder)])


def stored_hash(folder: Path, name: str) -> str:
    casebook = Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")
    found = Accounts(Database(casebook.engine)).find(name)
    casebook.close()
    assert found is not None
    return found[1]


def test_the_command_offers_the_roles_there_are() -> None:
    assert users.ROLES == ROLES


def test_the_first_account_is_made_before_the_server_has_run(
    tmp_path: Path, password: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    assert run(folder, *ADMINISTRATOR, *password) == 0
    assert capsys.readouterr().out == "account zhao: administrator\n"
    assert Passwords().verify(stored_hash(folder, "zhao"), PASSWORD)
    assert (folder / "casebook.sqlite").stat().st_mode & 0o077 == 0
    # Two servers whose first account was made before their first start must not share a session at the broker.
    assert installation(folder).client_id.startswith(f"{CLIENT_ID}-")


def test_an_account_is_listed_changed_and_disabled(
    tmp_path: Path, password: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *ADMINISTRATOR, *password) == 0
    assert run(tmp_path, "set", "北片", "--station", "ridge-07", "--station", "lake-07", command="areas") == 0
    words = ["--display-name", "李敏", "--unit", "县林业局", "--role", "analyst", "--role", "ranger", "--area", "北片"]
    assert run(tmp_path, "add", "LiMin", *words, *password) == 0
    capsys.readouterr()
    assert run(tmp_path, "list") == 0
    listed = capsys.readouterr().out
    assert "limin: 李敏, 县林业局; ranger, analyst; 北片; enabled\n" in listed
    assert "zhao: 赵; administrator; all areas; enabled\n" in listed
    assert run(tmp_path, "change", "limin", "--role", "ranger") == 0
    assert run(tmp_path, "disable", "limin") == 0
    capsys.readouterr()
    assert run(tmp_path, "list", "--json") == 0
    found = json.loads(capsys.readouterr().out)[0]
    assert (found["roles"], found["areas"], found["disabled_at"] is None) == (["ranger"], ["北片"], False)
    assert run(tmp_path, "enable", "limin") == 0
    assert run(tmp_path, "sign-out", "limin") == 0
    assert "0 sessions ended" in capsys.readouterr().out
    assert run(tmp_path, "list", command="areas") == 0
    assert capsys.readouterr().out == "北片: lake-07, ridge-07\n"
    assert run(tmp_path, "remove", "北片", command="areas") == 1
    assert "account 'limin' has it" in capsys.readouterr().err


def test_a_new_password_replaces_the_old_one(tmp_path: Path, password: list[str]) -> None:
    assert run(tmp_path, *ADMINISTRATOR, *password) == 0
    other = tmp_path / "other"
    other.write_text("another horse battery\r\n")
    assert run(tmp_path, "reset-password", "zhao", "--password-file", str(other)) == 0
    assert Passwords().verify(stored_hash(tmp_path, "zhao"), "another horse battery")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["disable", "nobody"], "no such account"),
        (["change", "zhao"], "nothing to change"),
        (["change", "zhao", "--area", "south"], "areas ['south']"),
        (ADMINISTRATOR, "exists already"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    words: list[str], problem: str, tmp_path: Path, password: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *ADMINISTRATOR, *password) == 0
    assert run(tmp_path, *words, *(password if words[0] == "add" else ())) == 1
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("text", ["short", "zhao zhao zhao", "\n"])
def test_a_weak_password_makes_no_account(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "password").write_text(text)
    assert run(tmp_path, *ADMINISTRATOR, "--password-file", str(tmp_path / "password")) == 1
    assert "password" in capsys.readouterr().err
    assert not (tmp_path / "casebook.sqlite").exists()


def test_a_folder_without_a_casebook_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none", "list") == 1
    assert "no such casebook" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_the_password_is_asked_for_twice_without_showing_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wildpost", "users", *ADMINISTRATOR, "--data", str(tmp_path / "data")]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    for _ in range(2):
        while not shown.endswith(b": "):
            shown += os.read(ours, 1000)
        os.write(ours, f"{PASSWORD}\n".encode())
        shown += b"\n"
    try:
        while part := os.read(ours, 1000):
            shown += part
    except OSError:  # the terminal is closed
        pass
    assert process.wait(60) == 0, shown
    os.close(ours)
    assert b"account zhao" in shown and PASSWORD.encode() not in shown


def test_without_a_terminal_a_file_is_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wildpost", "users", *ADMINISTRATOR, "--data", str(tmp_path)]
    found = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, "--password-file" in found.stderr) == (1, True)


def test_the_audit_log_names_who_ran_the_command(tmp_path: Path, password: list[str]) -> None:
    run(tmp_path, *ADMINISTRATOR, *password)
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    (entry,) = AuditLog(Database(casebook.engine)).entries()
    casebook.close()
    assert entry.action == "account added"
    assert entry.name.endswith(" (command line)")
