"""The papers that the law lists for a transfer, as forms: known fields are filled, the rest is left open.

They are those of article 6 of 行政执法机关移送涉嫌犯罪案件的规定, and the receipt that the police sign.
"""

from collections.abc import Mapping
from datetime import datetime

from casebook.cases.entry import Entry
from i18n.case_words import case_kind, outcome_name, step_name
from i18n.language import Language
from i18n.taxonomy import display_name
from pipelines.reports.case_facts import MOST_LISTED, CaseFacts
from pipelines.reports.document import Document, Heading, Paragraph, ParagraphStyle, Run, Table, paragraph, table


def papers(facts: CaseFacts, language: Language) -> Mapping[str, Document]:
    """Return the papers of a transfer by file name."""
    forms = _Papers(facts, language)
    return {
        "1-transfer-letter.docx": forms.transfer_letter(),
        "2-investigation-report.docx": forms.investigation_report(),
        "3-list-of-items.docx": forms.list_of_items(),
        "4-examination-report.docx": forms.examination_report(),
        "5-other-materials.docx": forms.other_materials(),
        "6-police-receipt.docx": forms.receipt(),
    }


def key_table(facts: CaseFacts, language: Language) -> Table:
    """Return the table that names the key by which the electronic pack is checked."""
    translate = language.translate
    header = (translate("Key of the electronic pack"), translate("Fingerprint (SHA-256)"))
    return table(translate("Electronic pack"), header, [(Run("Ed25519"), Run(facts.key))])


class _Papers:
    """Writes the papers of one case in one language."""

    def __init__(self, facts: CaseFacts, language: Language) -> None:
        """Store what the papers know."""
        self._facts = facts
        self._language = language

    def transfer_letter(self) -> Document:
        """Return the letter of transfer."""
        translate, case = self._language.translate, self._facts.case
        reported = self._time_of("transfer_reported", self._blank("time of the report"))
        approved = self._time_of("transfer_approved", self._blank("time of the approval"))
        blocks = (
            self._sentence("%(police)s:", {"police": self._blank("police station")}, "addressee"),
            self._sentence(
                "In case %(number)s (%(kind)s, opened on %(opened)s), this bureau found that a crime is suspected. "
                "Under article 27 of the Administrative Penalty Law and the Provisions on the Transfer of Suspected "
                "Criminal Cases, the case is transferred to you.",
                {
                    "number": Run(case.number),
                    "kind": Run(case_kind(case.kind, self._language)),
                    "opened": Run(_day(case.opened_at, self._language)),
                },
            ),
            self._sentence(
                "Party: %(party)s. Suspected crime: %(crime)s.",
                {"party": self._blank("party"), "crime": self._blank("suspected crime")},
            ),
            self._sentence(
                "The transfer was reported on %(reported)s and approved on %(approved)s.",
                {"reported": reported, "approved": approved},
            ),
            _text(
                translate(
                    "Attached: report of the investigation, list of the items, report of the examination, other "
                    "materials, and the electronic pack."
                )
            ),
            key_table(self._facts, self._language),
            *self._signatures(self._blank("officers (at least two, with licence numbers)")),
        )
        return Document(self._language, (translate("Letter of transfer of a suspected criminal case"),), blocks)

    def investigation_report(self) -> Document:
        """Return the report of the investigation."""
        translate = self._language.translate
        comma = translate(", ")
        captures = [
            (
                Run(self._language.date_time(event.captured_at)),
                Run(event.station),
                Run(
                    comma.join(
                        display_name(one.label, one.scientific_name, self._language.code)
                        for one in (found.identification for found in event.detections)
                    )
                ),
            )
            for event in self._facts.events[:MOST_LISTED]
        ]
        steps = [
            (
                Run(self._language.date_time(one.at)),
                Run(one.actor),
                Run(step_name(one.step, self._language)),
                Run(_said(one, self._language)),
            )
            for one in self._facts.entries
            if one.step not in ("viewed", "exported")
        ]
        blocks: list[Heading | Paragraph | Table] = [
            Heading(1, translate("Course of the case")),
            table(
                translate("Steps"),
                (translate("Time"), translate("Who"), translate("Step"), translate("Content")),
                steps[:MOST_LISTED],
            ),
            Heading(1, translate("Records of stations")),
            table(translate("Captures"), (translate("Time"), translate("Station"), translate("Detections")), captures),
            Heading(1, translate("Facts and evidence")),
            Paragraph((self._blank("facts found by the investigation"),)),
            Heading(1, translate("Legal grounds and opinion")),
            Paragraph((self._blank("legal grounds and opinion"),)),
            *self._signatures(self._blank("officers (at least two, with licence numbers)")),
        ]
        return Document(
            self._language, (translate("Report of the investigation"), self._facts.case.number), tuple(blocks)
        )

    def list_of_items(self) -> Document:
        """Return the list of the items."""
        translate = self._language.translate
        rows = []
        for finding in self._facts.findings:
            rows += [(one.name, self._language.number(one.count), "") for one in finding.tools]
            for animal in finding.animals:
                parts = (
                    (animal.alive, translate("alive")),
                    (animal.dead, translate("dead")),
                    (animal.released, translate("released")),
                )
                state = translate(", ").join(f"{word} {self._language.number(count)}" for count, word in parts if count)
                rows.append((animal.name, self._language.number(animal.alive + animal.dead), state))
        blanks = (self._blank("item"), self._blank("number of items"), self._blank("state of items"))
        cells = [(Run(name), Run(number), Run(state) if state else blanks[2]) for name, number, state in rows] or [
            blanks
        ]
        header = (translate("Item"), translate("Number"), translate("State"))
        blocks = (
            table(translate("Items of the case"), header, cells),
            *self._signatures(self._blank("party or witness")),
        )
        return Document(self._language, (translate("List of the items of the case"), self._facts.case.number), blocks)

    def examination_report(self) -> Document:
        """Return the form for the examination."""
        translate = self._language.translate
        blocks = (
            self._sentence("Examined: %(item)s.", {"item": self._blank("item examined")}),
            self._sentence(
                "Species and protection level: %(species)s. Value: %(value)s.",
                {"species": self._blank("species"), "value": self._blank("value")},
            ),
            self._sentence("Conclusion: %(conclusion)s.", {"conclusion": self._blank("conclusion")}),
            _text(translate("Detections of machines are no examination.")),
            *self._signatures(self._blank("examiner")),
        )
        return Document(
            self._language, (translate("Report or conclusion of the examination"), self._facts.case.number), blocks
        )

    def other_materials(self) -> Document:
        """Return the list of other materials."""
        translate = self._language.translate
        electronic = translate(
            "Electronic pack: %(events)s captures, %(media)s files, custody log of %(entries)s entries.",
            events=self._language.number(len(self._facts.events)),
            media=self._language.number(self._facts.media),
            entries=self._language.number(len(self._facts.entries)),
        )
        blocks = (
            _text(electronic),
            key_table(self._facts, self._language),
            self._sentence("Further materials: %(materials)s", {"materials": self._blank("further materials")}),
            *self._signatures(self._blank("officers (at least two, with licence numbers)")),
        )
        return Document(self._language, (translate("List of other materials"), self._facts.case.number), blocks)

    def receipt(self) -> Document:
        """Return the receipt that the police sign."""
        translate = self._language.translate
        blocks = (
            self._sentence(
                "Received: case %(number)s with %(papers)s, at %(time)s.",
                {
                    "number": Run(self._facts.case.number),
                    "papers": self._blank("papers received"),
                    "time": self._blank("time of receipt"),
                },
            ),
            key_table(self._facts, self._language),
            self._sentence("Received by: %(name)s", {"name": self._blank("officer of the police")}, "signature"),
            Paragraph((self._blank("seal of the police"),), "signature"),
        )
        return Document(self._language, (translate("Receipt of the police"),), blocks)

    def _signatures(self, signer: Run) -> tuple[Paragraph, Paragraph, Paragraph]:
        unit = Run(self._facts.unit) if self._facts.unit else self._blank("name of the bureau")
        return (
            self._sentence("Signed: %(name)s", {"name": signer}, "signature"),
            Paragraph((unit,), "signature"),
            Paragraph((self._blank("date"),), "signature"),
        )

    def _time_of(self, step: str, blank: Run) -> Run:
        """Return the time of the latest entry of a step, or the blank if there is none."""
        entry = next((one for one in reversed(self._facts.entries) if one.step == step), None)
        return blank if entry is None else Run(self._language.date_time(entry.at))

    def _sentence(self, text: str, figures: Mapping[str, Run], style: ParagraphStyle = "body") -> Paragraph:
        return paragraph(self._language, text, figures, style)

    def _blank(self, name: str) -> Run:
        return Run("", blank=self._language.translate(name))


def _said(entry: Entry, language: Language) -> str:
    outcome = outcome_name(entry.outcome, language) if entry.outcome else ""
    return " ".join(part for part in (entry.team, outcome, entry.text) if part) or "—"


def _day(moment: datetime, language: Language) -> str:
    return language.day(moment.astimezone(language.zone).date())


def _text(text: str) -> Paragraph:
    return Paragraph((Run(text),))
