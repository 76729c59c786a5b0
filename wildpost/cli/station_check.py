"""`wildpost station check`: what works at this station, and what to do about what does not."""

import argparse
import json
import time
from pathlib import Path

from wildpost.settings.data_folder import data_folder

COLOURS = {"works": "green", "doubtful": "yellow", "fails": "bold red"}


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the action."""
    about = "say what works at this station, and what to do about what does not"
    check = actions.add_parser("check", help=about, description=about)
    check.add_argument("settings", type=Path, help="the station's settings, such as /etc/wildpost/station.toml")
    check.add_argument("--data", type=Path, help="where the outbox and weights are (default: WILDPOST_DATA)")
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print each finding as soon as it is there; 1 where something does not work."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from wildpost.station.diagnostics import look_over

    began = time.monotonic()
    console = Console(highlight=False)
    findings = []
    for finding in look_over(arguments.settings, data_folder(arguments.data)):
        findings.append(finding)
        if arguments.json:
            continue
        row = Table.grid(Column(width=9), Column(overflow="fold"))
        words = Text.assemble((finding.what, "bold"), f": {finding.found}")
        row.add_row(Text(finding.state, COLOURS[finding.state]), words)
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
        doubtful = f", {count['doubtful']} to be looked at" if count["doubtful"] else ""
        console.print(Text(f"the station works{doubtful}", "bold green"))
    return int(bool(count["fails"]))
