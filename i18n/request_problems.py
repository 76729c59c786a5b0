"""Sentences about requests that the pages refuse or cannot answer, without any text of the request."""

from typing import Literal

from i18n.language import Language

Expected = Literal[
    "day",
    "moment",
    "zone",
    "period",
    "taxon",
    "detection",
    "decision",
    "choice",
    "number",
    "names",
    "trend",
    "name",
    "report",
    "original",
    "records",
    "case",
]


def problem_heading(code: int, language: Language) -> str:
    """Return the heading for an HTTP status code."""
    translate = language.translate
    if code == 401:
        return translate("Sign in")
    if code in (404, 405):
        return translate("Not found")
    return translate("Temporarily unavailable") if code in (500, 503) else translate("Invalid request")


def problem_sentence(code: int, language: Language) -> str:
    """Return the sentence for an HTTP status code; codes without a sentence of their own get that of 422."""
    translate = language.translate
    sentences = {
        401: translate("Nobody is signed in, or the session has ended. Sign in and try again."),
        403: translate("The server accepts changes only from its own pages."),
        404: translate("There is no capture, incident or page at this address. Check that the address is complete."),
        405: translate("This address does not accept this kind of request."),
        413: translate("The submitted data is too large."),
        414: translate("The address is too long."),
        415: translate("This file is not a picture or sound that a browser can show."),
        416: translate("The file does not have the requested part."),
        421: translate("The server does not answer under this host name. Check the address."),
        431: translate("The request is too large. Deleting this site's cookies in the browser may help."),
        500: translate("The server could not answer because of an error. Its log has the details."),
        503: translate(
            "The stored data cannot be read at the moment. Try again in a minute; no data from stations is lost."
        ),
    }
    return sentences.get(code, translate("The address or the submitted data is not valid."))


def role_sentence(language: Language) -> str:
    """Return the sentence for a request that needs a role which the account does not have."""
    return language.translate("Your account does not have the role for this. An administrator can give it.")


def busy_sentence(language: Language) -> str:
    """Return the sentence for a request that found no free slot."""
    return language.translate("The server is busy. Try again in a few seconds; no data from stations is lost.")


def expected_sentence(expected: Expected, language: Language) -> str:
    """Return the sentence that says what a parameter of a request must look like."""
    translate = language.translate
    sentences: dict[Expected, str] = {
        "day": translate("Expected a day such as 2026-05-31."),
        "moment": translate("Expected a time with its offset from UTC, such as 2026-05-31T06:00:00+08:00."),
        "zone": translate("Expected a time zone such as Asia/Shanghai."),
        "period": translate(
            "Expected a period of at most ten years between 1900 and 2200, with the first day before the last."
        ),
        "taxon": translate("A correction needs a species, for example 野猪, wild boar or Sus scrofa."),
        "detection": translate("The capture has no such detection."),
        "decision": translate("Expected a decision on a capture."),
        "records": translate("Expected captures and incidents of this server, at most 200."),
        "case": translate("Expected a step of a case with its fields; see docs/reference/cases.md."),
        "choice": translate("A choice is not known. /api/openapi.json lists the choices of each parameter."),
        "number": translate("A number is out of its range. /api/openapi.json has the range of each parameter."),
        "name": translate("Expected a species, for example taxon=野猪, wild boar or Sus scrofa."),
        "original": translate("The station cannot be asked for the original of this capture now."),
        "names": translate("Expected at most 50 stations or sensors."),
        "report": translate(
            "Expected a period of at most a year with at most 100,000 detections. The command wildpost report has no "
            "such limits."
        ),
        "trend": translate(
            "Too many periods, or two periods that overlap at the same stations. Choose longer periods, fewer days or "
            "one species."
        ),
    }
    return sentences[expected]
