"""A document as a list of blocks, which is written as DOCX or HTML; figures keep the address that explains them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from i18n.language import Language

_MARK = "\x00"  # around the name of a figure while its sentence is translated
ParagraphStyle = Literal["body", "addressee", "signature", "note"]


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a paragraph.

    Attributes:
        text: The text; "" for a blank.
        link: Address of the page that shows what a figure counts, relative to the start page; "": no figure.
        blank: Name of what is not recorded, and left open for a person to fill in; "": none.
    """

    text: str
    link: str = ""
    blank: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 or 2."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    runs: tuple[Run, ...]
    style: ParagraphStyle = "body"

    @property
    def text(self) -> str:
        """Text of all parts, with underscores for blanks."""
        return "".join(run.text or "____" for run in self.runs)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a numbered caption."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Run, ...], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Attributes:
        language: Language of its texts.
        title: Lines of the title.
        blocks: Everything below the title.
    """

    language: Language
    title: tuple[str, ...]
    blocks: tuple[Heading | Paragraph | Table, ...]

    @property
    def blanks(self) -> list[str]:
        """Names of what is not recorded, without duplicates, in order of the document."""
        runs = (run for block in self.blocks if isinstance(block, Paragraph) for run in block.runs)
        return list(dict.fromkeys(run.blank for run in runs if run.blank))


def paragraph(language: Language, text: str, figures: Mapping[str, Run], style: ParagraphStyle = "body") -> Paragraph:
    """Translate a sentence and put figures in place of its ``%(name)s`` placeholders.

    Args:
        language: The language.
        text: The sentence in English, as in the translations.
        figures: A run for each placeholder.
        style: Style of the paragraph.
    """
    marked = language.translate(text, **{name: f"{_MARK}{name}{_MARK}" for name in figures})
    parts = re.split(f"{_MARK}(.*?){_MARK}", marked)
    runs = (figures[part] if index % 2 else Run(part) for index, part in enumerate(parts))
    return Paragraph(tuple(run for run in runs if run.text or run.blank), style)


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Run]]) -> Table:
    """Return a table; every row has as many cells as the header."""
    return Table(caption, tuple(header), tuple(tuple(row) for row in rows))
