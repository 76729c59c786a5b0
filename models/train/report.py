"""HTML report of a dataset: counts, sample pictures with their boxes, and the reasons for excluded pictures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.picture import read_picture, shrink
from models.evaluate.labels import KINDS, Kind
from models.train.dataset_settings import Split
from models.train.manifest import ManifestRow
from models.train.survey import ExcludedFile, Survey

_SPLITS: tuple[Split, ...] = ("train", "val", "test", "left_out")
_TILE, _ACROSS, _DOWN = 200, 6, 3
_COLOURS: dict[Kind, tuple[int, int, int]] = {  # blue, green, red
    "animal": (60, 200, 60),
    "human": (60, 60, 230),
    "vehicle": (230, 140, 30),
}
_NAMES_SHOWN = 5

Pixels = NDArray[np.uint8]


def write_report(found: Survey, folder: Path) -> Path:
    """Write the report of a dataset, ``report.html`` and one contact sheet per source, into a folder.

    Returns:
        Path of the page.
    """
    sources = list(dict.fromkeys(entry.source for entry in found.entries))
    sheets = []
    for at, source in enumerate(sources, 1):
        name = f"sheet_{at:02d}.jpg"
        (folder / name).write_bytes(draw_entries([entry for entry in found.entries if entry.source == source]))
        licence = next(entry.licence for entry in found.entries if entry.source == source)
        sheets.append(f'<h3>{escape(source)}</h3><p>{escape(licence)}</p><img src="{name}" alt="{escape(source)}">')
    page = folder / "report.html"
    page.write_text(
        "<!doctype html><meta charset=utf-8><title>Dataset</title>"
        "<style>body{font:15px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:right}"
        "td:first-child,th:first-child{text-align:left}img{max-width:100%}</style>"
        f"<h1>Dataset</h1><p>{len(found.entries)} pictures, {len(found.excluded)} set aside.</p>"
        f"<h2>By split</h2>{_table('split', count_by_split(found.entries))}"
        f"<h2>By source</h2>{_table('source', count_by_source(found.entries))}"
        f"<h2>Set aside</h2>{_excluded_list(found.excluded)}<h2>Pictures</h2>{''.join(sheets)}",
        encoding="utf-8",
    )
    return page


def count_by_split(entries: Sequence[ManifestRow]) -> dict[str, Counter[str]]:
    """Count the pictures, picture groups and boxes in each split of a dataset; see ``count_entries``."""
    return {split: count_entries(entry for entry in entries if entry.split == split) for split in _SPLITS}


def count_by_source(entries: Sequence[ManifestRow]) -> dict[str, Counter[str]]:
    """Count the pictures, picture groups and boxes of each source of a dataset; see ``count_entries``."""
    return {
        source: count_entries(entry for entry in entries if entry.source == source)
        for source in dict.fromkeys(entry.source for entry in entries)
    }


def count_entries(entries: Iterable[ManifestRow]) -> Counter[str]:
    """Count pictures, picture groups, and the boxes of each kind in lines of a manifest.

    Infrared pictures, empty pictures and pictures without boxes that are labelled as a whole are also counted
    separately.
    """
    counted: Counter[str] = Counter()
    groups = set()
    for entry in entries:
        groups.add(entry.group)
        counted["pictures"] += 1
        counted["infrared"] += bool(entry.night)
        counted["whole"] += entry.shows is not None
        counted["empty"] += not entry.truths and entry.shows is None
        counted.update(truth.kind for truth in entry.truths)
    counted["groups"] = len(groups)
    return counted


def group_by_reason(excluded: Iterable[ExcludedFile]) -> dict[str, list[ExcludedFile]]:
    """Group excluded pictures by the reason for their exclusion, largest group first.

    Reasons that differ only in names and numbers are equal.

    Returns:
        The files of each reason, in which "…" replaces names and numbers.
    """
    groups: dict[str, list[ExcludedFile]] = {}
    for file in excluded:
        reason = " ".join(
            "…" if any(letter.isdigit() or letter in "/." for letter in word) else word for word in file.reason.split()
        )
        groups.setdefault(reason, []).append(file)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def draw_entries(entries: Sequence[ManifestRow]) -> bytes:
    """Draw a contact sheet of up to 18 pictures with their boxes, and return it as a JPEG.

    The pictures are at equal intervals in ``entries``.
    """
    import cv2

    step = max(1, len(entries) // (_ACROSS * _DOWN))
    chosen = entries[::step][: _ACROSS * _DOWN]
    sheet = np.full((_TILE * -(-len(chosen) // _ACROSS), _TILE * _ACROSS, 3), 240, np.uint8)
    for at, entry in enumerate(chosen):
        pixels = shrink(read_picture(entry.path, _TILE).pixels, _TILE)
        height, width = pixels.shape[:2]
        for truth in entry.truths:
            box = truth.box
            corner, opposite = (
                (box.x * width, box.y * height),
                ((box.x + box.width) * width, (box.y + box.height) * height),
            )
            cv2.rectangle(
                pixels,
                (round(corner[0]), round(corner[1])),
                (round(opposite[0]), round(opposite[1])),
                _COLOURS[truth.kind],
                2,
            )
        top, left = at // _ACROSS * _TILE, at % _ACROSS * _TILE
        sheet[top : top + height, left : left + width] = pixels
    return bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def _table(first: str, rows: dict[str, Counter[str]]) -> str:
    columns = ("pictures", "groups", *KINDS, "whole", "empty", "infrared")
    head = "".join(f"<th>{column}</th>" for column in (first, *columns))
    body = "".join(
        f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{row[column]}</td>" for column in columns) + "</tr>"
        for name, row in rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _excluded_list(excluded: Sequence[ExcludedFile]) -> str:
    if not excluded:
        return "<p>None.</p>"
    items = []
    for reason, files in group_by_reason(excluded).items():
        examples = "".join(
            f"<li>{escape(file.source)}: {escape(file.path.name)}: {escape(file.reason)}</li>"
            for file in files[:_NAMES_SHOWN]
        )
        items.append(f"<li>{len(files)}: {escape(reason)}<ul>{examples}</ul></li>")
    return f"<ul>{''.join(items)}</ul>"
