"""A hand-over pack is verified by a stranger; whatever was altered, removed or added is refused and named."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from casebook.cases.entry import decode_entry, entry_sha256
from pipelines.evidence import bag
from pipelines.evidence.signature import fingerprint, own_fingerprint, public_pem
from pipelines.evidence.verification import PackReport, verify_pack
from tests.packs import PICTURE, case_folder, exported


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A pack, and the fingerprint of the key that signed it."""
    data = tmp_path_factory.mktemp("data")
    number = case_folder(data)
    folder = exported(data, number, tmp_path_factory.mktemp("packs") / "pack", "--unit", "青岭县林业局")
    key = own_fingerprint(data)
    assert key is not None
    return folder, key


@pytest.fixture
def pack(original: tuple[Path, str], tmp_path: Path) -> Path:
    return shutil.copytree(original[0], tmp_path / "pack")


def verified(pack: Path, original: tuple[Path, str]) -> PackReport:
    return verify_pack(pack, {original[1]})


def faults(pack: Path, original: tuple[Path, str]) -> set[tuple[str, str]]:
    return {(one.fault, one.name) for one in verified(pack, original).problems}


def events(pack: Path) -> list[Path]:
    """Return the events in the order of the station's chain."""
    return sorted((pack / "data/events").iterdir(), key=lambda path: json.loads(path.read_bytes())["chain"]["number"])


def sealed_again(pack: Path, key: Ed25519PrivateKey) -> None:
    """Write manifests and signature of an altered pack anew, as somebody with another key would."""
    files = sorted(path for path in (pack / "data").rglob("*") if path.is_file())
    hashes = {str(path.relative_to(pack)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (pack / bag.MANIFEST).write_text("".join(f"{sha256}  {name}\n" for name, sha256 in hashes.items()))
    (pack / bag.SERVER_KEY).write_bytes(public_pem(key.public_key()))
    signed_again(pack, key)


def signed_again(pack: Path, key: Ed25519PrivateKey) -> None:
    """Write the tag manifest and its signature anew."""
    tags = {name: hashlib.sha256((pack / name).read_bytes()).hexdigest() for name in sorted(bag.TAG_FILES)}
    (pack / bag.TAG_MANIFEST).write_text("".join(f"{sha256}  {name}\n" for name, sha256 in tags.items()))
    (pack / bag.SIGNATURE).write_bytes(key.sign((pack / bag.TAG_MANIFEST).read_bytes()))


def test_an_unaltered_pack_is_verified_and_says_what_is_not_in_it(pack: Path, original: tuple[Path, str]) -> None:
    report = verified(pack, original)
    assert report.problems == ()
    assert (report.case, report.key, report.events, report.media) == ("2026-LA-0001", original[1], 3, 2)
    assert len(report.notes) == 3
    assert report.notes[2] == "station lake-07: 1 events between those of the case are not part of it"


def test_sha256sum_checks_every_file(pack: Path) -> None:
    for manifest in (bag.MANIFEST, bag.TAG_MANIFEST):
        checked = subprocess.run(["sha256sum", "--strict", "-c", manifest], cwd=pack, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        assert "FAILED" not in checked.stdout
    assert (pack / bag.MANIFEST).read_text().count("\n") == sum(path.is_file() for path in (pack / "data").rglob("*"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_checks_the_signature(pack: Path) -> None:
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", bag.SERVER_KEY, "-rawin", "-in", bag.TAG_MANIFEST]
    command += ["-sigfile", bag.SIGNATURE]
    assert subprocess.run(command, cwd=pack, capture_output=True).returncode == 0
    (pack / bag.TAG_MANIFEST).write_bytes((pack / bag.TAG_MANIFEST).read_bytes() + b"\n")
    assert subprocess.run(command, cwd=pack, capture_output=True).returncode != 0


def test_one_altered_byte_in_any_file_is_refused_and_the_file_is_named(pack: Path, original: tuple[Path, str]) -> None:
    for path in sorted(path for path in pack.rglob("*") if path.is_file()):
        name = str(path.relative_to(pack))
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        problems = verified(pack, original).problems
        expected = {bag.SIGNATURE: bag.TAG_MANIFEST}.get(name, name)
        assert any(expected in (one.name, *one.detail.split()) for one in problems), (name, problems)
        path.write_bytes(content)
    assert verified(pack, original).problems == ()


def test_a_removed_event_is_refused_and_named(pack: Path, original: tuple[Path, str]) -> None:
    removed = events(pack)[1]
    removed.unlink()
    name = str(removed.relative_to(pack))
    assert faults(pack, original) == {("missing", name), ("event", name)}


def test_a_removed_event_is_named_also_where_the_manifest_was_signed_anew(
    pack: Path, original: tuple[Path, str]
) -> None:
    removed = events(pack)[1]
    removed.unlink()
    sealed_again(pack, Ed25519PrivateKey.generate())
    assert faults(pack, original) == {("event", str(removed.relative_to(pack))), ("key", bag.SERVER_KEY)}


def test_a_manifest_signed_with_another_key_is_refused_and_the_key_is_named(
    pack: Path, original: tuple[Path, str]
) -> None:
    other = Ed25519PrivateKey.generate()
    sealed_again(pack, other)
    (problem,) = verified(pack, original).problems
    assert (problem.fault, problem.name) == ("key", bag.SERVER_KEY)
    assert fingerprint(other.public_key()) in problem.detail and original[1] in problem.detail


def test_without_a_known_key_nothing_is_verified(pack: Path) -> None:
    (problem,) = verify_pack(pack, set()).problems
    assert (problem.fault, problem.name) == ("key", bag.SERVER_KEY)


def test_another_key_beside_the_old_signature_is_refused(pack: Path, original: tuple[Path, str]) -> None:
    (pack / bag.SERVER_KEY).write_bytes(public_pem(Ed25519PrivateKey.generate().public_key()))
    assert faults(pack, original) == {("altered", bag.SERVER_KEY), ("signature", bag.TAG_MANIFEST)}


@pytest.mark.parametrize("name", [bag.SIGNATURE, bag.TAG_MANIFEST, bag.MANIFEST, bag.SERVER_KEY, bag.INFO])
def test_a_missing_tag_file_is_refused_and_named(pack: Path, original: tuple[Path, str], name: str) -> None:
    (pack / name).unlink()
    assert any(one.name == name for one in verified(pack, original).problems)


@pytest.mark.parametrize("name", ["data/papers/1-transfer-letter.docx", "data/custody.jsonl", "data/case.json"])
def test_a_removed_file_is_refused_and_named(pack: Path, original: tuple[Path, str], name: str) -> None:
    (pack / name).unlink()
    assert ("missing", name) in faults(pack, original)


@pytest.mark.parametrize("name", ["data/more.txt", "data/media/.hidden", "fetch.txt", "data/events/x/y/z/deep.json"])
def test_an_added_file_is_refused_and_named(pack: Path, original: tuple[Path, str], name: str) -> None:
    (pack / name).parent.mkdir(parents=True, exist_ok=True)
    (pack / name).write_bytes(b"x")
    assert ("added", name) in faults(pack, original)


def link_out(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def linked_folder(path: Path, target: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.symlink_to(target.parent)


def pipe(path: Path, target: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("replace", [link_out, linked_folder, pipe])
def test_links_and_pipes_are_refused_and_not_read(
    pack: Path, original: tuple[Path, str], replace: Callable[[Path, Path], None]
) -> None:
    path = events(pack)[0]
    target = original[0] / path.relative_to(pack)  # the same content
    replace(path, target)
    found = faults(pack, original)
    assert any(fault == "link" for fault, _ in found)


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "/etc/passwd", "data/../../secret", "data//x", "data/./x", "data/..", "data/a\\b"),
        *("data/%2e%2e/x", "secret", "DATA/x", "data/" + "a/" * 9 + "x", "data/é", "~/x", "data/.x", "data/x "),
    ],
)
def test_a_path_that_leads_out_is_refused_and_not_read(pack: Path, original: tuple[Path, str], name: str) -> None:
    (pack.parent / "secret").write_bytes(b"x")
    line = f"{hashlib.sha256(b'x').hexdigest()}  {name}\n"
    (pack / bag.MANIFEST).write_bytes((pack / bag.MANIFEST).read_bytes() + line.encode())
    signed_again(pack, Ed25519PrivateKey.generate())
    assert ("path", bag.MANIFEST) in faults(pack, original)


def test_a_long_name_whose_start_the_manifest_names_is_refused(pack: Path, original: tuple[Path, str]) -> None:
    path = pack / "data" / ("a" * 100) / ("b" * 120)
    path.parent.mkdir()
    path.write_bytes(b"")
    name = path.relative_to(pack).as_posix()
    with (pack / bag.MANIFEST).open("a") as manifest:
        manifest.write(f"{'0' * 64}  {name[:200]}\n")
    assert {("added", name), ("missing", name[:200])} <= faults(pack, original)


@pytest.mark.parametrize("name", ["a\nb.json", "\udcff.json"])
def test_a_name_that_cannot_be_printed_is_refused(pack: Path, original: tuple[Path, str], name: str) -> None:
    (pack / "data" / "events" / name).write_bytes(b"{}")
    shown = re.sub("[\n\udcff]", "\N{REPLACEMENT CHARACTER}", name)
    assert ("added", f"data/events/{shown}") in faults(pack, original)


def test_a_huge_manifest_is_refused_and_not_read(pack: Path, original: tuple[Path, str]) -> None:
    with (pack / bag.MANIFEST).open("r+b") as file:
        file.truncate(10**12)  # sparse: a terabyte on no disk
    found = faults(pack, original)
    assert {("manifest", bag.MANIFEST), ("altered", bag.MANIFEST)} <= found


def test_a_manifest_of_too_many_lines_is_refused(pack: Path, original: tuple[Path, str]) -> None:
    with (pack / bag.MANIFEST).open("ab") as file:
        file.writelines(f"{number:064x}  data/{number}\n".encode() for number in range(bag.MOST_FILES))
    details = [one.detail for one in verified(pack, original).problems if one.name == bag.MANIFEST]
    assert f"more than {bag.MOST_FILES} lines" in details


@pytest.mark.parametrize("line", ["", "no hash", "0" * 64, f"{'0' * 64}  ", f"{'G' * 64}  data/x", "\x00" * 70])
def test_a_line_that_is_no_hash_and_name_is_refused(pack: Path, original: tuple[Path, str], line: str) -> None:
    (pack / bag.MANIFEST).write_bytes((pack / bag.MANIFEST).read_bytes() + line.encode() + b"\n")
    assert ("manifest", bag.MANIFEST) in faults(pack, original)


def test_a_file_named_twice_is_refused(pack: Path, original: tuple[Path, str]) -> None:
    lines = (pack / bag.MANIFEST).read_text().splitlines(keepends=True)
    (pack / bag.MANIFEST).write_text("".join([*lines, lines[0]]))
    assert ("manifest", bag.MANIFEST) in faults(pack, original)


def test_an_event_altered_by_somebody_with_another_key_is_refused_by_its_station_and_the_custody_log(
    pack: Path, original: tuple[Path, str]
) -> None:
    altered = events(pack)[0]
    altered.write_bytes(altered.read_bytes().replace(b'"sequence":41', b'"sequence":42'))
    sealed_again(pack, Ed25519PrivateKey.generate())
    details = [one.detail for one in verified(pack, original).problems if one.fault == "event"]
    assert len(details) == 2
    assert "the custody log linked" in details[0] and "signature of station lake-07 is not valid" in details[1]
    chains = [one.name for one in verified(pack, original).problems if one.fault == "chain"]
    assert chains == [str(events(pack)[1].relative_to(pack))], "its neighbour names another hash"


def rewritten(pack: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = pack / "data/custody.jsonl"
    path.write_bytes(b"\n".join(change(path.read_bytes().splitlines())) + b"\n")


def without_a_view(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if b'"step":"viewed"' not in line]


def renamed(lines: list[bytes]) -> list[bytes]:
    return [line.replace("陈静".encode(), "王静".encode()) for line in lines]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def of_another_case(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1].replace(b"2026-LA-0001", b"2026-LA-0002")]


def garbage(lines: list[bytes]) -> list[bytes]:
    return [*lines, b"[" * 100_000]


def empty(lines: list[bytes]) -> list[bytes]:
    return []


@pytest.mark.parametrize("change", [without_a_view, renamed, swapped, of_another_case, garbage, empty])
def test_a_custody_log_altered_by_somebody_with_another_key_is_refused(
    pack: Path, original: tuple[Path, str], change: Callable[[list[bytes]], list[bytes]]
) -> None:
    rewritten(pack, change)
    sealed_again(pack, Ed25519PrivateKey.generate())
    assert ("custody", "data/custody.jsonl") in faults(pack, original)


def test_media_under_the_name_of_another_content_are_refused(pack: Path, original: tuple[Path, str]) -> None:
    path = pack / f"data/media/{hashlib.sha256(PICTURE).hexdigest()}.jpg"
    path.write_bytes(b"another picture")
    sealed_again(pack, Ed25519PrivateKey.generate())
    assert ("media", str(path.relative_to(pack))) in faults(pack, original)


@pytest.mark.parametrize("content", [b"{}", b"[" * 200_000, b"\xff\xfe", b"null", b"{" + b" " * 300_000 + b"}"])
def test_an_event_that_is_none_is_refused(pack: Path, original: tuple[Path, str], content: bytes) -> None:
    events(pack)[0].write_bytes(content)
    assert any(fault == "event" for fault, _ in faults(pack, original))


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path, original: tuple[Path, str]) -> None:
    names = {one.name for one in verified(tmp_path, original).problems}
    assert {*bag.TAG_FILES, bag.TAG_MANIFEST, bag.SIGNATURE, "data/custody.jsonl"} <= names


def test_the_custody_log_is_the_case_with_its_views_and_this_export(pack: Path) -> None:
    lines = (pack / "data/custody.jsonl").read_bytes().splitlines()
    entries = [decode_entry(line) for line in lines]
    assert [one.step for one in entries] == ["opened", "finding", "transfer_reported", "viewed", "exported"]
    assert [one.previous for one in entries[1:]] == list(map(entry_sha256, lines[:-1]))
    assert entries[-1].actor == "周强"


def test_the_signature_of_a_station_is_in_the_pack_as_it_came(pack: Path) -> None:
    for path in events(pack):
        link = json.loads(path.read_bytes())["chain"]
        assert len(base64.b64decode(link["key"])) == 32


def test_a_verification_loads_no_package_of_the_server(pack: Path, original: tuple[Path, str]) -> None:
    program = (
        "import sys; from wildpost.cli.main import main; "
        "code = main(sys.argv[1:]); "
        "print({'sqlalchemy', 'duckdb', 'fastapi', 'numpy', 'babel', 'docx'} & sys.modules.keys()); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "evidence", "verify", str(pack), "--key", original[1]]
    checked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert checked.stdout.splitlines()[-1] == "set()"
