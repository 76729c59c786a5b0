"""`wildpost export detection-history`: detections and effort of a species by place and occasion, for R."""

import argparse
from pathlib import Path

from contract.errors import InvalidInput
from wildpost.cli.copied_stores import copied_stores
from wildpost.cli.populations import add_history_options, history_request
from wildpost.cli.server_request import find_data


def add_history(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the format to the argument parser of `wildpost export`."""
    about = (
        "write detections, counts and effort of a species by place and occasion, as R packages for occupancy take them"
    )
    history = formats.add_parser("detection-history", help=about, description=about)
    history.add_argument("folder", type=Path, metavar="DIR", help="the new folder")
    add_history_options(history)
    history.add_argument("--taxon", required=True, help="this species, by any of its names")
    history.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    """Write the matrices and print what they have, and what was left out."""
    from pipelines.exchange.history_files import write_history
    from pipelines.populations.species_history import species_history

    if not arguments.taxon.strip():
        raise InvalidInput("--taxon: expected the name of a species")
    request, options = history_request(arguments)
    with copied_stores(find_data(arguments.data)) as (store, _):
        species = species_history(store, request, options)
    write_history(species.history, request.first, arguments.folder)
    places, occasions = species.history.detected.shape
    print(f"{arguments.folder}: {request.taxon}, {places} places, {occasions} occasions")
    if species.untrusted:
        print(f"left out: {species.untrusted} captures whose time is not trusted")
    if species.without_effort:
        print(f"left out: {species.without_effort} records in occasions without known effort")
    return 0
