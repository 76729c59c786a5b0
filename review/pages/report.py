"""The page of the work summary: choose a period and a language, look at it, and save it as DOCX or HTML."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from pipelines.reports.document import Heading, Paragraph, Table
from review.page import ContextDependency
from review.problems import InvalidRequest
from review.report_request import MAX_NAME, ReportDependency, write_report
from review.security.access_rules import REPORT, access

router = APIRouter(include_in_schema=False)
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@router.get("/report")
@access(REPORT)
def report(context: ContextDependency, asked: ReportDependency) -> HTMLResponse:
    """Show the summary of a period as it will be printed."""
    document = write_report(context, asked)
    chosen: dict[str, object] = {"from": asked.first, "to": asked.last, "report_lang": asked.language}
    chosen |= {"unit": asked.unit, "addressee": asked.addressee}
    kinds = {Heading: "heading", Paragraph: "paragraph", Table: "table"}
    return context.render(
        "report.html",
        {
            "asked": asked,
            "document": document,
            "blocks": [(kinds[type(block)], block) for block in document.blocks],
            "chosen": urlencode({key: value for key, value in chosen.items() if value}),
            "max_name": MAX_NAME,
        },
    )


@router.get("/report/file")
@access(REPORT)
def report_file(
    context: ContextDependency, asked: ReportDependency, file: Annotated[str, Query(alias="format")] = "docx"
) -> Response:
    """Return the summary of a period as a DOCX or an HTML file to be saved."""
    if file not in ("docx", "html"):
        raise InvalidRequest("choice")
    document = write_report(context, asked)
    if file == "docx":
        from pipelines.reports.docx_file import docx_bytes

        content, media_type = docx_bytes(document), _DOCX
    else:
        from pipelines.reports.html_page import html_page

        content, media_type = html_page(document, str(context.request.base_url)).encode(), "text/html"
    name = f"wildpost-report-{asked.first}-{asked.last}.{file}"
    context.note("exported", name)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
