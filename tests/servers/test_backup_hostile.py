"""Archives that somebody made to fill the disk, to escape from the folder or to confuse: all are refused."""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.servers.test_backup_damage import contents, fill, plan
from wildpost.backup.create import make_backup
from wildpost.backup.errors import BadArchive, CannotBackUp
from wildpost.backup.restore import check, restore
from wildpost.backup.tar_reader import TarReader
from wildpost.backup.unpacking import unpack

TERABYTE = 1 << 40


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    for attribute, value in more.items():
        setattr(member, attribute, value)
    return member.tobuf(tarfile.PAX_FORMAT)


def checked(block: bytearray) -> bytes:
    """Write the checksum of a header into the header."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def gnu_sparse(real: int) -> bytes:
    """A header of GNU tar's old form: 512 bytes of content stand for ``real`` bytes."""
    member = tarfile.TarInfo("settings/bomb")
    member.size, member.type = 512, tarfile.GNUTYPE_SPARSE
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    for place, number in ((386, 0), (398, 512), (410, real), (422, 0), (483, real)):
        block[place : place + 12] = b"%011o\0" % number
    block[482] = 0
    return checked(block) + b"x" * 512


def pax_sparse(**values: str) -> bytes:
    return header("settings/bomb", 512, pax_headers={name.replace("__", "."): value for name, value in values.items()})


SPARSE = {
    "GNU": gnu_sparse(3 << 30),
    "PAX 0.0": pax_sparse(GNU__sparse__size=str(TERABYTE), GNU__sparse__numblocks="1", GNU__sparse__offset="0"),
    "PAX 0.1": pax_sparse(GNU__sparse__size=str(TERABYTE), GNU__sparse__map="0,512", GNU__sparse__name="settings/bomb"),
    "PAX 1.0": pax_sparse(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__realsize=str(TERABYTE)),
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    fill(tmp_path / "data")
    return make_backup(plan(tmp_path / "data"), tmp_path / "all.tar").path


def after_header(archive: Path, data: bytes) -> None:
    """Put ``data`` after the first entry of an archive, and end the archive there."""
    with tarfile.open(archive) as tar:
        second = tar.getmembers()[1].offset
    archive.write_bytes(archive.read_bytes()[:second] + data + bytes(1024))


def refused(archive: Path, match: str = ".") -> None:
    target = archive.parent / "new"
    target.mkdir(exist_ok=True)
    with pytest.raises(BadArchive, match=match) as raised:
        restore(archive, target)
    assert str(archive) in str(raised.value)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("form", SPARSE)
def test_a_sparse_file_is_refused_by_its_header(form: str, archive: Path) -> None:
    after_header(archive, SPARSE[form] + b"x" * 512)
    refused(archive, r"no valid header of a POSIX tar|which no backup has")


@pytest.mark.parametrize("size", [2_000_000, TERABYTE, 10**17])
def test_a_size_beyond_the_archive_is_refused_before_anything_is_read(size: int, archive: Path) -> None:
    after_header(archive, header("settings/bomb", size) + bytes(512))
    refused(archive, rf"claims {size} bytes; at most \d+ bytes follow")


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE),
        *(tarfile.CONTTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE, b"A", b"Z"),
    ],
)
def test_whatever_is_not_a_regular_file_is_refused(kind: bytes, archive: Path) -> None:
    after_header(archive, header("settings/x", 0, kind, linkname="/etc/passwd"))
    refused(archive, "is not a regular file")


@pytest.mark.parametrize("key", ["linkpath", "hdrcharset", "SCHILY.xattr.user.x", "mtime", "uname", "comment"])
def test_an_extended_header_with_more_than_path_and_size_is_refused(key: str, archive: Path) -> None:
    after_header(archive, header("settings/x", 0, pax_headers={key: "/etc/passwd"}))
    refused(archive, "which no backup has")


def pax(records: bytes, name: str = "settings/x") -> bytes:
    padded = records + bytes(-len(records) % 512)
    return checked(bytearray(header(name, len(records), tarfile.XHDTYPE))) + padded + header(name, 0)


@pytest.mark.parametrize(
    "records",
    [
        b"9 path=\n",
        b"99999 path=settings/x\n",
        b"0 path=settings/x\n",
        b"-1 path=settings/x\n",
        b"22 path=settings/bad\xff\n",
        b"14 size=-99999\n"[:14],
        b"11 size=1e9\n",
        b"10 size=1\n" * 2,
        b"path=settings/x\n",
        b"x" * 9000,
    ],
)
def test_a_broken_extended_header_is_refused(records: bytes, archive: Path) -> None:
    after_header(archive, pax(records))
    refused(archive)


def test_a_size_in_base_256_is_refused(archive: Path) -> None:
    block = bytearray(header("settings/x", 0))
    block[124:136] = b"\x80" + (TERABYTE).to_bytes(11)
    after_header(archive, checked(block))
    refused(archive, "is not octal")


@pytest.mark.parametrize(
    "names",
    [
        ("settings/x", "settings/x"),
        ("workers.json", "workers.json"),
        ("settings/x", "settings/x/y"),
        ("settings/x/y", "settings/x"),
        ("media/ab/ab" + "0" * 62,) * 2,
        ("media/ab/ab" + "1" + "0" * 61, "media/ab/ab" + "0" * 62),
    ],
)
def test_two_entries_at_one_place_are_refused(names: tuple[str, str], archive: Path) -> None:
    after_header(archive, b"".join(header(name, 0) for name in names))
    refused(archive, "is there twice|both a file and a folder|is damaged")


@pytest.mark.parametrize(
    "name",
    [
        *("settings", "settings/", "settings//x", "settings/./x", "./settings/x", "settings/../x", "settings/..", "/x"),
        *("settings/a\nb", "settings/\x1b[2J", "broker/" + "n" * 256, "settings/" + "d/" * 2100 + "x", "other/x"),
        *("casebook.sqlite-wal", "CASEBOOK.SQLITE", "media/../settings/x", "media/AB/AB" + "0" * 62, "", "."),
    ],
)
def test_names_that_no_backup_has_are_refused(name: str, archive: Path) -> None:
    after_header(archive, header(name, 0))
    refused(archive)


def test_more_files_than_a_backup_has_are_refused(archive: Path) -> None:
    after_header(archive, b"".join(header(f"settings/{number}", 0) for number in range(10_001)))
    refused(archive, "beyond the 10000 files")


@pytest.mark.parametrize(
    "rest", [b"x", b"x" * 100_000, bytes(100_000), header("settings/x", 0), b"\0" * 512 + b"x" * 512]
)
def test_data_after_the_end_are_refused(rest: bytes, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes() + rest)
    refused(archive, "follow")


def test_an_entry_after_the_manifest_is_refused(archive: Path) -> None:
    whole = archive.read_bytes().rstrip(b"\0")
    whole += bytes(-len(whole) % 512)
    archive.write_bytes(whole + header("settings/x", 0) + bytes(1024))
    refused(archive, "another entry follows: 'settings/x'")


def test_a_compressed_archive_is_refused(archive: Path) -> None:
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    refused(archive, "not a backup of Wildpost")


def test_an_archive_larger_than_the_free_space_is_refused_before_it_is_unpacked(archive: Path) -> None:
    target = archive.parent / "new"
    target.mkdir()
    with archive.open("r+b") as file:
        file.truncate(1 << 43)  # sparse on this disk
    with pytest.raises(CannotBackUp, match="MB free"):
        restore(archive, target)
    assert list(target.iterdir()) == []


def test_a_manifest_of_one_endless_line_is_not_read_into_memory(archive: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from wildpost.backup.errors import BadArchive
from wildpost.backup.restore import restore
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    restore(Path(sys.argv[1]), Path(sys.argv[2]))
except BadArchive:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    size = 300_000_000
    after_header(archive, header("manifest.jsonl", size) + b"x" * (size + -size % 512))
    target = archive.parent / "new"
    target.mkdir()
    ran = subprocess.run([sys.executable, "-c", program, archive, target], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 150_000, "kilobytes"
    assert list(target.iterdir()) == []


def test_an_entry_is_refused_before_a_byte_of_it_is_written(archive: Path, tmp_path: Path) -> None:
    after_header(archive, header("settings/first", 3) + b"one".ljust(512, b"\0") + header("settings/bomb", TERABYTE))
    (tmp_path / "new").mkdir()
    with pytest.raises(BadArchive):
        unpack(archive, tmp_path / "new")
    assert contents(tmp_path / "new") == {"settings/first": b"one"}


def test_long_names_and_large_files_of_real_backups_are_read() -> None:
    long, large = "settings/" + "zones/" * 30 + "湖.geojson", 9 << 30
    data = header(long, 3) + b"abc".ljust(512, b"\0") + header("settings/large", large)
    reader = TarReader(io.BytesIO(data), "archive", 20 << 30)
    entry = reader.next()
    assert entry is not None
    assert (entry.name, entry.size, reader.read()) == (long, 3, b"abc")
    entry = reader.next()
    assert entry is not None
    assert (entry.name, entry.size) == ("settings/large", large)


def test_a_file_whose_name_cannot_be_restored_is_refused_when_the_backup_is_made(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "mosquitto.conf").touch()
    (tmp_path / "broker" / "two\nlines").touch()
    with pytest.raises(CannotBackUp, match="the name cannot be stored; rename the file"):
        make_backup(plan(tmp_path / "data", tmp_path / "broker"), tmp_path / "all.tar")
    assert not (tmp_path / "all.tar").exists()


def test_the_content_of_media_must_have_the_hash_in_their_name(archive: Path) -> None:
    name = hashlib.sha256(b"right").hexdigest()
    after_header(archive, header(f"media/{name[:2]}/{name}", 5) + b"wrong".ljust(512, b"\0"))
    refused(archive, "its content has sha256")
    with pytest.raises(BadArchive, match="its content has sha256"):
        check(archive)
