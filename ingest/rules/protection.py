"""Protection levels of species, read from a CSV table that a reserve can replace."""

import csv
from collections.abc import Mapping
from pathlib import Path

from contract.errors import InvalidInput

_NAME = ("scientific_name", "学名")
_LEVEL = ("protection", "保护级别")
UNPROTECTED = "none"
_OFFICIAL = {"一级": "I", "二级": "II"}  # the two levels of the national list of key protected wildlife


class SpeciesError(InvalidInput):
    """Invalid table of protection levels; the message contains the file, the line and what was expected."""


def read_species(path: Path) -> Mapping[str, str]:
    """Read a CSV table of protection levels and return them by scientific name.

    Two columns are read and all others ignored: ``scientific_name`` (or 学名) and ``protection`` (or 保护级别).
    A name may be a species, a subspecies or a genus ("Moschus" or "Moschus spp."). 一级 and 二级 are read as "I" and
    "II"; "none" is for a domestic form of a protected species; any other level is used as written. Rows without a
    name or a level are skipped.

    Returns:
        Levels by name in lower case.

    Raises:
        SpeciesError: the file is missing, is not UTF-8, lacks a column or gives one name two levels.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpeciesError(f"{path}: {error}") from error
    columns = list(rows[0]) if rows else []
    name_column, level_column = (next((one for one in known if one in columns), None) for known in (_NAME, _LEVEL))
    if name_column is None or level_column is None:
        raise SpeciesError(f"{path}: columns {columns}: expected {' or '.join(_NAME)}, and {' or '.join(_LEVEL)}")
    levels: dict[str, str] = {}
    for line, row in enumerate(rows, 2):
        name, level = _clean(row[name_column]).lower(), _clean(row[level_column])
        if not name or not level:
            continue
        level = _OFFICIAL.get(level, level)
        if levels.setdefault(name, level) != level:
            raise SpeciesError(
                f"{path}, line {line}: {name!r} has level {level!r}, but {levels[name]!r} in an earlier line"
            )
    return levels


def protection_of(scientific_name: str | None, levels: Mapping[str, str]) -> str | None:
    """Return the protection level of a taxon, else that of its species or genus; None if unprotected."""
    words = (scientific_name or "").lower().split()
    for count in range(len(words), 0, -1):
        level = levels.get(" ".join(words[:count]))
        if level is not None:
            return None if level == UNPROTECTED else level
    return None


def _clean(text: str | None) -> str:
    # Official lists contain full-width spaces, and mark a genus with "spp.".
    return " ".join((text or "").replace("　", " ").strip(" *#").removesuffix("spp.").split())
