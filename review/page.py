"""Context of every review page: stores, settings, templates, and the name and language of the reviewer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from casebook.casebook import Casebook
from casebook.event_chain import EventChains
from casebook.flag_queue import FlagQueue
from casebook.incidents.database import Database
from casebook.incidents.reader import IncidentReader
from casebook.station_commands import StationCommands
from contract import Event
from i18n.file_problems import explain_file_problem
from i18n.language import Language, load_languages
from i18n.original_words import original_name, original_request, original_state
from i18n.record_terms import clock_source, quarantine_reason
from i18n.settings_words import held_reason, settings_state
from i18n.taxonomy import display_name
from ingest.drawing.drawings import Drawings
from ingest.media.port import MediaStore
from ingest.store.port import EventQuery, ListedEvent, Store
from review.options import ReviewOptions
from review.reader_language import chosen_language
from review.static_files import StaticFiles
from review.station_names import StationNames
from review.taxon_choices import TaxonChoices

COOKIE_S = 365 * 24 * 3600
NAME_LENGTH = 60


@dataclass(frozen=True)
class Site:
    """Stores and settings that all pages share; created once.

    Attributes:
        drawings: Draws spectrograms.
        problem: Returns a description of what currently impairs the server; "" if nothing does.
        wake_verdict_sync: Wakes the thread that writes pending verdicts to the detection store.
        wake_command_sender: Wakes the thread that sends commands to stations; None: this server sends none.
    """

    store: Store
    casebook: Casebook
    media: MediaStore
    options: ReviewOptions
    drawings: Drawings
    problem: Callable[[], str] = lambda: ""
    wake_verdict_sync: Callable[[], None] = lambda: None
    wake_command_sender: Callable[[], None] | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone in which the pages display times and count detections by day."""
        return ZoneInfo(self.options.time_zone)

    @cached_property
    def station_names(self) -> StationNames:
        """Names of all stations, for the station filter of the pages."""
        return StationNames(self.store)

    @cached_property
    def flag_queue(self) -> FlagQueue:
        """Events with open flags in the casebook's database."""
        return FlagQueue(Database(self.casebook.engine))

    @cached_property
    def event_chains(self) -> EventChains:
        """Chains of the stations' events in the casebook's database."""
        return EventChains(Database(self.casebook.engine))

    @cached_property
    def station_commands(self) -> StationCommands:
        """What stations are told, in the casebook's database."""
        return StationCommands(Database(self.casebook.engine))

    @cached_property
    def taxon_choices(self) -> TaxonChoices:
        """Suggestions for corrections."""
        return TaxonChoices(self.casebook, self.store)

    @cached_property
    def incidents(self) -> IncidentReader:
        """Reader of incidents in the casebook's database."""
        return IncidentReader(Database(self.casebook.engine))

    @cached_property
    def languages(self) -> dict[str, Language]:
        """Languages of the pages, by code."""
        return load_languages(self.zone)

    @cached_property
    def static_files(self) -> StaticFiles:
        """Stylesheets, scripts and icons of the pages."""
        return StaticFiles()

    @cached_property
    def templates(self) -> dict[str, Environment]:
        """Template environments by language code."""
        return {code: _environment(language, self.static_files) for code, language in self.languages.items()}

    def event(self, event_id: str) -> Event | None:
        """Return the event with the given id from the detection store; None if the store has no such event."""
        found = self.listed_event(event_id)
        return found.event if found else None

    def listed_event(self, event_id: str) -> ListedEvent | None:
        """Return the event with the given id, and the time under which it is listed; None if there is no such event."""
        found = self.store.listing(EventQuery(event_ids=(event_id,), limit=1))
        return found[0] if found else None


def _environment(language: Language, static_files: StaticFiles) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        language.translations.ugettext, language.translations.ungettext, newstyle=True
    )
    environment.globals["language"] = language
    environment.globals["static"] = static_files.address
    environment.globals["name_of"] = lambda label, scientific: display_name(label, scientific, language.code)
    environment.globals["clock_source"] = lambda source: clock_source(source, language)
    environment.globals["explain_file_problem"] = lambda detail: explain_file_problem(detail, language)
    for words in (original_name, original_request, original_state, settings_state, held_reason):
        environment.globals[words.__name__] = words
    environment.globals["quarantine_reason"] = lambda reason: quarantine_reason(reason, language)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment


@dataclass(frozen=True)
class PageContext:
    """Context of one request: the stores and settings of the site, the language and the reviewer's name."""

    request: Request
    site: Site
    language: Language
    name: str

    def render(self, template: str, values: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
        """Render a template to an HTML response.

        If the URL has the parameter ``lang``, the response stores the language in a cookie.
        """
        text = (
            self.site.templates[self.language.code]
            .get_template(template)
            .render(
                reviewer=self.name,
                path=self.request.url.path,
                query=[(key, value) for key, value in self.request.query_params.multi_items() if key != "lang"],
                open_flags=self.site.casebook.totals().open_flags,
                now=datetime.now(UTC),
                server_problem=self.site.problem(),
                **values,
            )
        )
        response = HTMLResponse(text, status_code=status_code, headers={"Vary": "Accept-Language, Cookie"})
        if "lang" in self.request.query_params:
            set_cookie(self.request, response, "lang", self.language.code)
        return response


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    """Set a cookie that scripts cannot read and that, behind TLS, is sent over TLS only."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=COOKIE_S, samesite="lax", httponly=True, secure=secure)


def page_context(request: Request) -> PageContext:
    """Create the page context of a request."""
    site: Site = request.app.state.site
    name = unquote(request.cookies.get("reviewer", "")).strip()[:NAME_LENGTH]
    return PageContext(request, site, site.languages[chosen_language(request, site.options.language)], name or "ranger")


ContextDependency = Annotated[PageContext, Depends(page_context)]
