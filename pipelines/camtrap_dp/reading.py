"""Reads Camtrap DP packages, of this program or another one."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from contract.errors import InvalidInput
from pipelines.camtrap_dp.upgrade import upgraded_row
from pipelines.camtrap_dp.versions import Layout, layout_of

TABLES = ("deployments", "media", "observations")
MAX_DESCRIPTOR_BYTES = 20_000_000  # the spatial coverage and the list of taxa of a large project
MAX_CELL_LETTERS = 1_000_000  # exifData is JSON in one cell

Row = dict[str, str]


class UnreadablePackage(InvalidInput):
    """A package cannot be read; the message names the file, the value and what was expected."""


@dataclass(frozen=True, slots=True)
class Package:
    """An opened package.

    Attributes:
        folder: Its folder.
        descriptor: Content of datapackage.json.
        layout: Layout of its tables.
    """

    folder: Path
    descriptor: dict[str, Any]
    layout: Layout

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of a table in the layout of Camtrap DP 1.0.2, in the order of the file.

        Raises:
            UnreadablePackage: the table is missing, is not CSV in UTF-8, or lacks columns.
        """
        if self.layout.version != "0.1.6":
            yield from self._rows_as_written(table)
            return
        ends: dict[str, str] = {}
        if table == "observations":
            for medium in self._rows_as_written("media"):
                ends[medium["sequenceID"]] = max(ends.get(medium["sequenceID"], ""), medium["timestamp"])
        for row in self._rows_as_written(table):
            yield upgraded_row(table, row, ends)

    def _rows_as_written(self, table: str) -> Iterator[Row]:
        path = self._path_of(table)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from self._rows_in(file, table, path)
        except FileNotFoundError:
            raise UnreadablePackage(f"{path}: no such file, though datapackage.json names it") from None
        except OSError as error:
            raise UnreadablePackage(f"{path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UnreadablePackage(f"{path}: byte {error.start} is not UTF-8, which Camtrap DP expects") from error

    def _rows_in(self, file: Iterator[str], table: str, path: Path) -> Iterator[Row]:
        reader = csv.DictReader(file, strict=True)
        try:
            missing = [one for one in self.layout.required[table] if one not in (reader.fieldnames or ())]
            if missing:
                raise UnreadablePackage(f"{path}: column {missing[0]} is missing")
            for row in reader:
                if None in row or None in row.values():
                    expected = len(reader.fieldnames or ())
                    raise UnreadablePackage(f"{path}, line {reader.line_num}: expected {expected} cells")
                yield row
        except csv.Error as error:
            raise UnreadablePackage(f"{path}, line {reader.line_num}: {error}") from error

    def _path_of(self, table: str) -> Path:
        resources = self.descriptor.get("resources")
        found = [one for one in resources if isinstance(one, dict)] if isinstance(resources, list) else []
        resource = next((one for one in found if one.get("name") == table), None)
        where = self.folder / "datapackage.json"
        if resource is None:
            raise UnreadablePackage(f"{where}: resources: expected one with the name {table}")
        path = resource.get("path")
        if not isinstance(path, str) or not path:
            raise UnreadablePackage(f"{where}: path of {table}: {path!r}; expected the name of one CSV file")
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or ":" in path or "\\" in path:
            raise UnreadablePackage(f"{where}: path of {table}: {path!r}; expected a file in the folder of the package")
        return self.folder / relative


def open_package(folder: Path) -> Package:
    """Read the descriptor of a package: a folder, or the datapackage.json in it.

    Raises:
        UnreadablePackage: there is no descriptor, or it is none of Camtrap DP 0.1.6 or 1.0.
    """
    path = folder if folder.name == "datapackage.json" else folder / "datapackage.json"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DESCRIPTOR_BYTES + 1)
    except OSError as error:
        raise UnreadablePackage(f"{path}: {error.strerror or error}; expected a Camtrap DP package") from error
    if len(content) > MAX_DESCRIPTOR_BYTES:
        raise UnreadablePackage(f"{path}: larger than {MAX_DESCRIPTOR_BYTES} bytes")
    try:
        descriptor = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadablePackage(f"{path}: not JSON: {error}") from error
    if not isinstance(descriptor, dict):
        raise UnreadablePackage(f"{path}: expected a JSON object")
    layout = layout_of(descriptor.get("profile"))
    if layout is None:
        raise UnreadablePackage(
            f"{path}: profile: {descriptor.get('profile')!r}; expected that of Camtrap DP 1.0 or 0.1.6"
        )
    csv.field_size_limit(MAX_CELL_LETTERS)
    return Package(path.parent, descriptor, layout)
