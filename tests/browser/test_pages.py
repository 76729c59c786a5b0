"""What a ranger and an analyst do on the pages, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

WIDTHS = {"desk": (1440, 900), "phone": (390, 844)}


def card(page: Page, event: Any) -> Any:
    return page.locator(f'.capture[data-event="{event.event_id}"]')


def decided(page: Page, event: Any, outcome: str) -> None:
    """Wait until a decision is shown, and the server has recorded it."""
    expect(card(page, event)).to_have_attribute("data-outcome", outcome)
    expect(card(page, event)).not_to_have_attribute("data-waiting", "")


def figures(page: Page, site: Any) -> dict[str, str]:
    """Read the table of species of the trends page: taxon and captures."""
    page.goto(f"{site.url}/trends")
    rows = page.locator("#series tbody tr")
    return {
        rows.nth(row).get_attribute("data-name") or "": rows.nth(row).locator(".num").last.inner_text()
        for row in range(rows.count())
    }


def test_a_confirmed_a_corrected_and_a_dismissed_detection_change_the_trend(page: Page, site: Any) -> None:
    assert figures(page, site) == {"Vulpes": "2", "Sus scrofa": "1", "car": "1", "person": "1", "Strix aluco": "1"}
    page.goto(site.url)
    fox, boar, vehicle = site.events[0], site.events[2], site.events[3]
    card(page, fox).locator("[data-decide=confirmed]").click()
    expect(card(page, fox)).to_have_attribute("data-outcome", "confirmed")
    card(page, vehicle).locator("[data-decide=dismissed]").click()
    expect(card(page, vehicle)).to_have_attribute("data-outcome", "dismissed")
    card(page, boar).locator("[data-decide=corrected]").click()
    page.locator("#taxon").fill("豹猫")
    page.locator("#taxon").press("Enter")
    decided(page, boar, "corrected")
    assert figures(page, site) == {"Vulpes": "2", "person": "1", "Strix aluco": "1", "Prionailurus bengalensis": "1"}
    verdicts = site.casebook.verdict_history(boar.event_id)
    assert [(one.outcome, one.scientific_name) for one in verdicts] == [("corrected", "Prionailurus bengalensis")]


def test_a_picture_or_sound_that_cannot_be_shown_says_why(browser: Browser, site: Any) -> None:
    contents = {"picture": b"\xff\xd8\xff<html><script>alert(1)</script>", "sound": b"fLaC" + bytes(100)}
    shown = {}
    context = browser.new_context()  # whose console may tell of the failed requests
    for capture, data in contents.items():
        event = next(one for one in site.events if one.capture == capture)
        sha256 = event.media[0].sha256
        (site.media_folder / sha256[:2] / sha256).write_bytes(data)
        page = context.new_page()
        page.goto(f"{site.url}/events/{event.event_id}?lang=en")
        expect(page.locator(".unshown")).to_have_count(1)
        shown[capture] = page.locator(".unshown").inner_text()
    assert shown["picture"].startswith("This file cannot be shown. The file is damaged. Check the memory card.")
    assert "This file cannot be shown." in shown["sound"] and "the stored file is damaged" in shown["sound"]
    context.close()


def test_keys_move_and_decide(page: Page, site: Any) -> None:
    page.goto(site.url)
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.dataset.event")
    page.keyboard.press("x")
    expect(page.locator(f'[data-event="{first}"]')).to_have_attribute("data-outcome", "dismissed")
    assert page.evaluate("document.activeElement.dataset.event") != first
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_from_one_capture_to_the_next_until_nothing_is_left(page: Page, site: Any) -> None:
    car, person = site.events[3], site.events[4]  # both flagged: they stand first
    page.goto(f"{site.url}/events/{car.event_id}?lang=en")
    page.keyboard.press("n")
    expect(page).to_have_url(f"{site.url}/events/{person.event_id}")
    seen = []
    for _ in site.events:
        page.wait_for_load_state()
        seen.append(page.locator(".capture").get_attribute("data-event"))
        page.keyboard.press("c")
        expect(page.locator(".capture")).to_have_attribute("data-outcome", "confirmed")
        page.keyboard.press("Enter")  # deciding left the focus on the way on
        expect(page).not_to_have_url(f"{site.url}/events/{seen[-1]}")
    assert (seen[0], seen[-1]) == (person.event_id, car.event_id), "what was passed over comes again at the end"
    assert sorted(map(str, seen)) == sorted(event.event_id for event in site.events)
    expect(page.locator(".empty, #done:not([hidden])")).to_be_visible()  # #done: the last decision is still being sent


def test_a_phone_shows_captures_and_not_what_narrows_the_list(page: Page, site: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/?lang=en")
    expect(page.locator("select").first).to_be_hidden()
    page.locator(".unfold").click()
    page.locator("[name=kind]").select_option("vehicle")
    page.wait_for_url("**kind=vehicle**")
    expect(page.locator("[name=kind]")).to_be_visible()
    expect(page.locator(".capture")).to_have_count(1)


def test_the_latest_verdict_counts_and_all_are_kept(page: Page, site: Any) -> None:
    person = site.events[4]
    page.goto(f"{site.url}/events/{person.event_id}")
    for key, outcome in (("x", "dismissed"), ("c", "confirmed")):
        page.keyboard.press(key)
        decided(page, person, outcome)
    page.reload()
    expect(page.locator(".history li")).to_have_count(2)
    assert figures(page, site)["person"] == "1"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("language", "word"), [("zh_CN", "审核"), ("en", "Review")])
def test_every_page_speaks_both_languages_and_fits_every_width(
    page: Page, site: Any, width: str, language: str, word: str
) -> None:
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    (incident,) = site.incidents.incidents(open_only=False)
    paths = ("/", "/trends", "/activity", "/stations", "/quarantine", "/incidents", f"/incidents/{incident.id}")
    for path in (*paths, f"/events/{site.events[0].event_id}"):
        page.goto(f"{site.url}{path}?lang={language}")
        expect(page.locator("nav.rail")).to_contain_text(word)
        expect(page.locator("footer")).to_contain_text("Asia/Shanghai")
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide for {width}"


@pytest.mark.parametrize("width", [1200, 1280, 1440])
def test_what_decides_lies_within_its_card(page: Page, site: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{site.url}/?lang=en")
    beyond = page.locator(".capture .verdict button").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth"
        " || one.getBoundingClientRect().right > one.closest('.capture').getBoundingClientRect().right).length"
    )
    assert page.locator(".capture .verdict button").count() > 2
    assert beyond == 0


def test_no_part_of_a_record_is_cut_off_on_a_phone(page: Page, site: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/events/{site.events[0].event_id}?lang=en")
    page.locator("dd").nth(1).evaluate("value => value.textContent = 'a'.repeat(200)")
    cut = page.locator("dd").evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth).length")
    assert cut == 0


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_the_head_of_a_page_takes_one_row_on_a_phone(page: Page, site: Any, language: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/stations?lang={language}")
    head = page.locator(".bar").bounding_box()
    assert head
    assert (head["y"], head["width"]) == (0, 390)
    assert head["height"] < 60


def test_a_sound_is_drawn_and_can_be_played(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/events/{site.events[5].event_id}")
    page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
    page.wait_for_function("document.querySelector('audio').duration > 2.5")


def test_boxes_lie_where_the_detection_is(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/events/{site.events[0].event_id}")
    page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
    frame, box = page.locator(".frame img").bounding_box(), page.locator(".frame .edge").bounding_box()
    assert frame and box
    assert (box["x"] - frame["x"]) / frame["width"] == pytest.approx(0.3, abs=0.02)
    assert box["height"] / frame["height"] == pytest.approx(0.25, abs=0.03)


def test_trends_are_drawn(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/trends?lang=zh_CN")
    wide, phone = page.locator(".chart .wide-only svg"), page.locator(".chart .narrow-only svg")
    expect(wide).to_be_visible()
    expect(phone).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(phone).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("language", "written"), [("zh_CN", r"年.*季"), ("en", r"(spring|summer|autumn|winter) \d{4}")]
)
def test_seasons_under_the_chart_are_written_as_the_reader_writes_them(
    page: Page, site: Any, language: str, written: str
) -> None:
    page.goto(f"{site.url}/trends?lang={language}&by=season")
    names = page.locator(".chart .wide-only text.m:not(.ink)")
    assert all(re.search(written, text) for text in names.all_text_contents())
    assert names.count()


def test_what_was_set_aside_shows_its_reason(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/quarantine?lang=en")
    expect(page.locator(".record .badge")).to_have_text("cannot be read")


def test_the_queue_puts_an_incident_together_and_its_page_says_why_and_who_was_told(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/?lang=en")
    group = page.locator(".incident")
    expect(group).to_have_count(1)
    expect(group.locator(".capture")).to_have_count(2)
    group.locator(".incident-head a").click()
    expect(page.locator("h1")).to_contain_text("Warning person, vehicle at ridge-07")
    happened, told = page.locator("table").nth(0), page.locator("table").nth(1)
    expect(happened).to_contain_text("car at this station")
    expect(happened).to_contain_text("person at this station")
    expect(told.locator("tbody tr")).to_have_count(2)
    expect(told).to_contain_text("new kind of finding")
    expect(told).to_contain_text("rangers: waiting")
    for event in (site.events[3], site.events[4]):
        card(page, event).locator("[data-decide=confirmed]").click()
        decided(page, event, "confirmed")
    page.reload()
    expect(page.locator("main")).to_contain_text("review complete")
    page.goto(f"{site.url}/incidents?lang=en")
    expect(page.locator("main")).to_contain_text("No incident is waiting for review.")
