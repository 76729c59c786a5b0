"""Where a machine keeps everything of Wildpost's: one folder, named by WILDPOST_DATA or chosen by the platform."""

import os
from pathlib import Path

from platformdirs import user_data_path

VARIABLE = "WILDPOST_DATA"


def named_folder(told: Path | None = None) -> Path:
    """Name the folder: what the command line told, else WILDPOST_DATA, else the platform's folder for user data."""
    folder = told or Path(os.environ.get(VARIABLE) or user_data_path("wildpost", appauthor=False))
    return folder.expanduser().absolute()


def data_folder(told: Path | None = None) -> Path:
    """Name the folder, make it where it is not there, and see that it can be written to.

    Raises:
        OSError: it cannot be made, or cannot be written to.
    """
    folder = named_folder(told)
    mend = f"choose another with {VARIABLE}=DIR or --data DIR"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: no data folder can be made there ({error.strerror}); {mend}") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: not writable for this user; {mend}")
    return folder
