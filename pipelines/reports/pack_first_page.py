"""First page of a hand-over pack: what its records may prove, what is in it, and how to check it."""

from i18n.case_words import case_kind, deadline_name, evidence_sentence, outcome_name
from i18n.language import Language
from pipelines.reports.case_facts import MOST_LISTED, CaseFacts, StationFacts
from pipelines.reports.case_papers import key_table
from pipelines.reports.document import Document, Heading, Paragraph, Run, Table, table


def first_page(facts: CaseFacts, language: Language) -> Document:
    """Return the first page of a pack: what its records may prove, what is in it, and how to check it."""
    translate = language.translate
    by_use: dict[str, list[str]] = {}
    for station in facts.stations:
        by_use.setdefault(station.evidence_use, []).append(station.name)
    comma = translate(", ")
    uses = [evidence_sentence(use, comma.join(names), language) for use, names in sorted(by_use.items())]
    blocks: list[Heading | Paragraph | Table] = [
        Heading(1, translate("Lead or evidence")),
        *(_text(sentence) for sentence in uses or [translate("The case has no records of stations.")]),
        Heading(1, translate("Content")),
        _facts_table(facts, language),
    ]
    blocks += [_text(_chain_sentence(station, language)) for station in facts.stations]
    if facts.absent:
        reasons = {True: translate("damaged on the server"), False: translate("not on the server")}
        rows = [(Run(one.name), Run(one.sha256), Run(reasons[one.damaged])) for one in facts.absent[:MOST_LISTED]]
        header = (translate("File"), "SHA-256", translate("Reason"))
        blocks.append(table(translate("Named by stations, and not in this pack"), header, rows))
    blocks += [
        Heading(1, translate("How to check it")),
        _text(
            translate(
                "In this folder, “sha256sum -c manifest-sha256.txt” compares every file with its hash. The signature "
                "is checked by “wildpost evidence verify DIR --key FINGERPRINT”, or by OpenSSL 3: “openssl pkeyutl "
                "-verify -pubin -inkey server-key.pem -rawin -in tagmanifest-sha256.txt -sigfile "
                "tagmanifest-sha256.txt.sig”."
            )
        ),
        key_table(facts, language),
        _text(
            translate(
                "Compare the fingerprint with the one on the signed paper: a pack that others signed anew has another."
            )
        ),
        _text(translate("There is no time stamp of a third party; times are those of the stations and the server.")),
    ]
    title = (translate("Hand-over pack"), f"{facts.case.number} {facts.case.title}".strip())
    return Document(language, title, tuple(blocks))


def _facts_table(facts: CaseFacts, language: Language) -> Table:
    translate, case = language.translate, facts.case
    rows = [
        (translate("Case"), f"{case.number} {case.title}"),
        (translate("Kind of case"), case_kind(case.kind, language)),
        (translate("Area"), case.area),
        (translate("Opened"), language.date_time(case.opened_at)),
        (translate("Outcome"), outcome_name(case.outcome, language) if case.outcome else translate("not decided")),
        (translate("Captures"), language.number(len(facts.events))),
        (translate("Media files"), language.number(facts.media)),
        (translate("Custody log"), language.number(len(facts.entries))),
        (translate("Exported"), language.date_time(facts.at)),
        *(
            (deadline_name(one.rule.name, language), translate("until %(time)s", time=language.date_time(one.due_at)))
            for one in facts.deadlines
        ),
    ]
    cells = [(Run(name), Run(value or "—")) for name, value in rows]
    return table(translate("The case"), (translate("Field"), translate("Content")), cells)


def _chain_sentence(station: StationFacts, language: Language) -> str:
    translate = language.translate
    if station.unsigned:
        return translate(
            "Station %(station)s: %(unsigned)s of %(events)s messages were not signed by the station.",
            station=station.name,
            unsigned=language.number(station.unsigned),
            events=language.number(station.events),
        )
    if station.chain is not None and not station.chain.is_sound:
        return translate(
            "Station %(station)s: all messages of this case are signed. The server knows of gaps or contradictions in "
            "the whole chain of the station, see equipment.json.",
            station=station.name,
        )
    return translate("Station %(station)s: all messages of this case are signed.", station=station.name)


def _text(text: str) -> Paragraph:
    return Paragraph((Run(text),))
