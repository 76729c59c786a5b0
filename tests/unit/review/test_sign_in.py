"""Signing in and out: cookies, lock-out, no enumeration, no fixation, sessions that end, and a rule for every route."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import select, update

from casebook.access import lock_out
from casebook.access.accounts import Accounts
from casebook.access.actor import ROLES
from casebook.access.audit import AuditLog
from casebook.access.lock_out import FIRST_WAIT, LONGEST_WAIT, Key, LockOut, address_key, name_key, wait_after
from casebook.access.passwords import Passwords
from casebook.access.sessions import ABSOLUTE, IDLE, Sessions, begin_session
from casebook.access.sign_in import SignIn, SignInRefused
from casebook.access.tables import access_session, sign_in_failure
from casebook.casebook import Casebook
from casebook.incidents.database import Database
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from review.app import ReviewApp, ReviewOptions, create_app
from review.pages.sign_in import safe_address
from review.security.access_rules import PUBLIC, MissingRule, access, leaf_routes, rules_by_path
from review.security.site_access import SiteAccess
from tests.accounts import BY, COOKIE, PASSWORD, QUICK, add_account, session_of, signed_in
from tests.eventually import PATIENCE_S
from tests.unit.review.test_answers import served

BROWSER = {"accept": "text/html", "accept-language": "en"}
HOST = "reserve.example"


@dataclass
class People:
    """Served pages with an account for each role, and what is behind them."""

    client: httpx.Client
    app: ReviewApp
    database: Database
    store: DuckDbStore

    def sign_in(self, name: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
        return self.client.post(
            "/sign-in",
            data={"name": name, "password": password},
            headers={"origin": str(self.client.base_url).rstrip("/")} | headers,
        )

    def as_(self, name: str) -> httpx.Client:
        """Return a client of its own that is signed in."""
        return signed_in(self.client, self.database, name)

    def answer_to(self, session: str) -> int:
        """Return the status code of a request with the id of a session alone."""
        address = self.client.base_url.join("/api/events")
        return httpx.get(address, cookies={COOKIE: session}, timeout=PATIENCE_S, trust_env=False).status_code


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    app = create_app(store, casebook, FolderMedia(tmp_path / "media"), ReviewOptions(hosts=(HOST,)))
    database = Database(casebook.engine)
    app.state.site.__dict__["access"] = SiteAccess(database, False, passwords=Passwords(QUICK))
    for role in ROLES:
        add_account(database, role, role, display_name=f"The {role}")
    with served(app) as client:
        yield People(client, app, database, store)
    store.close()
    casebook.close()


def test_without_a_session_pages_lead_to_the_sign_in_and_back_and_programs_get_401(people: People) -> None:
    answer = people.client.get("/trends?days=7", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?back=%2Ftrends%3Fdays%3D7")
    answer = people.client.get("/api/events")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "Sign in" in answer.json()["error"]
    shown = people.client.get("/sign-in?back=/trends", headers=BROWSER)
    assert shown.status_code == 200 and 'value="/trends"' in shown.text
    assert people.client.get("/static/tokens.css").status_code == 200


def test_a_sign_in_sets_a_cookie_that_scripts_cannot_read_and_leads_to_the_page(people: People) -> None:
    answer = people.client.post(
        "/sign-in",
        data={"name": " Ranger", "password": PASSWORD, "back": "/incidents?show=all"},
        headers={"origin": str(people.client.base_url).rstrip("/")},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?show=all")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "Path=/", "SameSite=lax"):
        assert part in cookie
    assert "Domain" not in cookie
    assert len(cookie.partition("=")[2].partition(";")[0]) >= 43  # 256 bits
    page = people.client.get("/", headers=BROWSER)
    assert page.status_code == 200 and "The ranger" in page.text and 'action="/sign-out"' in page.text


def test_over_tls_the_cookie_is_bound_to_the_host(people: People) -> None:
    proxied = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.9", "origin": f"https://{HOST}", "host": HOST}
    cookie = people.sign_in("ranger", **proxied).headers["set-cookie"]
    assert cookie.startswith("__Host-wildpost=")
    assert "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
    sent = proxied | {"cookie": cookie.partition(";")[0]}
    assert people.client.get("/api/events", headers=sent).status_code == 200
    plain = sent | {"cookie": cookie.partition(";")[0].replace("__Host-wildpost", COOKIE)}
    assert people.client.get("/api/events", headers=plain).status_code == 401


def test_no_password_is_accepted_over_a_connection_that_others_can_read(people: People) -> None:
    there = {"host": HOST, "origin": f"http://{HOST}"}
    shown = people.client.get("/sign-in", headers=BROWSER | there)
    assert 'type="password"' not in shown.text and "https" in shown.text
    answer = people.sign_in("ranger", **there)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_sign_in_from_a_page_of_another_site_is_refused(people: People) -> None:
    answer = people.sign_in("ranger", origin="https://evil.example")
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    with people.as_("ranger") as client:
        for path in ("/sign-out", "/account/password", "/account/sign-out-everywhere", "/verdicts"):
            assert client.post(path, headers={"origin": "https://evil.example"}).status_code == 403
        assert client.get("/api/events").status_code == 200


def test_an_id_that_somebody_planted_is_not_the_id_of_the_session(people: People) -> None:
    people.client.cookies.set(COOKIE, "planted")
    answer = people.sign_in("ranger")
    new = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert new != "planted"
    assert people.answer_to("planted") == 401
    again = people.client.post(
        "/sign-in",
        data={"name": "ranger", "password": PASSWORD},
        headers={"origin": str(people.client.base_url).rstrip("/"), "cookie": f"{COOKIE}={new}"},
    )
    assert again.status_code == 303
    assert people.answer_to(new) == 401


def test_the_database_has_the_hash_of_a_session_id_only(people: People) -> None:
    token = people.sign_in("ranger").headers["set-cookie"].partition("=")[2].partition(";")[0]
    with people.database.begin() as connection:
        rows = connection.execute(select(access_session)).mappings().all()
    assert rows and token not in str(rows)


def test_sign_out_ends_the_session_also_for_a_copied_cookie(people: People) -> None:
    people.sign_in("ranger")
    copied = people.client.cookies[COOKIE]
    origin = str(people.client.base_url).rstrip("/")
    answer = people.client.post("/sign-out", headers={"origin": origin})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert answer.headers["clear-site-data"] == '"cache"'
    assert people.answer_to(copied) == 401


@pytest.mark.parametrize("how", ["everywhere", "password", "disable", "command"])
def test_all_sessions_of_an_account_can_be_ended(people: People, how: str) -> None:
    one, other, stranger = people.as_("ranger"), people.as_("ranger"), people.as_("analyst")
    ours = {"origin": str(people.client.base_url).rstrip("/")}
    if how == "everywhere":
        assert one.post("/account/sign-out-everywhere", headers=ours).status_code == 303
    elif how == "password":
        form = {"old": PASSWORD, "new": "another horse battery", "again": "another horse battery"}
        assert one.post("/account/password", data=form, headers=ours).status_code == 303
        assert people.sign_in("ranger").status_code == 403
        assert people.sign_in("ranger", "another horse battery").status_code == 303
    elif how == "disable":
        Accounts(people.database).disable("ranger", BY)
    else:
        assert Accounts(people.database).end_sessions("ranger", BY) == 2
    assert [client.get("/api/events").status_code for client in (one, other, stranger)] == [401, 401, 200]
    for client in (one, other, stranger):
        client.close()


def test_a_session_ends_when_idle_and_after_its_longest_time(people: People) -> None:
    sessions = Sessions(people.database)
    token = session_of(people.database, "ranger")
    start = datetime.now(UTC)
    assert sessions.find(token, start) is not None
    assert sessions.find(token, start + IDLE + timedelta(minutes=2)) is None
    now = start
    while now < start + ABSOLUTE - IDLE:
        now += IDLE - timedelta(minutes=1)
        assert sessions.find(token, now) is not None
    assert sessions.find(token, start + ABSOLUTE + timedelta(seconds=1)) is None


def test_the_time_of_the_last_request_is_written_once_a_minute(people: People) -> None:
    sessions = Sessions(people.database)
    token = session_of(people.database, "ranger")
    account_id = next(one.id for one in Accounts(people.database).all() if one.name == "ranger")
    start = datetime.now(UTC)
    seen = set()
    for seconds in range(0, 180, 5):
        now = start + timedelta(seconds=seconds)
        sessions.find(token, now)
        seen |= {one.seen_at for one in sessions.of_account(account_id, now)}
    assert len(seen) == 3


def test_an_account_has_a_bounded_number_of_sessions(people: People) -> None:
    tokens = [session_of(people.database, "ranger") for _ in range(22)]
    now = datetime.now(UTC)
    assert [Sessions(people.database).find(token, now) is not None for token in tokens] == [False] * 2 + [True] * 20


@pytest.mark.parametrize("name", ["ranger", "nobody", "disabled", "R" * 500, "' OR 1=1 --", "\ud7ff"])
def test_the_answer_to_a_wrong_sign_in_is_the_same_whoever_is_named(people: People, name: str) -> None:
    add_account(people.database, "disabled", "ranger")
    Accounts(people.database).disable("disabled", BY)
    password = PASSWORD if name == "disabled" else "wrong horse battery"
    answers = [people.sign_in(name, password, accept="text/html") for _ in range(6)]
    shown = {(answer.status_code, answer.text.replace(f'value="{name}"', "")) for answer in answers[:5]}
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert len(shown) == 1
    assert "retry-after" in answers[-1].headers
    people.client.cookies.clear()


def test_the_same_hashing_is_done_for_a_name_that_does_not_exist(people: People) -> None:
    verified: list[bool] = []

    class Counting(Passwords):
        def verify(self, password_hash: str | None, password: str) -> bool:
            verified.append(password_hash is not None)
            return super().verify(password_hash, password)

    sign_in = SignIn(people.database, Counting(QUICK))
    for name in ("ranger", "nobody"):
        with pytest.raises(SignInRefused):
            sign_in.sign_in(name, "wrong horse battery", "192.0.2.1")
    assert verified == [True, False]


def test_a_right_password_during_the_wait_is_refused_and_after_it_accepted(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        assert people.sign_in("ranger", "wrong horse battery").status_code == 403
    assert people.sign_in("ranger").status_code == 429
    monkeypatch.setattr(lock_out, "FIRST_WAIT", timedelta(0))
    assert people.sign_in("ranger").status_code == 303
    assert people.sign_in("ranger", "wrong horse battery").status_code == 403


def test_an_address_waits_after_many_names(people: People) -> None:
    codes = [people.sign_in(f"name-{number}", "wrong horse battery").status_code for number in range(21)]
    assert codes == [403] * 20 + [429]
    assert people.sign_in("ranger").status_code == 429


def test_waits_double_up_to_a_limit() -> None:
    assert [wait_after(number, 5) for number in (0, 4)] == [timedelta(0)] * 2
    assert [wait_after(number, 5) for number in (5, 6, 7)] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert wait_after(1_000_000, 5) == LONGEST_WAIT


def test_attempts_at_the_same_moment_do_not_pass_the_limit(people: People) -> None:
    book, now = LockOut(people.database), datetime.now(UTC)
    keys = (name_key("ranger"), Key("address x", 1000))
    with ThreadPoolExecutor(4) as threads:
        waits = list(threads.map(lambda _: book.begin(keys, now), range(20)))
    assert waits.count(timedelta(0)) == 5


def test_an_ipv6_network_counts_as_one_address_and_names_are_not_stored() -> None:
    assert address_key("2001:db8:1:2::1") == address_key("2001:db8:1:2:ffff::9") != address_key("2001:db8:1:3::1")
    assert "secret" not in name_key("secret").text
    assert name_key("LiMin") == name_key("limin")


def test_the_number_of_counted_keys_is_bounded(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_out, "_MOST_KEYS", 20)
    book, now = LockOut(people.database), datetime.now(UTC)
    for number in range(60):
        book.begin((Key(f"address {number}", 20),), now + timedelta(seconds=number))
    with people.database.begin() as connection:
        assert len(connection.execute(select(sign_in_failure.c.key)).all()) <= 21


def test_a_clock_that_was_set_back_does_not_lock_for_years(people: People) -> None:
    book, now = LockOut(people.database), datetime.now(UTC)
    for _ in range(5):
        book.begin((name_key("ranger"),), now + timedelta(days=900))
    assert timedelta(0) < book.begin((name_key("ranger"),), now) <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("/trends?days=7", "/trends?days=7"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\r\nSet-Cookie: x", "/"),
        ("/sign-in?back=/", "/"),
        ("", "/"),
    ],
)
def test_after_the_sign_in_nobody_is_led_elsewhere(address: str, safe: str) -> None:
    assert safe_address(address) == safe


def test_a_role_sees_its_pages_only_and_is_led_to_the_first_of_them(people: People) -> None:
    answer = people.sign_in("technician")
    assert answer.headers["location"] == "/stations"
    page = people.client.get("/stations", headers=BROWSER).text
    assert 'href="/quarantine"' in page and 'href="/trends"' not in page
    refused = people.client.get("/", headers=BROWSER)
    assert refused.status_code == 403 and "does not have the role" in refused.text


def test_decisions_kept_in_a_browser_are_not_recorded_under_another_persons_session(people: People) -> None:
    ranger = next(one.id for one in Accounts(people.database).all() if one.name == "ranger")
    ours = {"origin": str(people.client.base_url).rstrip("/"), "x-wildpost-actor": ranger}
    body = {"event_id": "e", "outcome": "confirmed"}
    with people.as_("manager") as manager, people.as_("ranger") as own:
        assert manager.post("/verdicts", json=body, headers=ours).status_code == 401
        assert own.post("/verdicts", json=body, headers=ours).status_code == 404


def test_monitoring_on_the_machine_needs_no_account_and_elsewhere_it_does(people: People) -> None:
    assert people.client.get("/healthz").status_code == 200
    assert people.client.get("/healthz", headers={"x-forwarded-for": "192.0.2.7"}).status_code == 401
    with people.as_("technician") as technician, people.as_("ranger") as ranger:
        for client, code in ((technician, 200), (ranger, 403)):
            assert client.get("/healthz", headers={"x-forwarded-for": "192.0.2.7"}).status_code == code


def test_without_accounts_the_pages_are_open_and_the_first_account_closes_them(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    media = FolderMedia(tmp_path / "media")
    with served(create_app(store, casebook, media, ReviewOptions())) as client:
        assert client.get("/api/events").status_code == 200
        assert client.get("/account").status_code == 404
        Accounts(Database(casebook.engine)).add("zhao", "赵", "x", ["administrator"], ["*"], "", BY)
        assert client.get("/api/events").status_code == 401
        Accounts(Database(casebook.engine)).disable("zhao", BY)
        assert client.get("/api/events").status_code == 401
    with served(create_app(store, casebook, media, ReviewOptions(), sign_in_required=True)) as client:
        assert client.get("/api/events").status_code == 401
    store.close()
    casebook.close()


def test_the_sign_in_page_says_that_there_is_no_account_yet(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    app = create_app(store, casebook, FolderMedia(tmp_path / "media"), ReviewOptions(), sign_in_required=True)
    with served(app) as client:
        assert "wildpost users add" in client.get("/sign-in", headers=BROWSER).text
    store.close()
    casebook.close()


def test_every_route_has_a_rule(people: People) -> None:
    rules = rules_by_path(people.app.routes)
    assert {"/", "/verdicts", "/media/{sha256}", "/static/{name}"} <= rules.keys()
    assert {path for path, rule in rules.items() if rule.public} == {
        "/sign-in",
        "/sign-out",
        "/static/{name}",
        "/favicon.ico",
    }


def test_a_route_without_a_rule_fails_the_start(people: People) -> None:
    async def new() -> str:
        return "unguarded"

    people.app.add_api_route("/new", new)
    with pytest.raises(MissingRule, match="/new"):
        people.app.check_rules()

    @access(PUBLIC)
    async def plainly(request: Request) -> Response:
        return Response()

    plain = FastAPI()
    plain.add_route("/plain", plainly)
    with pytest.raises(MissingRule, match="/plain"):
        rules_by_path(one for one in leaf_routes(plain.routes) if getattr(one, "path", "") == "/plain")


def test_a_route_that_was_added_after_the_check_answers_nobody(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    app = create_app(store, casebook, FolderMedia(tmp_path / "media"), ReviewOptions())
    with served(app) as client:
        assert client.get("/healthz").status_code == 200

        async def new() -> str:
            return "unguarded"

        app.add_api_route("/new", new)
        assert client.get("/new").status_code == 500
    store.close()
    casebook.close()


def test_the_audit_log_has_sign_ins_failures_and_sign_outs_without_what_was_typed(people: People) -> None:
    people.sign_in("ranger", "my secret password")
    people.sign_in("my secret password", "x")
    people.sign_in("ranger")
    people.client.post("/sign-out", headers={"origin": str(people.client.base_url).rstrip("/")})
    entries = AuditLog(people.database).entries(limit=4)
    assert [(one.action, one.name, one.address) for one in entries] == [
        ("signed out", "The ranger", "127.0.0.1"),
        ("signed in", "The ranger", "127.0.0.1"),
        ("sign-in failed", "", "127.0.0.1"),
        ("sign-in failed", "ranger", "127.0.0.1"),
    ]
    assert "secret" not in str(entries)


def test_a_forgotten_session_row_of_a_disabled_account_opens_nothing(people: People) -> None:
    with people.as_("ranger") as client:
        Accounts(people.database).disable("ranger", BY)
        with people.database.begin() as connection:  # a row that came back, as from a backup
            account_id = next(one.id for one in Accounts(people.database).all() if one.name == "ranger")
            token = begin_session(connection, account_id, "", "", datetime.now(UTC))
            connection.execute(update(access_session).values(seen_at=datetime.now(UTC)))
        assert client.get("/api/events", headers={"cookie": f"{COOKIE}={token}"}).status_code == 401
