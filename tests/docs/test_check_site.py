"""The check of the built site finds what must not be in it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "check_site.py"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def site(folder: Path, page: str, style: str = "") -> Path:
    (folder / "index.html").write_text(f'<link rel="stylesheet" href="own.css"><h1 id="top">Wildpost</h1>{page}')
    (folder / "own.css").write_text(style)
    return folder


def test_a_page_with_its_own_files_and_links_to_other_hosts_is_sound(check: ModuleType, tmp_path: Path) -> None:
    page = '<a href="#top">top</a><a href="https://example.org/">elsewhere</a><img src="data:image/png;base64,AA==">'
    assert check.problems(site(tmp_path, page, "a { background: url(#a) }")) == []


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="http://counter.example/1.gif">',
        '<a href="missing.html">x</a>',
        '<a href="#missing">x</a>',
        '<a href="index.html#missing">x</a>',
    ],
)
def test_a_request_to_another_host_and_a_dead_link_are_found(check: ModuleType, tmp_path: Path, page: str) -> None:
    assert len(check.problems(site(tmp_path, page))) == 1


@pytest.mark.parametrize(
    "style", ["@import '//fonts.example/css';", "a { background: url(https://cdn.example/a.png) }"]
)
def test_a_style_that_loads_from_another_host_is_found(check: ModuleType, tmp_path: Path, style: str) -> None:
    assert len(check.problems(site(tmp_path, "", style))) == 1


def test_an_empty_folder_is_no_site(check: ModuleType, tmp_path: Path) -> None:
    assert check.problems(tmp_path) == [f"{tmp_path}: expected built pages, found none"]
