"""Context of every review page: stores, settings, templates, and who reads it in which language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from casebook.access.actor import Actor
from casebook.access.audit import Action
from casebook.casebook import Casebook
from casebook.cases.deadlines import CaseOptions
from casebook.cases.repository import Cases
from casebook.event_chain import ChainState, EventChains
from casebook.flag_queue import FlagQueue
from casebook.incidents.database import Database
from casebook.incidents.reader import IncidentReader
from casebook.station_commands import StationCommands
from contract import Event
from i18n.case_words import case_kind, deadline_name, outcome_name, step_name
from i18n.file_problems import explain_file_problem
from i18n.language import Language, load_languages
from i18n.original_words import original_name, original_request, original_state
from i18n.record_terms import clock_source, quarantine_reason
from i18n.settings_words import held_reason, settings_state
from i18n.taxonomy import display_name
from ingest.drawing.drawings import Drawings
from ingest.media.port import MediaStore
from ingest.rules.zones import Zone
from ingest.store.narrowed import NarrowedStore
from ingest.store.port import EventQuery, ListedEvent, Store
from review.options import ReviewOptions
from review.reader_language import chosen_language
from review.security.access_rules import AccessRule
from review.security.authentication import acting
from review.security.site_access import SiteAccess
from review.static_files import StaticFiles
from review.station_names import StationNames
from review.taxon_choices import TaxonChoices

COOKIE_S = 365 * 24 * 3600
_WORDS: tuple[Callable[..., str], ...] = (  # functions of a value and a language, which the templates call by name
    *(clock_source, explain_file_problem, quarantine_reason),
    *(original_name, original_request, original_state),
    *(settings_state, held_reason),
    *(step_name, case_kind, outcome_name, deadline_name),
)
MAX_NARROWED_SITES = 64


@dataclass(frozen=True)
class Site:
    """Stores and settings that all pages share; created once, and once for each set of stations that somebody sees.

    Attributes:
        stations: Stations that may be seen; None: all.
        drawings: Draws spectrograms.
        problem: Returns a description of what currently impairs the server; "" if nothing does.
        zones: Zones of the rules.
        wake_verdict_sync: Wakes the thread that writes pending verdicts to the detection store.
        sign_in_required: Whether the pages ask for a sign-in also while there is no account.
        local_token: Token of the commands on this machine; "": none.
        wake_command_sender: Wakes the thread that sends commands to stations; None: this server sends none.
        case_options: Deadlines of cases; None: those of the law.
    """

    store: Store
    casebook: Casebook
    media: MediaStore
    options: ReviewOptions
    drawings: Drawings
    problem: Callable[[], str] = lambda: ""
    wake_verdict_sync: Callable[[], None] = lambda: None
    sign_in_required: bool = False
    local_token: str = ""
    wake_command_sender: Callable[[], None] | None = None
    case_options: CaseOptions | None = None
    stations: frozenset[str] | None = None
    zones: Sequence[Zone] = ()

    def narrowed(self, stations: frozenset[str] | None) -> "Site":
        """Return the site as somebody may read it who sees only some stations; None: all."""
        if stations is None:
            return self
        found = self._narrowed_sites.get(stations)
        if found is None:
            found = replace(self, store=NarrowedStore(self.store, stations), stations=stations)
            shared = {name: getattr(self, name) for name in ("access", "languages", "static_files", "templates")}
            found.__dict__.update(shared)
            if len(self._narrowed_sites) >= MAX_NARROWED_SITES:  # the areas were changed often
                self._narrowed_sites.clear()
            self._narrowed_sites[stations] = found
        return found

    @cached_property
    def _narrowed_sites(self) -> dict[frozenset[str], "Site"]:
        return {}

    @cached_property
    def access(self) -> SiteAccess:
        """Accounts, sessions and the audit log in the casebook's database."""
        return SiteAccess(Database(self.casebook.engine), self.sign_in_required, self.local_token)

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
        return FlagQueue(Database(self.casebook.engine), self.stations)

    def chain_states(self, now: datetime) -> Mapping[str, ChainState]:
        """Return what the chain of each station's events shows, by the name of the station."""
        found = EventChains(Database(self.casebook.engine)).states(now)
        return {name: state for name, state in found.items() if self.stations is None or name in self.stations}

    def may_be_seen(self, sha256: str) -> bool:
        """Return whether a file is of a station that may be seen."""
        return self.stations is None or not self.stations.isdisjoint(self.casebook.media_stations(sha256))

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
        return IncidentReader(Database(self.casebook.engine), self.stations)

    @cached_property
    def cases(self) -> Cases:
        """Cases in the casebook's database."""
        return Cases(Database(self.casebook.engine), self.case_options, self.stations)

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
    for words in _WORDS:
        environment.globals[words.__name__] = partial(words, language=language)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment


@dataclass(frozen=True)
class PageContext:
    """Context of one request: the stores and settings of the site, the language, and who acts."""

    request: Request
    site: Site
    language: Language
    actor: Actor

    @property
    def name(self) -> str:
        """Name under which decisions are recorded."""
        return self.actor.name

    @property
    def address(self) -> str:
        """Path and query of the request."""
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def note(self, action: Action, content: str) -> None:
        """Record in the audit log what somebody with an account does.

        Raises:
            StoreUnavailable: it was not recorded, so the answer must not be sent.
        """
        if self.actor.id:
            self.site.access.audit.append(self.actor, action, content)

    def note_people(self, where: str, event_ids: Sequence[str]) -> None:
        """Record that a page shows people, with the captures that show them; without such captures, do nothing."""
        if event_ids:
            self.note("viewed", f"{where}: {' '.join(event_ids)}")

    def may(self, address: str, actor: Actor | None = None) -> bool:
        """Return whether somebody, by default who acts, may use the route with a path; of no route, True."""
        rules: Mapping[str, AccessRule] = self.request.app.state.rules
        rule = rules.get(address.partition("?")[0])
        return rule is None or rule.public or bool((actor or self.actor).roles & rule.roles)

    def home(self, actor: Actor) -> str:
        """Return the address of the first page that somebody may use."""
        return next((path for path in ("/", "/stations", "/quarantine") if self.may(path, actor)), "/account")

    def render(self, template: str, values: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
        """Render a template to an HTML response.

        If the URL has the parameter ``lang``, the response stores the language in a cookie.
        """
        text = (
            self.site.templates[self.language.code]
            .get_template(template)
            .render(
                actor=self.actor,
                may=self.may,
                path=self.request.url.path,
                query=[(key, value) for key, value in self.request.query_params.multi_items() if key != "lang"],
                open_flags=self.site.flag_queue.count_open(),
                now=datetime.now(UTC),
                server_problem=self.site.problem(),
                simulated=self.site.station_names.simulated,
                **values,
            )
        )
        return self._answered(text, status_code)

    def render_bare(self, template: str, values: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
        """Render a template without navigation, for somebody who is not signed in."""
        query = [(key, value) for key, value in self.request.query_params.multi_items() if key != "lang"]
        text = self.site.templates[self.language.code].get_template(template).render(query=query, **values)
        return self._answered(text, status_code)

    def _answered(self, text: str, status_code: int) -> HTMLResponse:
        response = HTMLResponse(text, status_code=status_code, headers={"Vary": "Accept-Language, Cookie"})
        if "lang" in self.request.query_params:
            set_cookie(self.request, response, "lang", self.language.code)
        return response


def set_cookie(request: Request, response: Response, name: str, value: str, max_age_s: int = COOKIE_S) -> None:
    """Set a cookie that scripts cannot read and that, behind TLS, is sent over TLS only."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=max_age_s, samesite="lax", httponly=True, secure=secure)


def page_context(request: Request) -> PageContext:
    """Create the page context of a request."""
    site: Site = request.app.state.site
    language = site.languages[chosen_language(request, site.options.language)]
    actor = acting(request)
    return PageContext(request, site.narrowed(actor.stations), language, actor)


ContextDependency = Annotated[PageContext, Depends(page_context)]
