"""Reads the tables of taxa, synonyms, protection and things."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from contract.errors import InvalidInput
from contract.messages import ObservationType
from i18n.taxonomy.taxon import Taxon

TAXA = ("accepted_name", "rank", "class", "order", "family", "chinese_name", "other_chinese_names", "english_name")
_EXTRA = ("pinyin", "initials", "in_china")


class TaxonomyError(InvalidInput):
    """A table of the taxonomy cannot be used; the message names the file, the line and what was expected."""


@dataclass(frozen=True, slots=True)
class ListedTaxon:
    """Entry of a protection list.

    Attributes:
        list_name: Name and year of the list.
        level: Level in the list, such as "I".
        remark: What limits the entry, such as "only wild populations".
        name_in_list: Name under which the list has the taxon.
    """

    list_name: str
    level: str
    remark: str
    name_in_list: str


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number and the cells of each line of a CSV table in UTF-8, without spaces around cells.

    Raises:
        TaxonomyError: the file cannot be read or lacks one of ``columns``.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise TaxonomyError(f"{path}: columns {reader.fieldnames}: expected also {', '.join(missing)}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaxonomyError(f"{path}: {error}") from error
    for line, row in rows:
        yield line, {name: (text or "").strip() for name, text in row.items() if isinstance(name, str)}


def read_taxa(path: Path) -> list[Taxon]:
    """Read a table of taxa; the columns ``pinyin``, ``initials`` and ``in_china`` may be missing.

    Raises:
        TaxonomyError: the table cannot be read, or a line has no accepted name.
    """
    taxa = []
    for line, row in read_rows(path, TAXA):
        name = row["accepted_name"]
        if not name:
            raise TaxonomyError(f"{path}, line {line}: no accepted_name")
        pinyin, initials, in_china = (row.get(column, "") for column in _EXTRA)
        taxa.append(
            Taxon(
                key=name,
                scientific_name=name,
                observation_type="animal",
                rank=row["rank"],
                class_name=row["class"],
                order=row["order"],
                family=row["family"],
                zh=row["chinese_name"],
                en=row["english_name"],
                other_names=_split(row["other_chinese_names"]),
                pinyin=pinyin,
                initials=initials,
                in_china=in_china == "1",
            )
        )
    return taxa


def read_things(path: Path) -> list[Taxon]:
    """Read the table of things that detectors report, such as vehicles and sounds of people."""
    return [
        Taxon(
            key=row["label"],
            scientific_name=None,
            observation_type=msgspec.convert(row["type"], ObservationType),
            zh=row["zh"],
            en=row["en"],
            other_names=_split(row["other_names"]),
        )
        for _, row in read_rows(path, ("label", "zh", "en", "other_names", "type"))
    ]


def read_synonyms(path: Path) -> list[tuple[str, str]]:
    """Read pairs of a name and the accepted name of its taxon."""
    return [(row["name"], row["accepted_name"]) for _, row in read_rows(path, ("name", "accepted_name"))]


def read_protection(path: Path) -> dict[str, list[ListedTaxon]]:
    """Read the entries of the protection lists by accepted name."""
    found: dict[str, list[ListedTaxon]] = {}
    for _, row in read_rows(path, ("accepted_name", "list", "level", "remark", "name_in_list")):
        entry = ListedTaxon(row["list"], row["level"], row["remark"], row["name_in_list"])
        found.setdefault(row["accepted_name"], []).append(entry)
    return found


def _split(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split("|") if name)
