"""The data folder of a machine: set by --data or WILDPOST_DATA, else the platform's folder for user data."""

import os
from pathlib import Path

from platformdirs import user_data_path

VARIABLE = "WILDPOST_DATA"


def named_folder(given: Path | None = None) -> Path:
    """Return the path of the data folder: ``given``, else WILDPOST_DATA, else the platform's folder for user data."""
    folder = given or Path(os.environ.get(VARIABLE) or user_data_path("wildpost", appauthor=False))
    return folder.expanduser().absolute()


def data_folder(given: Path | None = None) -> Path:
    """Return the path of the data folder; create it if it does not exist, and check that it is writable.

    Raises:
        OSError: the folder cannot be created or is not writable.
    """
    folder = named_folder(given)
    remedy = f"choose another with {VARIABLE}=DIR or --data DIR"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: the data folder cannot be created ({error.strerror}); {remedy}") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: not writable for this user; {remedy}")
    return folder
