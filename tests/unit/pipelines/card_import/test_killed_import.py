"""An import that is killed at any instant goes on where it was: nothing is missing, and nothing is there twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cards import Server, make_card
from tests.eventually import eventually
from tests.repository import REPOSITORY


def start(card: Path, data: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.cards", str(card), str(data)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def kill_after(files: int, card: Path, data: Path) -> None:
    """Start an import, and kill its first process when it has worked off so many files."""
    process = start(card, data)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(files)]
    children = workers_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all(lines)
    eventually(lambda: not any(Path(f"/proc/{one}/stat").exists() for one in children), "the workers end too")


def workers_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def finish(card: Path, data: Path) -> dict[str, Any]:
    process = start(card, data)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    account: dict[str, Any] = json.loads(out.splitlines()[-1])
    return account


def test_an_import_that_is_killed_twice_ends_with_every_capture_once(tmp_path: Path) -> None:
    card, server = tmp_path / "card", Server(tmp_path / "data")
    expected = make_card(card)
    for files in (6, 19):  # the last is the number of its files: only effort and delivery are left
        kill_after(files, card, server.data)
    account = finish(card, server.data)
    events = server.events()
    assert len(events) == len({event.event_id for event in events}) == expected
    assert account["new"] + account["imported_before"] + account["repeated_on_card"] == expected + 1
    assert (account["undelivered"], len(account["set_aside"])) == (0, 3)
    sizes = [len([one for one in events if one.visit_id == visit]) for visit in {event.visit_id for event in events}]
    assert sorted(sizes)[-3:] == [3, 3, 3]
