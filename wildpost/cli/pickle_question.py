"""Asks at the terminal whether to open a checkpoint that can run code, and the option that answers beforehand."""

import argparse
import sys

from contract.errors import WildpostError


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the option `--trust-pickle` to the parser of a command that can open checkpoints."""
    parser.add_argument(
        "--trust-pickle",
        action="append",
        default=[],
        metavar="SHA256",
        help="open the .pt file with this hash, which can run any code on this machine; may be repeated",
    )


def trust_named(arguments: argparse.Namespace) -> None:
    """Trust the checkpoints that the option `--trust-pickle` names.

    Raises:
        WeightsError: an argument is not a hash.
    """
    if hashes := getattr(arguments, "trust_pickle", ()):
        from models.pickle_trust import trust

        trust(hashes)


def confirmed(error: WildpostError) -> bool:
    """Ask whether to trust the checkpoint that an error is about.

    Returns:
        True if the answer is yes, and the checkpoint is then trusted. False if the error has another cause, there is no
        terminal, or the answer is another.
    """
    from models.pickle_trust import UntrustedPickle, trust

    if not isinstance(error, UntrustedPickle) or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(
        f"{error.path} is a Python pickle. Opening it runs the code in it, with all your rights on this machine.\n"
        f"Its SHA-256 is {error.sha256}.\n"
        "Do you trust whoever made this file? Type yes to open it: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    if sys.stdin.readline().strip().lower() != "yes":
        return False
    trust([error.sha256])
    return True
