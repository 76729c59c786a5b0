"""`wildpost models`: lists, downloads and verifies the weights of the models."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column, Table

from wildpost.cli import models_evaluate, models_export, models_run, models_train
from wildpost.settings.data_folder import data_folder

if TYPE_CHECKING:
    from models.registry import Registry, RegistryEntry


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost models` and its actions."""
    about = "manage models: download, verify, run, evaluate, train and export"
    models = commands.add_parser("models", help=about, description=about)
    actions = models.add_subparsers(required=True, metavar="ACTION")
    add_registry_actions(actions)
    models_run.add(actions)
    models_evaluate.add(actions)
    models_train.add(actions)
    models_export.add(actions)


def add_registry_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register list, pull and verify."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--folder", type=Path, help="folder of weights (default: models in the data folder)")
    common.add_argument("--registry", type=Path, action="append", default=[], help="additional registry file")

    listing = actions.add_parser(
        "list",
        parents=[common],
        help="list the models and whether their weights are installed",
        description="list the models and whether their weights are installed",
    )
    listing.set_defaults(run=run_list)

    pulling = actions.add_parser(
        "pull",
        parents=[common],
        help="download a model's weights; resumes an interrupted download",
        description="download a model's weights; resumes an interrupted download",
    )
    pulling.add_argument("name", nargs="+", help="model name from `wildpost models list`")
    pulling.add_argument("--from", dest="source", type=Path, help="install this local file instead of downloading")
    pulling.add_argument(
        "--mirror",
        default=os.environ.get("WILDPOST_MODEL_MIRROR"),
        help="URL that replaces the host, or a template with {url} (default: WILDPOST_MODEL_MIRROR)",
    )
    pulling.set_defaults(run=run_pull)

    verifying = actions.add_parser(
        "verify",
        parents=[common],
        help="check the weights against their checksums",
        description="check the weights against their checksums",
    )
    verifying.add_argument("name", nargs="*", help="default: all installed models")
    verifying.set_defaults(run=run_verify)


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of the models."""
    from models.registry import load_registry

    columns = [Column(title, overflow="fold") for title in ("version", "kind", "MB", "licence", "installed", "source")]
    table = Table(Column("name", no_wrap=True), *columns)  # no_wrap: users copy names into other commands
    for entry in load_registry(*arguments.registry).values():
        origin = entry.url or entry.file or f"package {entry.package}"
        installed = "yes" if _is_installed(entry, _folder(arguments)) else "no"
        size_mb = f"{entry.size / 1e6:.1f}"
        table.add_row(entry.name, entry.version, entry.kind, size_mb, entry.licence, installed, origin)
    Console().print(table)
    return 0


def run_pull(arguments: argparse.Namespace) -> int:
    """Download weights, or install a local file."""
    from models.download import install
    from models.registry import WeightsError, entry_named, load_registry

    registry = load_registry(*arguments.registry)
    entries = [entry_named(name, registry) for name in arguments.name]
    if arguments.source is not None and len(entries) != 1:
        raise WeightsError(f"--from installs one file: expected one name, got {len(entries)}")
    for entry in entries:
        path = (
            install(entry, arguments.source, _folder(arguments))
            if arguments.source is not None
            else _pull_with_bar(entry, _folder(arguments), arguments.mirror)
        )
        print(f"{entry.name} {entry.version}: {path} ({entry.licence})")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Check the hash of the weights; return 1 if one does not match."""
    from models.registry import WeightsMismatch, find_weights, load_registry

    registry = load_registry(*arguments.registry)
    wrong = 0
    for entry in _selected(arguments, registry):
        try:
            print(f"{entry.name}: checksum matches, {find_weights(entry, _folder(arguments))}")
        except WeightsMismatch as error:
            print(error)
            wrong += 1
    return 1 if wrong else 0


def _selected(arguments: argparse.Namespace, registry: "Registry") -> "list[RegistryEntry]":
    from models.registry import entry_named

    if arguments.name:
        return [entry_named(name, registry) for name in arguments.name]
    return [entry for entry in registry.values() if _is_installed(entry, _folder(arguments))]


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.folder if isinstance(arguments.folder, Path) else data_folder() / "models"


def _is_installed(entry: "RegistryEntry", folder: Path) -> bool:
    from models.registry import WeightsError, place_of

    try:
        return place_of(entry, folder).is_file()
    except WeightsError:
        return False  # the package that carries these weights is not installed


def _pull_with_bar(entry: "RegistryEntry", folder: Path, mirror: str | None) -> Path:
    from models.download import pull

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(entry.name, total=entry.size)
        return pull(entry, folder, mirror, lambda received, _: bar.update(task, completed=received))
