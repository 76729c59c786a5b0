"""The version of this installation and the commit it was built from."""

import subprocess
from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).parent


def version_text() -> str:
    """Return version and commit, such as "0.1.0 (commit 1a2b3c4d5e)"; only the version if no commit is known."""
    number, commit = version("wildpost"), _commit()
    return f"{number} (commit {commit})" if commit else number


def _commit() -> str:
    built = _PACKAGE / "commit.txt"  # a wheel carries it
    if built.is_file():
        return built.read_text(encoding="utf-8").strip()
    if not (_PACKAGE.parent / ".git").exists():
        return ""
    git = ["git", "-C", str(_PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=10", "--exclude", "*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
