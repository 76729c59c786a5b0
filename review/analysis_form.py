"""Values that the pages of trends and activity have in common: what was asked, and the choices of their forms."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from i18n.taxonomy import display_name
from pipelines.trends.request import TrendRequest
from review.page import PageContext


def form_values(
    context: PageContext, request: TrendRequest, taxa: Iterable[str], without: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the values of the form.

    Args:
        context: The request for the page.
        request: What was asked for.
        taxa: Accepted names of the taxa that can be chosen, besides the requested one.
        without: Parameters that links to the same page set themselves.
    """
    code = context.language.code
    names = {*taxa} | ({request.taxon} if request.taxon else set())
    return {
        "asked": request,
        "choices": sorted(((name, display_name(name, name, code)) for name in names), key=lambda one: one[1]),
        "stations": context.site.station_names(),
        "minutes": request.independence // timedelta(minutes=1),
        "chosen": [
            (key, value)
            for key, value in context.request.query_params.multi_items()
            if value and key not in ("lang", *without)
        ],
    }
