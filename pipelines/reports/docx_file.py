"""Writes a document as DOCX, in the form of Chinese official documents (GB/T 9704-2012).

A4 with a type area of 156 x 225 mm: margins of 37 mm at the top, 35 mm at the bottom, 28 mm left and 26 mm
right; 22 lines a page. Title in 22 pt, body in 16 pt FangSong with lines of 28.8 pt and an indent of two characters,
headings in HeiTi and KaiTi, page number between dashes, outside. The fonts are named, not embedded: every bureau has
them, and a word processor replaces those that it does not have.
"""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from pipelines.reports.document import Document, Heading, Paragraph, Run, Table

TITLE_PT, BODY_PT, TABLE_PT, PAGE_NUMBER_PT = 22, 16, 12, 14
LINE_PT = 28.8  # 225 mm / 22 lines, in points
_FONTS = {"title": "方正小标宋简体", "body": "仿宋_GB2312", "heading 1": "黑体", "heading 2": "楷体_GB2312"}
_LATIN_FONT = "Times New Roman"
_NOT_XML = re.compile("[^\t\n\r\\u0020-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")  # XML 1.0, section 2.2


def write_docx(document: Document, path: Path) -> None:
    """Write a document to a new file.

    Raises:
        FileExistsError: the file exists.
    """
    with path.open("xb") as target:
        target.write(docx_bytes(document))


def docx_bytes(document: Document) -> bytes:
    """Return a document as the content of a DOCX file."""
    file = docx.Document()
    section = file.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.footer_distance = Mm(25)  # the page number stands 7 mm below the type area
    file.settings.odd_and_even_pages_header_footer = True
    _add_page_number(section.footer, WD_ALIGN_PARAGRAPH.RIGHT)
    _add_page_number(section.even_page_footer, WD_ALIGN_PARAGRAPH.LEFT)
    file.core_properties.title = _xml_text(" ".join(document.title))[:255]  # the longest that python-docx accepts
    file.core_properties.language = document.language.code.replace("_", "-")
    for line in document.title:
        _add_text(file, (Run(line),), "title", TITLE_PT, WD_ALIGN_PARAGRAPH.CENTER, indent=False)
    for block in document.blocks:
        match block:
            case Heading(level, text):
                _add_text(file, (Run(text),), f"heading {level}", BODY_PT, keep_with_next=True)
            case Paragraph(runs, style):
                alignment = WD_ALIGN_PARAGRAPH.RIGHT if style == "signature" else WD_ALIGN_PARAGRAPH.JUSTIFY
                _add_text(file, runs, "body", BODY_PT, alignment, indent=style == "body")
            case Table():
                _add_table(file, block)
    target = BytesIO()
    file.save(target)
    return target.getvalue()


def _add_text(
    file: Any,
    runs: tuple[Run, ...],
    font: str,
    size_pt: float,
    alignment: WD_ALIGN_PARAGRAPH = WD_ALIGN_PARAGRAPH.JUSTIFY,
    *,
    indent: bool = True,
    keep_with_next: bool = False,
) -> None:
    added = file.add_paragraph()
    added.alignment = alignment
    form = added.paragraph_format
    form.space_before = form.space_after = Pt(0)
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(max(LINE_PT, size_pt * 1.4))
    form.first_line_indent = Pt(2 * size_pt) if indent else Pt(0)
    form.keep_with_next = keep_with_next
    _add_runs(added, runs, font, size_pt)


def _add_runs(paragraph: Any, runs: tuple[Run, ...], font: str, size_pt: float) -> None:
    for run in runs:
        added = paragraph.add_run(_xml_text(run.text) or "\u2003\u2003\u2003")
        added.font.size = Pt(size_pt)
        added.font.name = _LATIN_FONT
        added.font.underline = bool(run.blank)
        added._element.rPr.rFonts.set(qn("w:eastAsia"), _FONTS[font])  # python-docx has no property for it


def _xml_text(text: str) -> str:
    """Replace characters that XML 1.0 cannot have, which people may have pasted into a text."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _add_table(file: Any, block: Table) -> None:
    _add_text(file, (Run(block.caption),), "heading 1", TABLE_PT, WD_ALIGN_PARAGRAPH.CENTER, indent=False)
    table = file.add_table(rows=0, cols=len(block.header))
    table.style, table.alignment = "Table Grid", WD_TABLE_ALIGNMENT.CENTER
    for number, cells in enumerate((tuple(Run(text) for text in block.header), *block.rows)):
        row = table.add_row()
        if number == 0:
            repeated = OxmlElement("w:tblHeader")
            repeated.set(qn("w:val"), "true")
            row._tr.get_or_add_trPr().append(repeated)
        for cell, run in zip(row.cells, cells, strict=True):
            _add_runs(cell.paragraphs[0], (run,), "heading 1" if number == 0 else "body", TABLE_PT)


def _add_page_number(footer: Any, alignment: WD_ALIGN_PARAGRAPH) -> None:
    footer.is_linked_to_previous = False
    paragraph = footer.paragraphs[0]
    paragraph.alignment = alignment
    for kind, text in (("text", "\u2014 "), ("field", "PAGE"), ("text", " \u2014")):
        run = paragraph.add_run(text if kind == "text" else "")
        run.font.size, run.font.name = Pt(PAGE_NUMBER_PT), _LATIN_FONT
        run._element.rPr.rFonts.set(qn("w:eastAsia"), "宋体")
        if kind == "field":
            for name in ("begin", "", "end"):
                element = OxmlElement("w:fldChar" if name else "w:instrText")
                if name:
                    element.set(qn("w:fldCharType"), name)
                else:
                    element.text = text
                run._element.append(element)
