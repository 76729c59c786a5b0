"""`wildpost deployments`: a correction of a clock is recorded, applied, listed and undone by the command."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from contract import Clock, encode
from contract.examples import EVENT
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery, Received
from wildpost.cli.main import main

RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
PERIOD = ["--from", "2000-01-01T00:00", "--to", "2000-01-02T00:00"]
WHO = ["--reason", "batteries changed", "--as", "Li"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A server's data folder with one capture of 1 January 2000, 01:00 in Shanghai."""
    Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}").close()
    clock = Clock(source="none", synchronised=False)
    event = msgspec.structs.replace(EVENT, captured_at=datetime(1999, 12, 31, 17, tzinfo=UTC), clock=clock)
    store = DuckDbStore(tmp_path / "detections.duckdb")
    store.write([Received(event, encode(event), RECEIVED)])
    store.close()
    return tmp_path


def listed_at(folder: Path) -> datetime:
    store = DuckDbStore(folder / "detections.duckdb", read_only=True)
    (found,) = store.listing(EventQuery())
    store.close()
    return found.listed_at


def run(folder: Path, *words: str) -> int:
    return main(["deployments", *words, "--data", str(folder)])


@pytest.mark.parametrize(
    "shift",
    [
        ["--by", "9596d13h"],
        ["--was", "2000-01-01T01:00", "--is", "2026-04-10T14:00"],
        ["--was", "2000-01-01T01:00+08:00", "--is", "2026-04-10T06:00+00:00"],
    ],
)
def test_a_clock_is_corrected_listed_and_undone(
    shift: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed_at(folder) == RECEIVED
    assert run(folder, "shift-clock", "lake-07", "camera", *PERIOD, *shift, *WHO) == 0
    assert "correction 1 is in force for 1 captures" in capsys.readouterr().out
    assert listed_at(folder) == datetime(2026, 4, 10, 6, tzinfo=UTC)
    assert run(folder, "clock-shifts") == 0
    line = capsys.readouterr().out
    assert line.startswith("1: lake-07 camera, 1999-12-31T16:00:00+00:00 to 2000-01-01T16:00:00+00:00: +9596 days, 13:")
    assert "by Li on" in line and "batteries changed" in line
    assert run(folder, "undo-shift", "1", "--as", "Wang") == 0
    assert listed_at(folder) == RECEIVED
    assert run(folder, "clock-shifts") == 0
    assert "undone by Wang" in capsys.readouterr().out


def test_while_a_server_runs_the_correction_is_recorded_for_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = str(folder / "detections.duckdb")
    hold = f"import duckdb, sys; c = duckdb.connect({database!r}); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdout.readline() == b"up\n"
        assert run(folder, "shift-clock", "lake-07", "camera", *PERIOD, "--by=-8h", *WHO) == 0
        assert server.stdin is not None
        server.stdin.close()
    assert "the running server applies this within seconds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "8"], "--by '8': expected days, hours, minutes, seconds such as 8h"),
        (["--by", ""], "--by ''"),
        (["--by", "0h"], "expected one other than 0"),
        (["--by", "99999d99999999999999h"], "expected less than 100 years"),
        (["--was", "2000-01-01T01:00"], "expected either --by SHIFT, or --was TIME and --is TIME"),
        ([], "expected either --by SHIFT"),
        (["--was", "yesterday", "--is", "2026-04-10T14:00"], "--was 'yesterday': expected a time such as"),
        (["--was", "0001-01-01T01:00", "--is", "2026-04-10T14:00"], "expected a year from 2 to 9998"),
        (["--by", "1h", "--to", "1999-01-01"], "expected a time after its start"),
        (["--by", "1h", "--time-zone", "Mars/Olympus"], "--time-zone 'Mars/Olympus': expected a name such as"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_recorded(
    words: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "shift-clock", "lake-07", "camera", *PERIOD, *words, *WHO) == 1
    assert said in capsys.readouterr().err
    assert run(folder, "clock-shifts") == 0
    assert "No corrections" in capsys.readouterr().out


def test_a_folder_without_a_server_s_data_is_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "clock-shifts") == 1
    assert "detections.duckdb: no such database" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
