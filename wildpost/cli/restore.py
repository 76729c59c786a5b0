"""`wildpost restore`: restores a backup into an empty data folder and verifies it."""

import argparse
from functools import partial
from pathlib import Path

from wildpost.cli.backup import print_problems, print_totals
from wildpost.cli.backup_keygen import add_passphrase, read_passphrase
from wildpost.settings.data_folder import data_folder


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost restore` to the argument parser."""
    about = "restore a backup into a data folder and verify every byte and row"
    restore = commands.add_parser("restore", help=about, description=about)
    restore.add_argument("file", type=Path, help="file written by `wildpost backup`")
    restore.add_argument("--check", action="store_true", help="verify the file without restoring it")
    restore.add_argument("--identity", type=Path, metavar="FILE", help="the private key of an encrypted backup")
    add_passphrase(restore, "file with the passphrase of the private key (default: ask for it)")
    restore.add_argument("--data", type=Path, help="data folder, which must be empty (default: WILDPOST_DATA)")
    restore.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore a backup and print its numbers of rows and media files; ``--check`` only verifies the backup."""
    from wildpost.backup.encryption import read_identities
    from wildpost.backup.restore import check, restore

    ask_passphrase = partial(read_passphrase, arguments.passphrase_file)
    identities = read_identities(arguments.identity, ask_passphrase) if arguments.identity else ()
    if arguments.check:
        restored = check(arguments.file, identities)
        header = restored.header
        print(f"{arguments.file}: complete; made by Wildpost {header.wildpost} as of {header.made_at}")
    else:
        folder = data_folder(arguments.data)
        restored = restore(arguments.file, folder, identities)
        print(f"{arguments.file} is restored to {folder}, as of {restored.header.made_at}")
    print_totals(restored.totals)
    print(f"verified: the hashes of {restored.totals.entries} files, and the rows of every table")
    if not arguments.check:
        for name, original in restored.header.from_files.items():
            shown = "".join(character if character.isprintable() else "?" for character in f"{name} was at {original}")
            print(f"{folder}/{shown}")
    print_problems(restored.totals)
    return 0
