"""What every page needs: the stores, the reader's language and name, and a template filled in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from casebook.casebook import Casebook
from casebook.incidents.database import Database
from casebook.incidents.reader import IncidentReader
from contract import Event
from i18n.file_problems import why_unusable
from i18n.language import Language, load_languages
from i18n.record_terms import clock_source, why_set_aside
from i18n.taxa import display_name
from ingest.media.port import MediaStore
from ingest.store.port import EventQuery, Store
from review.options import ReviewOptions
from review.reader_language import chosen_language
from review.station_names import StationNames

COOKIE_S = 365 * 24 * 3600
NAME_LENGTH = 60


@dataclass(frozen=True)
class Site:
    """Everything the pages stand on; made once.

    Attributes:
        problem: Says what keeps the server from working whole right now, in words; "": nothing.
        wake_verdict_sync: Has verdicts handed over that the store did not take at once.
    """

    store: Store
    casebook: Casebook
    media: MediaStore
    options: ReviewOptions
    problem: Callable[[], str] = lambda: ""
    wake_verdict_sync: Callable[[], None] = lambda: None

    @cached_property
    def zone(self) -> ZoneInfo:
        """In which times are shown and days are counted."""
        return ZoneInfo(self.options.time_zone)

    @cached_property
    def station_names(self) -> StationNames:
        """The stations that filters offer."""
        return StationNames(self.store)

    @cached_property
    def incidents(self) -> IncidentReader:
        """What happened together, kept in the casebook's database."""
        return IncidentReader(Database(self.casebook.engine))

    @cached_property
    def languages(self) -> dict[str, Language]:
        """Every language the pages speak."""
        return load_languages(self.zone)

    @cached_property
    def templates(self) -> dict[str, Environment]:
        """One set of templates a language, so that none can speak another's words."""
        return {code: _environment(language) for code, language in self.languages.items()}

    def event(self, event_id: str) -> Event | None:
        """Find one event."""
        found = self.store.events(EventQuery(event_ids=(event_id,), limit=1))
        return found[0] if found else None


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        language.words.ugettext, language.words.ungettext, newstyle=True
    )
    environment.globals["language"] = language
    environment.globals["name_of"] = lambda label, scientific: display_name(label, scientific, language.code)
    environment.globals["clock_source"] = lambda source: clock_source(source, language)
    environment.globals["why_unusable"] = lambda detail: why_unusable(detail, language)
    environment.globals["why_set_aside"] = lambda reason: why_set_aside(reason, language)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment


@dataclass(frozen=True)
class Reader:
    """Who reads a page, in which language."""

    request: Request
    site: Site
    language: Language
    name: str

    def page(self, template: str, values: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
        """Fill in a template; what was asked for by ?lang= is remembered."""
        text = (
            self.site.templates[self.language.code]
            .get_template(template)
            .render(
                reader=self.name,
                path=self.request.url.path,
                query=[(key, value) for key, value in self.request.query_params.multi_items() if key != "lang"],
                open_flags=self.site.casebook.totals().open_flags,
                now=datetime.now(UTC),
                trouble=self.site.problem(),
                **values,
            )
        )
        response = HTMLResponse(text, status_code=status_code, headers={"Vary": "Accept-Language, Cookie"})
        if "lang" in self.request.query_params:
            response.set_cookie("lang", self.language.code, max_age=COOKIE_S, samesite="lax", httponly=True)
        return response


def reader(request: Request) -> Reader:
    """Tell who reads."""
    site: Site = request.app.state.site
    name = unquote(request.cookies.get("reviewer", "")).strip()[:NAME_LENGTH]
    return Reader(request, site, site.languages[chosen_language(request, site.options.language)], name or "ranger")


ReaderDependency = Annotated[Reader, Depends(reader)]
