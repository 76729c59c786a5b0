"""Signing in with a browser, and decisions that it keeps while the session has ended."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from casebook.access.accounts import Accounts
from casebook.access.actor import Role
from casebook.incidents.database import Database
from tests.accounts import BY, PASSWORD, add_account
from tests.eventually import eventually

PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("limin", "李敏", "ranger"),
    ("wang", "王", "ranger"),
    ("chen", "陈", "analyst"),
)


@pytest.fixture
def accounts(site: Any) -> Accounts:
    """Two rangers and an analyst."""
    database = Database(site.casebook.engine)
    for name, shown, role in PEOPLE:
        add_account(database, name, role, display_name=shown)
    return Accounts(database)


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_selector("nav.rail")


def deciders(site: Any) -> list[str]:
    histories = site.casebook.verdict_histories([event.event_id for event in site.events])
    return [one.classified_by for history in histories.values() for one in history]


def test_a_ranger_signs_in_decides_and_signs_out(site: Any, page: Page, accounts: Accounts) -> None:
    page.goto(f"{site.url}/?show=urgent")
    sign_in(page, "limin")
    assert page.url.endswith("/?show=urgent")
    page.goto(site.url)
    page.keyboard.press("j")
    page.keyboard.press("c")
    eventually(lambda: deciders(site) == ["李敏"], "the decision is recorded under the name of the account")
    page.locator("details.foot summary").click()
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_label("用户名")).to_be_visible()
    page.goto(f"{site.url}/events/{site.events[0].event_id}")
    expect(page.get_by_label("用户名")).to_be_visible()


def test_an_analyst_has_no_buttons_and_no_keys_to_decide(site: Any, page: Page, accounts: Accounts) -> None:
    page.goto(site.url)
    sign_in(page, "chen")
    expect(page.locator("[data-decide]")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.keyboard.press("x")
    page.reload()
    assert deciders(site) == []


def test_decisions_of_an_ended_session_wait_for_their_person(site: Any, browser: Browser, accounts: Accounts) -> None:
    context = browser.new_context(locale="zh-CN")  # not the fixture: answers with 401 are errors on its console
    page = context.new_page()
    page.goto(site.url)
    sign_in(page, "limin")
    accounts.end_sessions("limin", BY)
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#waiting")).to_contain_text("登录已失效")
    page.locator("#waiting button").click()
    expect(page.get_by_label("用户名")).to_be_visible()
    sign_in(page, "wang")
    page.keyboard.press("j")
    page.keyboard.press("x")
    eventually(lambda: deciders(site) == ["王"], "what the second person decided is recorded")
    page.locator("details.foot summary").click()
    page.get_by_role("button", name="退出").click()
    sign_in(page, "limin")
    eventually(lambda: "李敏" in deciders(site) or page.locator(".conflict").count(), "the first decision is sent")
    assert len(deciders(site)) <= 2
    context.close()
