"""`wildpost backup-keygen`: creates the key that decrypts backups."""

import argparse
import sys
from getpass import getpass
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost backup-keygen` to the argument parser."""
    about = "create the private key that decrypts backups, and print its public key"
    keygen = commands.add_parser("backup-keygen", help=about, description=about)
    keygen.add_argument("file", type=Path, help="file of the private key, which must not exist")
    add_passphrase(keygen, "protect the file with the passphrase in this file")
    keygen.add_argument("--passphrase", action="store_true", help="ask for a passphrase that protects the file")
    keygen.set_defaults(run=run)


def add_passphrase(parser: argparse.ArgumentParser, about: str) -> None:
    """Add the option for a file with a passphrase; an argument would be visible to other users."""
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=about)


def run(arguments: argparse.Namespace) -> int:
    """Write a new private key and print its public key."""
    from wildpost.backup.encryption import generate_identity
    from wildpost.backup.errors import KeyProblem

    passphrase = ""
    if arguments.passphrase or arguments.passphrase_file:
        passphrase = read_passphrase(arguments.passphrase_file)
        if not passphrase:
            raise KeyProblem("the passphrase is empty")
        if not arguments.passphrase_file and getpass("the same again: ") != passphrase:
            raise KeyProblem("the two passphrases differ")
    recipient = generate_identity(arguments.file, passphrase)
    print(recipient)
    print(
        f"wildpost: {arguments.file} decrypts every backup for this public key. Keep two copies, and none on the "
        "server: without the file, no backup can be read",
        file=sys.stderr,
    )
    return 0


def read_passphrase(file: Path | None) -> str:
    """Return the first line of a file, or ask for the passphrase at the terminal.

    Raises:
        OSError: the file cannot be read.
        KeyProblem: there is no terminal to ask at.
    """
    from wildpost.backup.errors import KeyProblem

    if file is not None:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    if not sys.stdin.isatty():
        raise KeyProblem("a passphrase is needed and there is no terminal: name its file with --passphrase-file")
    return getpass("passphrase: ")
