"""`wildpost models data, train, export`: from labelled pictures to a network that a station can run."""

import argparse
import sys
from pathlib import Path


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register data, train and export."""
    _add_data(actions)


def _add_data(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "gather labelled pictures of several forms into one list, split by camera, and show what is in it"
    parser = actions.add_parser("data", help=about, description=about)
    parser.add_argument("dataset", type=Path, help="a TOML file that names folders and what their labels mean")
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.jsonl, report.html, aside.csv")
    parser.set_defaults(run=run_data)


def run_data(arguments: argparse.Namespace) -> int:
    """Survey a dataset and write what was found."""
    import csv

    from models.train.dataset_settings import load_dataset
    from models.train.manifest import write_manifest
    from models.train.report import by_split, reasons, write_report
    from models.train.survey import survey

    settings = load_dataset(arguments.dataset)
    shown = sys.stderr.isatty()
    found = survey(
        settings, lambda name, count: print(f"\r{name}: {count} pictures", end="", file=sys.stderr) if shown else None
    )
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(found.entries, out / "manifest.jsonl")
    with (out / "aside.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("source", "picture", "reason"))
        lines.writerows((one.source, one.path, one.reason) for one in found.aside)
    report = write_report(found, out)
    for split, counted in by_split(found.entries).items():
        if counted["pictures"]:
            words = ", ".join(f"{counted[name]} {name}" for name in ("animal", "human", "vehicle", "empty", "infrared"))
            print(f"{split}: {counted['pictures']} pictures in {counted['groups']} groups: {words}")
    print(f"set aside: {len(found.aside)}")
    for words, of_it in reasons(found.aside).items():
        print(f"  {len(of_it)}: {words}")
    print(f"{out / 'manifest.jsonl'}, {report}")
    return 0
