"""Encrypted backups: only the private key opens them, with Wildpost or without it, and damage is noticed."""

import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.servers.test_backup_damage import contents, fill
from wildpost.backup.archive import create_archive
from wildpost.backup.create import BackupPlan, make_backup
from wildpost.backup.encryption import encrypting, generate_identity, read_identities
from wildpost.backup.errors import BadArchive, KeyProblem
from wildpost.backup.restore import check, restore
from wildpost.cli.main import main
from wildpost.settings.server import ServerSettings

PASSWORD = b"WILDPOST_BROKER_PASSWORD=the password of lake-07\n"


def wildpost(*words: object) -> int:
    return main([*map(str, words)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    fill(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def broker(tmp_path: Path) -> Path:
    handover = tmp_path / "broker" / "handover" / "lake-07"
    handover.mkdir(parents=True)
    (tmp_path / "broker" / "mosquitto.conf").write_text("listener 8883\n")
    (handover / "wildpost.env").write_bytes(PASSWORD)
    return tmp_path / "broker"


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """The file of a private key, and its public key."""
    assert wildpost("backup-keygen", tmp_path / "key") == 0
    return tmp_path / "key", capsys.readouterr().out.strip()


def never_asked() -> str:
    raise AssertionError("this key has no passphrase")


def test_a_backup_is_encrypted_and_restores_with_the_private_key_alone(
    data: Path, broker: Path, key: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "to").mkdir()
    assert wildpost("backup", tmp_path / "to", "--data", data, "--broker", broker, "--recipient", key[1]) == 0
    (archive,) = (tmp_path / "to").iterdir()
    assert archive.name.endswith(".tar.age")
    assert archive.stat().st_mode & 0o777 == 0o600
    raw = archive.read_bytes()
    assert raw.startswith(b"age-encryption.org/v1\n")
    assert not any(word in raw for word in (PASSWORD, b"casebook.sqlite", b"thumbnail 0", b"lake-07"))
    assert wildpost("restore", "--check", archive, "--identity", key[0]) == 0
    assert wildpost("restore", archive, "--identity", key[0], "--data", tmp_path / "new") == 0
    restored = contents(tmp_path / "new")
    assert not [name for name in restored if "handover" in name]
    assert {name: restored[name] for name in restored if name.startswith("media/")} == {
        name: content for name, content in contents(data).items() if name.startswith("media/")
    }
    assert all(not path.stat().st_mode & 0o077 for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")))


def test_without_a_key_no_backup_is_made_and_the_message_says_what_to_do(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wildpost("backup", tmp_path / "all.tar", "--data", data) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in ("no backup was made", "backup-keygen", "--recipient", "--unencrypted"))
    assert not (tmp_path / "all.tar").exists()


def test_a_plain_backup_says_so_and_leaves_out_the_handed_over_passwords(
    data: Path, broker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wildpost("backup", tmp_path / "all.tar", "--data", data, "--broker", broker, "--unencrypted") == 0
    assert "not encrypted" in capsys.readouterr().out
    assert PASSWORD not in (tmp_path / "all.tar").read_bytes()
    with tarfile.open(tmp_path / "all.tar") as tar:
        assert "broker/mosquitto.conf" in tar.getnames()
    check(tmp_path / "all.tar")


def test_the_settings_name_the_key_for_every_backup(data: Path, key: tuple[Path, str], tmp_path: Path) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text(f'[backup]\nrecipients = ["{key[1]}"]\n')
    assert wildpost("backup", tmp_path / "all.tar.age", settings, "--data", data) == 0
    check(tmp_path / "all.tar.age", read_identities(key[0], never_asked))


def test_each_of_several_keys_opens_the_backup_and_no_other_does(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipients = tuple(generate_identity(tmp_path / f"key-{number}") for number in range(3))
    archive = make_backup(BackupPlan(data, ServerSettings(), None, None, recipients[:2]), tmp_path / "all.age").path
    for number in (0, 1):
        check(archive, read_identities(tmp_path / f"key-{number}", never_asked))
    (tmp_path / "new").mkdir()
    with pytest.raises(KeyProblem, match="encrypted for another key"):
        restore(archive, tmp_path / "new", read_identities(tmp_path / "key-2", never_asked))
    assert list((tmp_path / "new").iterdir()) == []
    assert wildpost("restore", archive, "--data", tmp_path / "new") == 1
    assert "name the file of the private key with --identity FILE" in capsys.readouterr().err


def test_a_private_key_with_a_passphrase_needs_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "right").write_text("four words of a ranger\n")
    (tmp_path / "wrong").write_text("four words of a poacher\n")
    assert wildpost("backup-keygen", tmp_path / "key", "--passphrase-file", tmp_path / "right") == 0
    recipient = capsys.readouterr().out.strip()
    assert b"AGE-SECRET-KEY" not in (tmp_path / "key").read_bytes()
    assert wildpost("backup", tmp_path / "all.age", "--data", data, "--recipient", recipient) == 0
    words = ("restore", "--check", tmp_path / "all.age", "--identity", tmp_path / "key", "--passphrase-file")
    assert wildpost(*words, tmp_path / "right") == 0
    assert wildpost(*words, tmp_path / "wrong") == 1
    assert "is the passphrase right?" in capsys.readouterr().err


def test_a_key_file_is_not_overwritten_and_is_for_its_owner_only(key: tuple[Path, str]) -> None:
    before = key[0].read_bytes()
    assert key[0].stat().st_mode & 0o777 == 0o600
    assert wildpost("backup-keygen", key[0]) == 1
    assert key[0].read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"AGE-SECRET-KEY-1NOTAKEY\n", b"\xff\xfe", b"age-encryption.org/v1\n-> X\n"])
def test_a_file_without_a_private_key_is_refused_without_its_content(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyProblem) as raised:
        read_identities(tmp_path / "key", lambda: "")
    assert "NOTAKEY" not in str(raised.value)


def test_a_private_key_in_place_of_the_public_one_is_refused_and_not_repeated(
    data: Path, key: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = key[0].read_text().splitlines()[1]
    assert wildpost("backup", tmp_path / "all.age", "--data", data, "--recipient", secret) == 1
    (tmp_path / "server.toml").write_text(f'[backup]\nrecipients = ["{secret}"]\n')
    assert wildpost("backup", tmp_path / "all.age", tmp_path / "server.toml", "--data", data) == 1
    said = capsys.readouterr()
    assert secret not in said.out + said.err
    assert "a public key that begins with age1" in said.err
    assert not (tmp_path / "all.age").exists()


def test_an_encrypted_archive_cut_or_changed_anywhere_is_refused_and_leaves_nothing(
    data: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    archive = make_backup(BackupPlan(data, ServerSettings(), None, None, (key[1],)), tmp_path / "all.age").path
    whole, identities = archive.read_bytes(), read_identities(key[0], never_asked)
    chance = random.Random(14)
    damaged = [whole[:length] for length in (0, 10, 100, 300, len(whole) - 1, *chance.sample(range(len(whole)), 12))]
    places = chance.sample(range(200, len(whole)), 12)
    damaged += [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in places]
    damaged.append(whole + b"x")
    (tmp_path / "new").mkdir()
    for content in damaged:
        archive.write_bytes(content)
        with pytest.raises((BadArchive, KeyProblem), match=str(archive)):
            restore(archive, tmp_path / "new", identities)
        assert list((tmp_path / "new").iterdir()) == []


def test_the_age_format_is_read_by_another_implementation(data: Path, key: tuple[Path, str], tmp_path: Path) -> None:
    age = shutil.which("age")
    if age is None:
        missing("needs the program age")
    assert age is not None
    archive = make_backup(BackupPlan(data, ServerSettings(), None, None, (key[1],)), tmp_path / "all.tar.age").path
    plain = subprocess.run([age, "-d", "-i", key[0], archive], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert {"casebook.sqlite", "detections.duckdb", "manifest.jsonl"} <= set(tar.getnames())
        tar.extractall(tmp_path / "by-hand", filter="data")
    (tmp_path / "new").mkdir()
    restore(archive, tmp_path / "new", read_identities(key[0], never_asked))
    assert contents(tmp_path / "new").items() <= contents(tmp_path / "by-hand").items()
    (tmp_path / "again.tar").write_bytes(plain)
    subprocess.run([age, "-r", key[1], "-o", tmp_path / "again.age", tmp_path / "again.tar"], check=True)
    check(tmp_path / "again.age", read_identities(key[0], never_asked))


def test_a_backup_that_is_killed_or_fails_leaves_no_file_under_its_name(
    data: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), create_archive(tmp_path / "all.age", (key[1],)) as archive:
        archive.add_bytes("settings/server.toml", os.urandom(1_000_000))
        raise RuntimeError("in the middle")
    assert not list(tmp_path.glob("*all.age*"))


class _Full(io.RawIOBase):
    """A file on a disk that is full after one megabyte."""

    written = 0

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        if self.written + len(data) > 1_000_000:
            raise OSError(28, "No space left on device")
        self.written += len(data)
        return len(data)


def test_a_full_disk_ends_an_encrypted_backup_with_the_error_of_the_disk(key: tuple[Path, str]) -> None:
    with pytest.raises(OSError, match="No space left on device"), encrypting(_Full(), [key[1]]) as file:  # type: ignore[arg-type]
        for _ in range(20):
            file.write(os.urandom(1_000_000))


def test_memory_does_not_grow_with_the_size_of_the_archive(tmp_path: Path) -> None:
    program = f"""
import resource, sys
from pathlib import Path
from wildpost.backup.archive import create_archive
from wildpost.backup.encryption import generate_identity, read_identities
from wildpost.backup.unpacking import read_header, unpack
folder = Path({str(tmp_path)!r})
recipient = generate_identity(folder / "key")
source = folder / "large"
with source.open("wb") as file:
    for _ in range(int(sys.argv[1])):
        file.write(b"\\1" * 1_000_000)
with create_archive(folder / "all.age", (recipient,)) as archive:
    archive.add_file("settings/large", source)
(folder / "out").mkdir()
try:
    unpack(folder / "all.age", folder / "out", read_identities(folder / "key", str))
except Exception as error:
    assert "wildpost-backup.json is not its first entry" in str(error), error
from wildpost.backup.encryption import decrypting
with decrypting(folder / "all.age", read_identities(folder / "key", str)) as file:
    while file.read(1 << 20):
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = []
    for megabytes in (1, 300):
        for left in ("key", "all.age"):
            (tmp_path / left).unlink(missing_ok=True)
        if (tmp_path / "out").exists():
            (tmp_path / "out").rmdir()
        run = [sys.executable, "-c", program, str(megabytes)]
        peaks.append(int(subprocess.run(run, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 50_000, f"kilobytes at 1 MB and at 300 MB: {peaks}"
