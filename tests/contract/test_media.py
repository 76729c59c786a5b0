"""What every place for media must do, run against a folder and against a bucket of a server that speaks S3."""

import hashlib
from pathlib import Path

import pytest

from contract.errors import StoreUnavailable
from ingest.media.folder import FolderMedia
from ingest.media.port import MediaMissing, MediaStore
from ingest.media.s3 import MediaOptions, S3Media
from tests.s3_server import KEY, SECRET, S3Server

DATA = b"a picture"
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "s3"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    if request.param == "folder":
        return FolderMedia(tmp_path / "媒体")
    server: S3Server = request.getfixturevalue("s3")
    return server.media("a/b")


@pytest.mark.parametrize("data", [b"", DATA, bytes(range(256)) * 30_000], ids=["empty", "short", "7.7 MB"])
def test_what_was_put_is_read_back_however_often_it_is_put(media: MediaStore, data: bytes) -> None:
    name = hashlib.sha256(data).hexdigest()
    media.put(data, name)
    media.put(data, name)
    with media.open(name) as file:
        assert file.read(3) == data[:3]
        assert file.read() == data[3:]


def test_bytes_under_another_hash_are_refused(media: MediaStore) -> None:
    with pytest.raises(ValueError, match=f"content has sha256 {HASH}, expected {'0' * 64}"):
        media.put(DATA, "0" * 64)
    assert list(media.names()) == []


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64, "0" * 64 + "\n"])
def test_what_is_not_there_is_missing_and_no_name_leads_elsewhere(media: MediaStore, name: str) -> None:
    media.put(DATA, HASH)
    with pytest.raises(MediaMissing):
        media.open(name)


def test_all_that_is_there_is_listed_in_order(media: MediaStore) -> None:
    contents = {hashlib.sha256(data).hexdigest(): data for data in (bytes([number]) for number in range(40))}
    for name, data in contents.items():
        media.put(data, name)
    assert list(media.names()) == sorted(contents)


def test_a_bucket_that_is_not_there_or_a_key_that_is_not_known_is_no_missing_picture(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = S3Media(MediaOptions(url="s3://nowhere", endpoint=s3.endpoint, timeout_s=2))
    for asked in (lambda: media.open(HASH), lambda: media.put(DATA, HASH), lambda: list(media.names())):
        with pytest.raises(StoreUnavailable, match=r"media in s3://nowhere: .*NoSuchBucket"):
            asked()
    there = s3.options()
    s3.stop()
    with pytest.raises(StoreUnavailable) as away:
        S3Media(there).open(HASH)
    assert KEY not in str(away.value)
    assert SECRET not in str(away.value)
    monkeypatch.delenv("WILDPOST_S3_SECRET")
    with pytest.raises(OSError, match="WILDPOST_S3_KEY and WILDPOST_S3_SECRET are not both set"):
        S3Media(there)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://bucket", ""),
        ("s3://", ""),
        ("s3://key:secret@b", ""),
        ("s3://b", "minio:9000"),
        ("s3://b", "http://k@m"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(url: str, endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"media (url|endpoint).*: expected a URL such as|expected s3://BUCKET/PREFIX"):
        MediaOptions(url=url, endpoint=endpoint)
