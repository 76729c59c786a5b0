"""`wildpost restore`: a backup becomes a data folder again, verified."""

import argparse
from pathlib import Path

from wildpost.cli.backup import complain, show
from wildpost.settings.data_folder import data_folder


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost restore`."""
    about = "make a data folder of a backup, and verify every byte and row of it"
    restore = commands.add_parser("restore", help=about, description=about)
    restore.add_argument("file", type=Path, help="what `wildpost backup` made")
    restore.add_argument("--check", action="store_true", help="only verify the file; restore nothing")
    restore.add_argument("--data", type=Path, help="the data folder, empty (default: WILDPOST_DATA)")
    restore.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore or check, and say what was verified."""
    from wildpost.backup.restore import check, restore

    if arguments.check:
        restored = check(arguments.file)
        print(f"{arguments.file}: whole; Wildpost {restored.about.wildpost} made it as of {restored.about.made_at}")
    else:
        folder = data_folder(arguments.data)
        restored = restore(arguments.file, folder)
        print(f"{arguments.file} is restored to {folder}, as of {restored.about.made_at}")
    show(restored.totals)
    print(f"verified: the hashes of {restored.totals.entries} files, and the rows of every table")
    if not arguments.check:
        for name, place in restored.about.from_files.items():
            print(f"{folder / name} was {place}")
    complain(restored.totals)
    return 0
