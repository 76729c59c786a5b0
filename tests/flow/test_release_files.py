"""What a release ships beside the wheel: requirements with hashes, a bill of materials, checksums."""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.flow.test_extras import uv
from tests.repository import REPOSITORY

LOCK: list[dict[str, Any]] = tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]
LOCKED = {(package["name"], package["version"]): package for package in LOCK if package["name"] != "wildpost"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    building = [
        "build",
        "--quiet",
        "--build-constraints",
        ".ci/build.txt",
        "--require-hashes",
        "--out-dir",
        str(folder),
    ]
    subprocess.run([uv(), *building], cwd=REPOSITORY, check=True)
    subprocess.run([sys.executable, str(REPOSITORY / ".ci" / "release_files.py"), str(folder)], check=True)
    return folder


def hashes(package: dict[str, Any]) -> set[str]:
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    return {file["hash"].removeprefix("sha256:") for file in files}


def test_the_checksums_are_those_of_every_file(release: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    named = {line.split()[1] for line in (release / "SHA256SUMS").read_text().splitlines()}
    kept_back = {"SHA256SUMS", ".gitignore", "commit.txt"}
    assert named == {file.name for file in release.iterdir()} - kept_back
    assert len(named) == 5


def test_the_bill_of_materials_names_every_locked_package_with_version_hashes_and_licence(release: Path) -> None:
    (file,) = release.glob("*.cdx.json")
    bill = json.loads(file.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    found = {(one["name"], one["version"]): one for one in bill["components"]}
    assert set(found) == set(LOCKED)
    for key, component in found.items():
        assert component["purl"].startswith(f"pkg:pypi/{key[0]}@{key[1]}")
        named = {one["content"] for reference in component["externalReferences"] for one in reference["hashes"]}
        assert named == hashes(LOCKED[key]), key
        (licence,) = component["licenses"]
        assert re.fullmatch(r"[A-Za-z0-9.+() -]+", licence["expression"]), key
    ours = bill["metadata"]["component"]
    wheel, _ = ours["externalReferences"]
    assert wheel["hashes"][0]["content"] == hashlib.sha256((release / wheel["url"]).read_bytes()).hexdigest()


def test_no_licence_is_listed_of_a_package_that_is_not_locked() -> None:
    listed = tomllib.loads((REPOSITORY / ".ci" / "licences.toml").read_text())
    names = [name for names in listed.values() for name in names]
    assert len(names) == len(set(names))
    assert set(names) <= {name for name, _ in LOCKED}


@pytest.mark.parametrize("extra", ["station", "server"])
def test_the_requirements_install_with_hashes_and_without_telemetry(release: Path, extra: str, tmp_path: Path) -> None:
    file = release / f"requirements-{extra}.txt"
    install(release, tmp_path, file)
    shown = subprocess.run(
        [str(tmp_path / "bin" / "wildpost"), "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("wildpost ")
    listing = [uv(), "pip", "list", "--python", str(tmp_path / "bin" / "python"), "--format", "json"]
    installed = {one["name"] for one in json.loads(subprocess.run(listing, capture_output=True, check=True).stdout)}
    assert ("openvino" in installed) == (extra == "station")
    assert "openvino-telemetry" not in installed


def test_a_wheel_that_was_exchanged_is_refused(release: Path, tmp_path: Path) -> None:
    for file in release.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("wildpost/added.py", "")
    only = tmp_path / "wildpost.txt"
    only.write_text("./wildpost" + (tmp_path / "requirements-server.txt").read_text().partition("./wildpost")[2])
    with pytest.raises(subprocess.CalledProcessError) as refused:
        install(tmp_path, tmp_path / "environment", only)
    assert "hash" in refused.value.stderr.lower()


@pytest.mark.long
def test_pip_installs_by_the_line_of_the_guide(release: Path, tmp_path: Path) -> None:
    guide = (REPOSITORY / "docs" / "how-to" / "verify-a-release.md").read_text()
    typed = re.findall(
        r"^    (python3 -m venv wildpost|wildpost/bin/pip install .*server\.txt|wildpost/bin/.*--version)$", guide, re.M
    )
    assert len(typed) == 3
    for line in typed:
        line = line.replace("python3", sys.executable).replace("wildpost/bin", f"{tmp_path}/wildpost/bin")
        line = line.replace("venv wildpost", f"venv {tmp_path}/wildpost")
        subprocess.run(line.split(), cwd=release, check=True)


def test_an_image_is_built_with_the_build_tools_of_a_release() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["uv"]
    listed = re.findall(r"^([a-z-]+==[^ ]+)", (REPOSITORY / ".ci" / "build.txt").read_text(), re.M)
    assert settings["build-constraint-dependencies"] == listed
    assert listed[0].startswith("hatchling==")


def test_the_guides_install_nothing_without_a_hash() -> None:
    pages = [
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("*.md"),
        REPOSITORY / "Dockerfile",
        REPOSITORY / "Makefile",
    ]
    lines = [line for page in pages for line in page.read_text().splitlines() if re.search(r"\bpip3? install\b", line)]
    commands = [line for line in lines if line.startswith(("    ", "\t", "RUN"))]
    assert len(commands) >= 4
    assert [line for line in commands if "--require-hashes" not in line] == []


def install(folder: Path, environment: Path, file: Path) -> None:
    subprocess.run([uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)], check=True)
    words = [
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--python",
        str(environment / "bin" / "python"),
    ]
    subprocess.run([uv(), *words, "-r", str(file)], cwd=folder, capture_output=True, text=True, check=True)
