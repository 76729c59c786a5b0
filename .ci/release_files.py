"""Writes what a release ships beside the wheel: pinned requirements, a bill of materials, checksums.

Usage: .venv/bin/python .ci/release_files.py dist
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
UV = REPOSITORY / ".uv" / "bin" / "uv"
EXTRAS = ("station", "server")
HEADER = """\
# {name}, extra {extra}: every package with the hashes of its files, from uv.lock. In the folder with the wheel:
#   pip install --no-deps --require-hashes -r requirements-{extra}.txt
# --no-deps, because the list is complete, and leaves out packages that are not wanted (openvino-telemetry).
"""


def main(folder: Path) -> None:
    """Write requirements, bill of materials and checksums into a folder with one wheel and its source archive."""
    (wheel,) = folder.glob("wildpost-*.whl")
    (source,) = folder.glob("wildpost-*.tar.gz")
    written = {f"requirements-{extra}.txt": requirements(extra, wheel) for extra in EXTRAS}
    bill = json.dumps(bill_of_materials([wheel, source]), indent=2, ensure_ascii=False)
    written[f"{wheel.name.split('-py3')[0]}.cdx.json"] = f"{bill}\n"
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = [wheel, source, *(folder / name for name in written)]
    (folder / "SHA256SUMS").write_text("".join(f"{sha256(file)}  {file.name}\n" for file in files), encoding="utf-8")


def requirements(extra: str, wheel: Path) -> str:
    """Return a requirements file with the locked packages of an extra and the wheel, each with its hashes."""
    locked = export("--no-default-groups", "--extra", extra, "--no-emit-project", "--no-annotate", "--no-header")
    header = HEADER.format(name=wheel.name.split("-py3")[0], extra=extra)
    return f"{header}{locked}./{wheel.name} \\\n    --hash=sha256:{sha256(wheel)}\n"


def bill_of_materials(built: list[Path]) -> dict[str, Any]:
    """Return every locked package with version, hashes and licence, in CycloneDX 1.5; uv writes all but the licences.

    Raises:
        LookupError: the licence of a package is not known.
    """
    bill: dict[str, Any] = json.loads(export("--all-extras", "--all-groups", "--format", "cyclonedx1.5"))
    ours = bill["metadata"]["component"]
    ours["licenses"] = [{"license": {"id": "AGPL-3.0-or-later"}}]
    ours["externalReferences"] = [
        {"type": "distribution", "url": file.name, "hashes": [{"alg": "SHA-256", "content": sha256(file)}]}
        for file in built
    ]
    known = licences()
    unknown = sorted({one["name"] for one in bill["components"]} - set(known))
    if unknown:
        raise LookupError(f"licence not known: {', '.join(unknown)}: add them to .ci/licences.toml")
    for component in bill["components"]:
        component["licenses"] = [{"expression": known[component["name"]]}]
    return bill


def licences() -> dict[str, str]:
    """Return the licence of each locked package as an SPDX expression: its own metadata, else .ci/licences.toml."""
    listed = tomllib.loads((REPOSITORY / ".ci" / "licences.toml").read_text(encoding="utf-8"))
    found = {name: expression for expression, names in listed.items() for name in names}
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))
    for name in {package["name"] for package in lock["package"]}:
        try:
            stated = metadata(name)
        except PackageNotFoundError:
            continue
        if "License-Expression" in stated:
            found[name] = stated["License-Expression"]
    return found


def export(*options: str) -> str:
    """Return the lock file in another format."""
    command = [str(UV), "export", "--quiet", "--frozen", *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
