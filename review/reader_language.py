"""Language negotiation for the pages."""

from babel import negotiate_locale
from fastapi import Request

from i18n.language import LANGUAGES


def chosen_language(request: Request, default: str) -> str:
    """Return the language of ?lang=, else of the cookie, else of the Accept-Language header, else the default."""
    for code in (request.query_params.get("lang"), request.cookies.get("lang")):
        if code and (found := negotiate_locale([code.replace("-", "_")], LANGUAGES)):
            return found
    preferred = [
        part.partition(";")[0].strip().replace("-", "_")
        for part in request.headers.get("accept-language", "").split(",")
    ]
    for code in preferred:
        if code.lower().startswith("zh"):
            return "zh_CN"
        if code.lower().startswith("en"):
            return "en"
    return default
