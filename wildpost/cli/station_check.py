"""`wildpost station check`: tests each part of a station and prints how to fix the faults."""

import argparse
import json
import time
from pathlib import Path

from wildpost.settings.data_folder import data_folder

COLOURS = {"works": "green", "doubtful": "yellow", "fails": "bold red"}


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the action."""
    about = "test each part of this station and print how to fix the faults"
    check = actions.add_parser("check", help=about, description=about)
    check.add_argument("settings", type=Path, help="the station's settings, such as /etc/wildpost/station.toml")
    check.add_argument("--data", type=Path, help="data folder with outbox and weights (default: WILDPOST_DATA)")
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print each finding as soon as it is known; return 1 if a part does not work."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from wildpost.station.diagnostics import diagnose_station

    began = time.monotonic()
    console = Console(highlight=False)
    findings = []
    for finding in diagnose_station(arguments.settings, data_folder(arguments.data)):
        findings.append(finding)
        if arguments.json:
            continue
        row = Table.grid(Column(width=9), Column(overflow="fold"))
        text = Text.assemble((finding.what, "bold"), f": {finding.found}")
        row.add_row(Text(finding.state, COLOURS[finding.state]), text)
        if finding.next_step:
            row.add_row("", Text(f"-> {finding.next_step}", "italic"))
        console.print(row)
    count = {state: sum(finding.state == state for finding in findings) for state in COLOURS}
    if arguments.json:
        report = {
            "works": not count["fails"],
            "counts": count,
            "findings": [
                {
                    "state": finding.state,
                    "what": finding.what,
                    "found": finding.found,
                    "next_step": finding.next_step,
                    "figures": dict(finding.figures),
                }
                for finding in findings
            ],
            "seconds": round(time.monotonic() - began, 1),
        }
        print(json.dumps(report, ensure_ascii=False))
    elif count["fails"]:
        console.print(Text(f"{count['fails']} of {len(findings)} do not work", "bold red"))
    else:
        doubtful = f", {count['doubtful']} findings are doubtful" if count["doubtful"] else ""
        console.print(Text(f"the station works{doubtful}", "bold green"))
    return int(bool(count["fails"]))
