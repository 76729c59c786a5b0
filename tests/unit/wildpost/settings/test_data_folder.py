"""The data folder: for its owner only, and refused where other users could replace the data."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listed_folders import note_listed_folders
from wildpost.settings.data_folder import data_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_data_folder_is_for_its_owner_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = os.umask(0)
    try:
        data_folder(tmp_path / "new" / "data")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new" / "data") == mode(tmp_path / "new") == 0o700
    assert not caplog.records


def test_data_of_an_earlier_version_is_restricted_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    (data / "media" / "ab").mkdir(parents=True)
    for name in ("casebook.sqlite", "casebook.sqlite-wal", "detections.duckdb", "media/ab/abcd"):
        (data / name).touch()
    for path in (data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    data_folder(data)
    assert {mode(path) for path in (data, *data.rglob("*"))} == {0o700, 0o600}
    assert "7 files and folders could be read by other users; now only their owner can" in caplog.text
    caplog.clear()
    data_folder(data)
    assert not caplog.records


def test_a_start_does_not_read_the_names_of_the_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    shard = data / "media" / "ab"
    for folder in (data, data / "media", shard):
        folder.mkdir(mode=0o700)
    read = note_listed_folders(monkeypatch)
    data_folder(data)
    assert shard not in read
    shard.chmod(0o755)
    data_folder(data)
    assert (shard in read, mode(shard)) == (True, 0o700)


def test_files_of_others_in_the_folder_keep_their_mode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "web.html").touch()
    (data / "web.html").chmod(0o644)
    (data / "casebook.sqlite").touch()
    (data / "casebook.sqlite").chmod(0o644)
    data_folder(data)
    assert (mode(data / "web.html"), mode(data / "casebook.sqlite")) == (0o644, 0o600)
    if os.geteuid() == 0:  # as root, the folder could be one of the system's
        assert mode(data) == 0o755
        assert "contains other files too (web.html)" in caplog.text


def test_a_folder_such_as_tmp_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "of another program").touch()
    with pytest.raises(
        PermissionError, match="every user can write to this folder; the data needs a folder of its own"
    ):
        data_folder(tmp_path)
    assert mode(tmp_path) == 0o1777


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])  # noqa: S108
def test_the_folders_that_all_users_share_are_refused_even_if_they_are_empty(folder: str) -> None:
    before = mode(Path(folder))
    with pytest.raises(PermissionError, match="the data needs a folder of its own"):
        data_folder(Path(folder))
    assert mode(Path(folder)) == before


def test_an_empty_file_system_with_the_mode_of_tmp_is_accepted_and_restricted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "lost+found").mkdir()
    data_folder(tmp_path)
    assert mode(tmp_path) == 0o700
    assert "now only their owner can" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to run as another user")
@pytest.mark.parametrize(("wide", "refused"), [(0o777, True), (0o775, False)])
def test_a_folder_of_another_user_is_refused_or_warned_about(wide: int, refused: bool, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(wide)
    os.chown(data, 0, 65534)
    program = (
        "import os; from pathlib import Path; from wildpost.settings.data_folder import data_folder; "
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); data_folder(Path('/proc/self/cwd'))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=data, capture_output=True, text=True, check=False)
    if refused:
        assert "PermissionError" in ended.stderr
        assert "every user can write to this folder" in ended.stderr
    else:
        assert ended.returncode == 0, ended.stderr
        assert "belongs to another user (uid 0)" in ended.stderr
