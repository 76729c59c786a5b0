"""Files are flushed before they count as written: many of them with one call of the system."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contract import durable_file
from contract.durable_file import file_system_flush, files_synced
from tests.repository import REPOSITORY

BATCH = """
import sys
from pathlib import Path
from contract.durable_file import files_synced
root = Path(sys.argv[1])
with files_synced(root) as written:
    for number in range(40):
        path = root / f"{number % 8}" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(20_000))
        written.append(path)
"""


def calls_of_a_batch(root: Path) -> dict[str, int]:
    """Write 40 files in 8 folders under strace, and return how often each kind of flush was called."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (apt install strace)")
    output = root.parent / "calls"
    command = [strace, "-f", "-o", str(output), "-e", "trace=fsync,fdatasync,syncfs,sync", sys.executable, "-c", BATCH]
    ended = subprocess.run([*command, str(root)], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    if "PTRACE" in ended.stderr or "Operation not permitted" in ended.stderr:
        pytest.skip("this system does not allow strace")
    assert ended.returncode == 0, ended.stderr
    text = output.read_text()
    return {name: text.count(f"{name}(") for name in ("fsync", "fdatasync", "syncfs")}


def test_a_batch_of_files_in_many_folders_is_flushed_by_one_call(tmp_path: Path) -> None:
    if file_system_flush() is None:
        pytest.skip("this system has no syncfs that reports errors")
    (tmp_path / "root").mkdir()
    assert calls_of_a_batch(tmp_path / "root") == {"fsync": 0, "fdatasync": 0, "syncfs": 1}


@pytest.mark.parametrize("denied", ["absent", "filtered"])
def test_without_syncfs_every_file_and_every_folder_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    monkeypatch.setattr(durable_file, "file_system_flush", lambda: None if denied == "absent" else lambda handle: False)
    flushed: list[Path] = []
    actual = os.fsync

    def fsync(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").resolve())
        actual(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with files_synced(tmp_path) as written:
        for name in ("a/1", "a/2", "b/1"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"1")
            written.append(tmp_path / name)
    assert set(flushed) == {tmp_path, *(tmp_path / name for name in ("a", "b", "a/1", "a/2", "b/1"))}


def test_a_disk_that_fails_to_flush_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: int) -> bool:
        raise OSError(errno.EIO, "syncfs: Input/output error")

    monkeypatch.setattr(durable_file, "file_system_flush", lambda: fail)
    with pytest.raises(OSError, match="Input/output error"), files_synced(tmp_path) as written:
        (tmp_path / "1").write_bytes(b"1")
        written.append(tmp_path / "1")
