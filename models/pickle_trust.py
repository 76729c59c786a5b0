"""Trust in PyTorch checkpoints (.pt), which are Python pickles: opening one runs the code that is in it.

ultralytics stores whole networks as pickles, so torch cannot open them with ``weights_only=True``. Such a file is
opened only if its hash is in the environment variable VARIABLE, which an operator or the command line sets.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from models.registry import WeightsError, sha256_of

VARIABLE = "WILDPOST_TRUST_PICKLE"


class UntrustedPickle(WeightsError):
    """A checkpoint was not opened, since nobody has said that it is trusted.

    Attributes:
        path: The checkpoint.
        sha256: Its hash, in hexadecimal.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        super().__init__(
            f"{path} was not opened: it is a Python pickle, and opening it runs the code in it with all rights of this "
            f"user. If it comes from somebody whom you trust, say so with --trust-pickle {sha256} or "
            f"{VARIABLE}={sha256}"
        )
        self.path = path
        self.sha256 = sha256


def check_trusted(path: Path) -> None:
    """Check that the hash of a checkpoint is one that the operator trusts.

    Raises:
        UntrustedPickle: it is not.
        OSError: the file cannot be read.
    """
    found = sha256_of(path)
    if found not in _trusted():
        raise UntrustedPickle(path, found)


def trust(hashes: Iterable[str]) -> None:
    """Trust checkpoints with these hashes, in this process and in the processes that it starts.

    Raises:
        WeightsError: a text is not a SHA-256 in hexadecimal.
    """
    for one in hashes:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", one):
            raise WeightsError(f"--trust-pickle {one[:80]!r}: expected a SHA-256 of 64 hexadecimal digits")
        os.environ[VARIABLE] = ",".join(sorted(_trusted() | {one.lower()}))


def _trusted() -> frozenset[str]:
    return frozenset(re.findall(r"[0-9a-f]{64}", os.environ.get(VARIABLE, "").lower()))
