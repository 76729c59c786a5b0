"""Build hook that writes the git commit into the wheel, so that `wildpost --version` can print it."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Hatch build hook that adds wildpost/commit.txt to a wheel that is built from a git clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the git commit into the wheel, unless the install is editable or there is no git clone."""
        if version == "editable":
            return
        git = ["git", "-C", self.root, "describe", "--always", "--dirty", "--abbrev=10", "--exclude", "*"]
        try:
            commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return
        target = Path(self.directory) / "commit.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{commit}\n", encoding="utf-8")
        build_data["force_include"][str(target)] = "wildpost/commit.txt"
