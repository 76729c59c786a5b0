"""`wildpost report`: the summary of a period's work, as DOCX or HTML."""

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.cli.server_request import find_data

_WRITERS = (".docx", ".html")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost report` to the argument parser."""
    about = "write the summary of a period's work as a document of a bureau: DOCX or HTML"
    report = commands.add_parser("report", help=about, description=about)
    report.add_argument("file", type=Path, metavar="FILE", help="the new file, whose name ends in .docx or .html")
    add_days(report, required=True)
    report.add_argument("--lang", choices=["zh", "en"], default="zh", help="language (default: zh)")
    report.add_argument("--unit", default="", help="name of the bureau, in the title and below the text")
    report.add_argument("--addressee", default="", help="whom it is written to")
    add_time_zone(report, "the days")
    report.add_argument(
        "--link", default="", metavar="URL", help="start page of the server, where the figures in HTML link to"
    )
    add_data(report, or_demo=True)
    report.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the summary and print what it leaves open."""
    from i18n.language import load_languages
    from pipelines.reports.summary import summarise
    from pipelines.reports.work_summary import SummaryOptions, work_summary
    from pipelines.trends.counting import local_midnight
    from wildpost.cli.copied_stores import copied_stores

    file: Path = arguments.file
    if file.suffix.lower() not in _WRITERS:
        raise InvalidInput(f"{file}: expected a name that ends in .docx or .html")
    if arguments.last < arguments.first:
        raise InvalidInput(f"--to {arguments.last}: expected a day not before --from {arguments.first}")
    zone = ZoneInfo(arguments.time_zone)
    start = local_midnight(arguments.first, zone)
    end = local_midnight(arguments.last + timedelta(days=1), zone)
    with copied_stores(find_data(arguments.data)) as (store, casebook):
        found = summarise(start, end, store, casebook)
    language = load_languages(zone)["zh_CN" if arguments.lang == "zh" else "en"]
    options = SummaryOptions(
        arguments.first, arguments.last, datetime.now(zone).date(), unit=arguments.unit, addressee=arguments.addressee
    )
    document = work_summary(found, options, language)
    if file.suffix.lower() == ".docx":
        from pipelines.reports.docx_file import write_docx

        write_docx(document, file)
    else:
        from pipelines.reports.html_page import write_html

        write_html(document, file, arguments.link)
    print(f"{file}: {found.captures} captures, {found.records} independent records, {found.decisions.flagged} flagged")
    for blank in document.blanks:
        print(f"not recorded, left open: {blank}")
    return 0
