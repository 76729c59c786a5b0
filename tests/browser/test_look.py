"""The look that all pages share: navigation at both widths, touch targets, icons, security policy, weight."""

import gzip
import re
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
TOUCH_PX = 48
CSS_BYTES = 8192  # compressed, all style sheets of the queue


def pages_of(site: Any) -> list[str]:
    """Every kind of page, with what the fixture stored."""
    (incident,) = site.incidents.incidents(open_only=False)
    picture, sound = site.events[0].event_id, site.events[5].event_id
    empty = ("/?show=reviewed", "/trends?from=2001-01-01&to=2001-01-31")
    named = ("/", "/incidents", "/cases", "/cases/new", "/stations", "/trends", "/activity", "/quarantine")
    return [*named, *empty, f"/incidents/{incident.id}", f"/events/{picture}", f"/events/{sound}"]


def test_the_rail_stands_left_on_a_desk_and_every_place_opens(page: Page, site: Any) -> None:
    page.set_viewport_size(DESK)
    for address in ("/", "/incidents", "/cases", "/stations", "/trends", "/quarantine"):
        page.goto(site.url)
        page.locator(f'.rail a.to[href="{address}"]').click()
        page.wait_for_url(f"{site.url}{address}")
        rail = page.locator(".rail").bounding_box()
        assert rail and (rail["x"], rail["y"], rail["width"], rail["height"]) == (0, 0, 76, 900)
        assert (
            page.locator(".rail [aria-current=page]").evaluate_all("all => all.map(one => one.pathname)")[0] == address
        )


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_the_bar_lies_below_on_a_phone_with_touch_targets(page: Page, site: Any, language: str) -> None:
    page.set_viewport_size(PHONE)
    for address in pages_of(site):
        page.goto(f"{site.url}{address}{'&' if '?' in address else '?'}lang={language}")
        bar = page.locator(".rail").bounding_box()
        assert bar and (bar["x"], bar["width"], bar["y"] + bar["height"]) == (0, 390, 844)
        targets = page.locator(".rail .to:visible")
        assert targets.count() == 6
        for target in targets.all():
            box = target.bounding_box()
            assert box and min(box["width"], box["height"]) >= TOUCH_PX, address
        labels = targets.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth).length")
        assert labels == 0, f"a label of the bar is too wide on {address}"
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address


def test_the_verdict_buttons_are_touch_targets_above_the_bar(page: Page, site: Any) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{site.url}/events/{site.events[0].event_id}?lang=en")
    bar = page.locator(".rail").bounding_box()
    for button in page.locator("[data-decide]").all():
        box = button.bounding_box()
        assert bar and box and box["height"] >= 56 and box["y"] + box["height"] <= bar["y"]
    page.goto(f"{site.url}/?lang=en")
    for button in page.locator("[data-decide]").all():
        box = button.bounding_box()
        assert box and box["height"] >= TOUCH_PX


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_language_name_and_unusable_files_are_reached_from_the_navigation(
    page: Page, site: Any, size: ViewportSize
) -> None:
    page.set_viewport_size(size)
    page.goto(f"{site.url}/stations?lang=zh_CN")
    page.locator(".rail summary").click()
    page.locator(".rail details a[lang=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator(".rail summary").click()
    page.locator("#reader").fill("Li Min")
    page.locator("#reader").press("Enter")
    page.wait_for_url(f"{site.url}/stations")
    page.locator(".rail summary").click()
    expect(page.locator("#reader")).to_have_value("Li Min")
    page.locator('.rail a[href="/quarantine"]:visible').click()
    expect(page.locator("h1")).to_have_text("Unusable files")


def test_the_queue_asks_for_a_name_until_one_is_given(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/?lang=en")
    page.locator("#first-name").fill("Li Min")
    page.locator("#first-name").press("Enter")
    expect(page.locator("#first-name")).to_have_count(0)
    expect(page.locator(".rail .reader")).to_have_text("Li Min")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_colour_scheme_and_print_without_navigation(page: Page, site: Any, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(site.url)
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == {"light": "rgb(243, 244, 239)", "dark": "rgb(12, 17, 14)"}[scheme]
    page.emulate_media(media="print", color_scheme=scheme)
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    expect(page.locator(".rail")).to_be_hidden()
    expect(page.locator("[data-decide]").first).to_be_hidden()
    expect(page.locator(".capture").first).to_be_visible()


def test_a_severity_has_a_shape_a_word_and_a_colour(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/incidents?lang=en")
    mark = page.locator(".sev.warn").first
    expect(mark).to_have_text("Warning")
    assert re.fullmatch(r"/static/icons\.svg\?v=\w+#i-warning", mark.locator("use").get_attribute("href") or "")
    shape = mark.locator("svg").bounding_box()
    assert shape and shape["width"] > 10
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert mark.evaluate("one => getComputedStyle(one).color") != ink


def test_every_icon_is_drawn_and_no_page_has_a_style_of_its_own(page: Page, site: Any) -> None:
    drawn = set(re.findall(r'id="(i-[a-z]+)"', page.request.get(f"{site.url}/static/icons.svg").text()))
    for address in pages_of(site):
        answer = page.goto(f"{site.url}{address}")
        assert answer
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", answer.text()), address
        used = page.locator("use").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert used and {name.partition("#")[2] for name in used} <= drawn, address


def test_the_style_sheets_of_the_queue_are_light(page: Page, site: Any) -> None:
    page.goto(site.url)
    sheets = page.locator("link[rel=stylesheet]").evaluate_all("all => all.map(one => one.href)")
    assert len(sheets) == 2
    assert sum(len(gzip.compress(page.request.get(sheet).body())) for sheet in sheets) <= CSS_BYTES
