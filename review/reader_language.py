"""The language in which a reader gets a page."""

from babel import negotiate_locale
from fastapi import Request

from i18n.language import LANGUAGES


def chosen_language(request: Request, default: str) -> str:
    """Choose by ?lang=, else the cookie, else what the browser prefers, else the default."""
    for asked in (request.query_params.get("lang"), request.cookies.get("lang")):
        if asked and (found := negotiate_locale([asked.replace("-", "_")], LANGUAGES)):
            return found
    preferred = [
        part.partition(";")[0].strip().replace("-", "_")
        for part in request.headers.get("accept-language", "").split(",")
    ]
    for wanted in preferred:
        if wanted.lower().startswith("zh"):
            return "zh_CN"
        if wanted.lower().startswith("en"):
            return "en"
    return default
