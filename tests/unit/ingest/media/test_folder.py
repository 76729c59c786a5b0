"""A server that was killed while it wrote leaves nothing that is taken for content."""

import hashlib
import stat
from pathlib import Path

import pytest

from contract import durable_file
from ingest.media.folder import FolderMedia

DATA = b"a picture"
HASH = hashlib.sha256(DATA).hexdigest()


def test_a_half_written_file_of_a_killed_server_is_not_taken_for_content(tmp_path: Path) -> None:
    media = FolderMedia(tmp_path / "媒体")
    media.put(DATA, HASH)
    (tmp_path / "媒体" / HASH[:2] / ".tmpabc").write_bytes(b"half")
    media.put(DATA, HASH)
    with media.open(HASH) as file:
        assert file.read() == DATA
    assert list(media.names()) == [HASH]


def test_a_file_that_a_power_failure_left_without_content_is_written_when_its_message_comes_again(
    tmp_path: Path,
) -> None:
    media = FolderMedia(tmp_path)
    media.put(DATA, HASH)
    for left in (b"", bytes(len(DATA))):
        (tmp_path / HASH[:2] / HASH).write_bytes(left)
        media.put(DATA, HASH)
        with media.open(HASH) as file:
            assert file.read() == DATA


def test_a_batch_is_flushed_once_and_a_repeated_batch_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    there: list[int] = []

    def flush(handle: int) -> bool:
        flushed.append(handle)
        there.append(len(list(media.names())))
        return True

    monkeypatch.setattr(durable_file, "file_system_flush", lambda: flush)
    media = FolderMedia(tmp_path)
    batch = {hashlib.sha256(data).hexdigest(): data for data in (bytes([number]) for number in range(30))}
    media.put_all(batch)
    assert there == [30], "everything was written before the flush"
    # The server may have been killed between the renames and the flush: the repeated message is flushed too.
    media.put_all(batch)
    assert len(flushed) == 2


def test_a_batch_with_a_wrong_hash_is_not_written_at_all(tmp_path: Path) -> None:
    media = FolderMedia(tmp_path)
    with pytest.raises(ValueError, match="expected"):
        media.put_all({HASH: DATA, "0" * 64: DATA})
    assert list(media.names()) == []


def test_media_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    media = FolderMedia(tmp_path / "media")
    media.put(DATA, HASH)
    part = tmp_path / "media" / HASH[:2]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (part.parent, part, part / HASH)] == [0o700, 0o700, 0o600]
