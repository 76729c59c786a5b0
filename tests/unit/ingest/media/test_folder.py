"""A server that was killed while it wrote leaves nothing that is taken for content."""

import hashlib
from pathlib import Path

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
