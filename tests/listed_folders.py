"""Notes which folders are listed."""

from collections.abc import Iterator
from pathlib import Path

import pytest


def note_listed_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list to which every folder is added that ``Path.iterdir`` lists from now on."""
    listed: list[Path] = []
    iterdir = Path.iterdir

    def list_and_note(folder: Path) -> Iterator[Path]:
        listed.append(folder)
        return iter(iterdir(folder))

    monkeypatch.setattr(Path, "iterdir", list_and_note)
    return listed
