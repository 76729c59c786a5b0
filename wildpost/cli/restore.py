"""`wildpost restore`: restores a backup into an empty data folder and verifies it."""

import argparse
from pathlib import Path

from wildpost.cli.backup import print_problems, print_totals
from wildpost.settings.data_folder import data_folder


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost restore` to the argument parser."""
    about = "restore a backup into a data folder and verify every byte and row"
    restore = commands.add_parser("restore", help=about, description=about)
    restore.add_argument("file", type=Path, help="file written by `wildpost backup`")
    restore.add_argument("--check", action="store_true", help="verify the file without restoring it")
    restore.add_argument("--data", type=Path, help="data folder, which must be empty (default: WILDPOST_DATA)")
    restore.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore a backup and print its numbers of rows and media files; ``--check`` only verifies the backup."""
    from wildpost.backup.restore import check, restore

    if arguments.check:
        restored = check(arguments.file)
        header = restored.header
        print(f"{arguments.file}: complete; made by Wildpost {header.wildpost} as of {header.made_at}")
    else:
        folder = data_folder(arguments.data)
        restored = restore(arguments.file, folder)
        print(f"{arguments.file} is restored to {folder}, as of {restored.header.made_at}")
    print_totals(restored.totals)
    print(f"verified: the hashes of {restored.totals.entries} files, and the rows of every table")
    if not arguments.check:
        for name, original in restored.header.from_files.items():
            print(f"{folder / name} was at {original}")
    print_problems(restored.totals)
    return 0
