"""A bundle is read back as it was written; damage costs what it lies in, and nothing in a bundle does harm."""

import io
import os
import random
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from contract.bundle.documents import (
    BundleEntry,
    BundleUnreadable,
    Manifest,
    Receipt,
    ReceivedEntry,
    decode_document,
    encode_document,
    message_sha256,
    station_in_name,
)
from contract.bundle.reader import BundleReader, EntryRead
from contract.bundle.writer import write_bundle
from contract.durable_file import durable_file

AT = datetime(2026, 4, 12, 5, 41, tzinfo=UTC)
TOPIC = "wildpost/v1/lake-07/event"
PAYLOADS = [bytes([number]) * (number * 300) for number in range(10)]


def manifest(payloads: list[bytes], station: str = "lake-07") -> Manifest:
    entries = tuple(
        BundleEntry(number=number, topic=TOPIC, size=len(payload), sha256=message_sha256(TOPIC, payload))
        for number, payload in enumerate(payloads, 1)
    )
    return Manifest(station=station, created_at=AT, entries=entries)


def written(folder: Path) -> Path:
    return write_bundle(folder, manifest(PAYLOADS), PAYLOADS)


def read(path: Path) -> list[EntryRead]:
    with BundleReader(path) as bundle:
        return list(bundle.entries())


def tar_of(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def test_a_bundle_is_read_back_as_it_was_written_and_any_tar_program_lists_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert [one.payload for one in read(path)] == PAYLOADS
    assert not any(one.reason for one in read(path))
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["manifest.json", *(f"messages/{number:06}" for number in range(10))]
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"
    assert station_in_name(path.name) == "lake-07"


def test_the_same_bundle_written_twice_is_one_file(tmp_path: Path) -> None:
    assert written(tmp_path) == written(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_truncated_bundle_gives_what_lies_before_the_end(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 251):
        path.write_bytes(whole[:size])
        try:
            found = read(path)
        except BundleUnreadable:
            continue
        usable = [one.payload for one in found if one.reason is None]
        assert usable == PAYLOADS[: len(usable)]
        assert all(one.missing for one in found[len(usable) :])
    path.write_bytes(whole[:-2000])
    assert [one.missing for one in read(path)] == [False] * 9 + [True]


def test_a_flipped_bit_never_changes_a_message(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    seeded = random.Random(7)
    for _ in range(300):
        torn = bytearray(whole)
        torn[seeded.randrange(len(whole))] ^= 1 << seeded.randrange(8)
        path.write_bytes(torn)
        try:
            found = read(path)
        except BundleUnreadable:
            continue
        for one in found:
            assert one.reason or message_sha256(one.entry.topic, one.payload) == one.entry.sha256
        # A changed hash, topic or size in the manifest can cost every entry behind it, a changed payload only its own.
        assert all(one.payload in PAYLOADS and one.entry.topic == TOPIC for one in found if one.reason is None)


def test_a_damaged_payload_costs_its_own_entry_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    torn = path.read_bytes().replace(bytes([5]) * 1000, bytes([6]) * 1000, 1)
    path.write_bytes(torn)
    assert [one.reason for one in read(path)] == [None] * 5 + ["hash"] + [None] * 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a tar archive"),
        (b"x" * 2000, "not a tar archive"),
        (tar_of(("../../etc/passwd", b"x")), "begins with '../../etc/passwd'"),
        (tar_of(("manifest.json", b"")), "Input data was truncated"),
        (tar_of(("manifest.json", b"{" * 100_000)), "manifest:"),
        (tar_of(("manifest.json", b"[" * 200_000)), "manifest:"),
        (tar_of(("manifest.json", b"x"), kind=tarfile.SYMTYPE), "expected manifest.json"),
        (tar_of(("manifest.json", b'{"signed": {"station": "a"}}')), "missing required field"),
        (tar_of(("manifest.json", encode_document(manifest([])).replace(b'"1.0"', b'"9.0"'))), "format '9.0'"),
    ],
)
def test_a_bundle_that_is_none_is_refused_with_its_reason(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wildpost.tar"
    path.write_bytes(content)
    with pytest.raises(BundleUnreadable, match=said.replace("(", r"\(")):
        read(path)


def test_sizes_that_lie_are_not_read(tmp_path: Path) -> None:
    entry = BundleEntry(number=1, topic=TOPIC, size=2**50, sha256="0" * 64)
    path = tmp_path / "a.wildpost.tar"
    lying = Manifest(station="lake-07", created_at=AT, entries=(entry,))
    path.write_bytes(tar_of(("manifest.json", encode_document(lying))))
    assert read(path)[0].reason == "size"
    header = bytearray(path.read_bytes())
    info = tarfile.TarInfo("manifest.json")
    info.size = 7 * 10**9
    header[:512] = info.tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(header)
    with pytest.raises(BundleUnreadable, match="manifest of 7000000000 bytes"):
        read(path)


def test_more_entries_than_allowed_are_refused(tmp_path: Path) -> None:
    entry = BundleEntry(number=1, topic="t", size=0, sha256="0" * 64)
    path = tmp_path / "a.wildpost.tar"
    many = Manifest(station="lake-07", created_at=AT, entries=(entry,) * 100_001)
    path.write_bytes(tar_of(("manifest.json", encode_document(many))))
    with pytest.raises(BundleUnreadable, match="length <= 100000"):
        read(path)


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    written(tmp_path).rename(tmp_path / "target")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(BundleUnreadable, match="not a regular file"):
            read(tmp_path / name)


def test_a_file_whose_writing_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(OSError, match="unplugged"), durable_file(tmp_path / "old") as file:
        file.write(b"new")
        raise OSError("unplugged")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_a_receipt_has_a_place_for_a_signature_over_its_exact_bytes() -> None:
    receipt = Receipt(
        station="lake-07", bundle="b", received_at=AT, entries=(ReceivedEntry(number=1, sha256="0" * 64),)
    )
    document = encode_document(receipt)
    assert decode_document(document, Receipt) == receipt
    assert msgspec.json.decode(document)["signature"] is None
    assert msgspec.json.encode(receipt) in document
