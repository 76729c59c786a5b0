"""Writes a document as one HTML page without scripts or further files, which prints on A4 like the DOCX file."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from pipelines.reports.document import Document, Heading, Paragraph, Run, Table

# The form of GB/T 9704-2012, as in docx_file.py; fonts that Linux and phones have stand behind those of an office.
_STYLE = """
@page { size: A4; margin: 37mm 26mm 35mm 28mm }
body { margin: 0; background: #e9ebe6; color: #000;
  font: 16pt/28.8pt "FangSong_GB2312", "仿宋", "Noto Serif SC", serif }
article { box-sizing: border-box; max-width: 210mm; min-height: 297mm; margin: 8mm auto; padding: 37mm 26mm 35mm 28mm;
  background: #fff }
h1 { margin: 0 0 28.8pt; font: 22pt/36pt "FZXiaoBiaoSong-B05S", "小标宋", "Noto Serif SC", serif; text-align: center }
h2, h3 { margin: 0; font-size: 16pt; font-weight: 400; text-indent: 2em; break-after: avoid }
h2 { font-family: "SimHei", "黑体", "Noto Sans SC", sans-serif }
h3 { font-family: "KaiTi_GB2312", "楷体", "LXGW WenKai", "Noto Serif SC", serif }
p { margin: 0; text-align: justify; text-indent: 2em; overflow-wrap: anywhere }
.addressee, .signature { text-indent: 0 }
.signature { text-align: right }
a { color: inherit; text-decoration: underline dotted 1px; text-underline-offset: 4px }
.blank { display: inline-block; min-width: 5em; border-bottom: 1px solid; text-align: center; text-indent: 0;
  color: #595959 }
.table { overflow-x: auto; margin: 14.4pt 0 }
table { width: 100%; border-collapse: collapse; font-size: 12pt; line-height: 18pt }
caption { font-family: "SimHei", "黑体", "Noto Sans SC", sans-serif; font-size: 12pt }
th, td { border: 1px solid #000; padding: 2pt 4pt; text-align: left }
td { overflow-wrap: anywhere }
td:nth-child(2) { font-style: normal }
@media print { body { background: #fff } article { margin: 0; padding: 0; min-height: 0; max-width: none }
  a { text-decoration: none } .blank { color: #fff } }
@media (max-width: 640px) { article { padding: 24px 16px; margin: 0 } h1 { font-size: 18pt } }
"""


def write_html(document: Document, path: Path, base: str = "") -> None:
    """Write a document to a new file.

    Args:
        document: The document.
        path: The file.
        base: Address of the server's start page, where figures link to; "": figures are not links.

    Raises:
        FileExistsError: the file exists.
    """
    with path.open("x", encoding="utf-8") as file:
        file.write(html_page(document, base))


def html_page(document: Document, base: str = "") -> str:
    """Return a document as an HTML page; see ``write_html``."""
    blocks = "\n".join(_block(block, document, base) for block in document.blocks)
    title = "<br>".join(escape(line) for line in document.title)
    return (
        f'<!doctype html>\n<html lang="{document.language.code.replace("_", "-")}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(' '.join(document.title))}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<article>\n<h1>{title}</h1>\n{blocks}\n</article>\n</body>\n</html>\n"
    )


def _block(block: Heading | Paragraph | Table, document: Document, base: str) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level + 1}>{escape(text)}</h{level + 1}>"
        case Paragraph(runs, style):
            return f'<p class="{style}">{_runs(runs, document, base)}</p>'
        case Table(caption, header, rows):
            head = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
            body = "".join(
                "<tr>" + "".join(f"<td>{_runs((cell,), document, base)}</td>" for cell in row) + "</tr>\n"
                for row in rows
            )
            return (
                f'<div class="table"><table><caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
                f"<tbody>\n{body}</tbody></table></div>"
            )


def _runs(runs: Iterable[Run], document: Document, base: str) -> str:
    return "".join(_run(run, document, base) for run in runs)


def _run(run: Run, document: Document, base: str) -> str:
    if run.blank:
        name, text = escape(run.blank), escape(document.language.translate("not recorded"))
        return f'<span class="blank" title="{name}">{text}</span>'
    if run.link and base:
        return f'<a href="{escape(base + run.link.removeprefix("."))}">{escape(run.text)}</a>'
    return escape(run.text)
