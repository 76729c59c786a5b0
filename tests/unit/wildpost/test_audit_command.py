"""`wildpost audit` lists the log and tells whether it is whole."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from casebook.access.actor import Actor
from casebook.access.audit import AuditLog
from casebook.casebook import Casebook
from casebook.incidents.database import Database
from wildpost.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    log = AuditLog(Database(casebook.engine))
    log.append(Actor("7", "李敏", "县林业局", address="192.0.2.7"), "signed in")
    log.append(Actor("7", "李敏", "县林业局", address="192.0.2.7"), "exported", "/trends.csv\n9 forged", "小结")
    casebook.close()
    return tmp_path


def run(folder: Path, *words: str) -> int:
    return main(["audit", *words, "--data", str(folder)])


def test_entries_are_listed_newest_first_one_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "list") == 0
    newest, first = capsys.readouterr().out.splitlines()
    assert newest.startswith("2 ") and newest.endswith(
        "李敏 (县林业局) 192.0.2.7: exported /trends.csv·9 forged [小结]"
    )
    assert first.endswith("UTC 李敏 (县林业局) 192.0.2.7: signed in")
    assert run(folder, "list", "--limit", "1", "--json") == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["sequence"], entry["unit"], entry["reason"]) == (2, "县林业局", "小结")
    assert run(folder, "list", "--limit", "0") == 1


def test_a_whole_log_prints_what_to_note_and_the_note_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "verify") == 0
    said = capsys.readouterr().out
    assert "2 entries, none is missing or altered" in said
    noted = said.strip().rpartition(" ")[2]
    assert run(folder, "verify", "--noted", noted) == 0
    assert run(folder, "verify", "--noted", f"2:{'0' * 64}") == 1
    assert "not the noted one" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(folder, "verify", "--noted", "two")


def test_an_altered_log_is_named_and_gives_exit_status_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(folder / "casebook.sqlite")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("UPDATE audit_entry SET name = 'Wang' WHERE sequence = 1")
        connection.execute("DROP TRIGGER audit_entry_update")
        connection.execute("UPDATE audit_entry SET name = 'Wang' WHERE sequence = 1")
        connection.commit()
    assert run(folder, "verify") == 1
    assert "entry 1 was altered" in capsys.readouterr().out


def test_an_empty_log_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}").close()
    assert run(tmp_path, "verify") == 0
    assert capsys.readouterr().out == "0 entries, none is missing or altered\n"
