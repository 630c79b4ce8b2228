"""The page, driven as a person drives it, on made-up people: house rules, keyboard, live updates, paper."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from browser.fixture_server import Server
from browser.guard import PageGuard

pytestmark = pytest.mark.browser

VIEWS = {
    "worklist": "#/",
    "timeline": "#/patients/ada/timeline",
    "what the twin knows": "#/patients/ada/knows",
    "what if": "#/patients/ada/what-if",
    "record": "#/patients/ada/record",
    "fact": "#/patients/ada/record/g-3",
    "questions": "#/patients/ada/disagreements",
    "about": "#/patients/ada/about",
    "statistical person": "#/patients/ben/timeline",
    "quarantine": "#/quarantine",
    "matches": "#/matches",
    "sources": "#/sources",
}


def settled(page: Page) -> None:
    """The view's data has come: a heading stands and nothing says that it is reading."""
    expect(page.locator("main h1").first).to_be_visible()
    expect(page.locator("main p[aria-busy=true]")).to_have_count(0)


@pytest.mark.parametrize("view", VIEWS)
def test_view_fits_both_screens(made_up: Server, page_guard: PageGuard, view: str) -> None:
    for width, height, scheme in ((1440, 900, "light"), (390, 844, "dark")):
        page = page_guard.open(made_up.url + VIEWS[view], width=width, height=height, scheme=scheme)
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        expect(page.locator("footer")).to_contain_text("Not a medical device")
        assert page.title().endswith("medtwin")


@pytest.mark.parametrize("view", ["worklist", "timeline", "what the twin knows", "questions", "about"])
def test_made_up_person_is_labelled(made_up: Server, page_guard: PageGuard, view: str) -> None:
    page = page_guard.open(made_up.url + VIEWS[view])
    settled(page)
    expect(page.locator(".badge.synthetic").first).to_be_visible()


@pytest.mark.parametrize("view", ["worklist", "timeline", "what if", "questions"])
def test_no_number_without_unit_interval_and_time(made_up: Server, page_guard: PageGuard, view: str) -> None:
    page = page_guard.open(made_up.url + VIEWS[view])
    settled(page)
    values = page.locator(".value")
    expect(values.first).to_be_visible()
    for index in range(values.count()):
        text = " ".join(values.nth(index).inner_text().split())
        assert re.search(r"\d (mg/dL|mmol/L|mmHg|%)", text), text
        assert re.search(r"\d to \S+ · 90 %", text), text
    # what stands alone carries its time; a scenario's outcomes stand under "Next 6 h"
    for value in page.locator(".value:not(td .value)").all():
        expect(value.locator("time")).to_have_count(1)


def test_age_of_last_datum_counts_on(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["timeline"])
    settled(page)
    expect(page.locator(".live")).to_contain_text("Live")
    age = page.locator(".last-datum .age")
    made_up.fixture.push_reading(150)
    expect(age).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(age).not_to_have_text(age.inner_text())


def test_stale_channel_and_withheld_forecast_say_so(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["statistical person"])
    settled(page)
    expect(page.locator("main")).to_contain_text("Glucose (CGM) is silent")
    expect(page.locator("main")).to_contain_text("Withheld: no glucose for 5 h")
    expect(page.locator("main")).to_contain_text("no physiological model for this person yet")
    expect(page.locator("main")).to_contain_text("offset unknown")


def test_live_reading_moves_the_page_without_a_new_canvas(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["timeline"])
    settled(page)
    page.evaluate("document.querySelector('.chart canvas').dataset.same = 'yes'")
    expect(page.locator(".live")).to_contain_text("Live")
    before = page.evaluate("document.querySelector('.chart canvas').toDataURL()")
    made_up.fixture.push_reading(211)
    expect(page.locator(".now-value .head")).to_have_text(re.compile("21[01]"))
    expect(page.locator(".live")).to_contain_text("23 ms")
    page.wait_for_function("old => document.querySelector('.chart canvas').toDataURL() !== old", arg=before)
    assert page.evaluate("document.querySelector('.chart canvas').dataset.same") == "yes"
    page.get_by_role("button", name="Show table").click()
    expect(page.locator(".figure table")).to_contain_text("211 mg/dL")


def test_lost_stream_says_so_and_catches_up(made_up: Server, page_guard: PageGuard) -> None:
    page_guard.allowed.append("ERR_")  # the browser itself reports the connection that this test cuts
    page = page_guard.open(made_up.url + VIEWS["timeline"])
    settled(page)
    expect(page.locator(".live")).to_contain_text("Live")
    made_up.fixture.cut()
    expect(page.locator(".live")).to_contain_text("reconnecting")
    made_up.fixture.latest = (made_up.fixture.start + 240, 133.0)
    expect(page.locator(".live")).to_contain_text("Live", timeout=10_000)
    expect(page.locator(".now-value .head")).to_have_text(re.compile("133"))


def test_worklist_follows_the_stream(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url)
    settled(page)
    expect(page.locator(".badge.ask")).to_have_count(1)
    made_up.fixture.answered = {"answer": "no", "label": "No meal", "time": "2026-03-01T00:00:00Z", "by": "someone"}
    made_up.fixture.push(
        "disagreement", {"patient": "ada", "id": "d-1", "status": "answered", "question": "", "open": 0}
    )
    expect(page.locator(".badge.ask")).to_have_count(0)


def test_keyboard_reaches_everything(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url)
    settled(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "name":
            break
    expect(page.get_by_role("link", name="Ada Example")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ada Example")
    expect(page.locator("main")).to_be_focused()
    assert page.evaluate("location.hash") == "#/patients/ada/timeline"


def test_chart_is_read_with_the_arrow_keys(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["timeline"])
    settled(page)
    chart = page.get_by_role("application").first
    chart.focus()
    page.keyboard.press("ArrowLeft")
    key = page.locator(".key").first
    expect(key).to_contain_text("Forecast, 90 % band")  # comes in a second answer; what is read must outlast it
    expect(key).to_contain_text(re.compile(r"Measured\s*\d+ mg/dL at \d\d:\d\d"))
    expect(key).to_contain_text(re.compile(r"Belief, 90 % band\s*\d+ \(\d+ to \d+\) mg/dL"))
    first = key.locator(".when").inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(key.locator(".when")).not_to_have_text(first)
    second = key.locator(".when").inner_text()
    page.emulate_media(color_scheme="dark")  # draws the chart anew
    expect(key.locator(".when")).to_have_text(second)
    page.keyboard.press("End")
    expect(key).to_contain_text(re.compile(r"Forecast, 90 % band\s*\d+ \(\d+ to \d+\) mg/dL"))
    expect(page.locator("[aria-live=polite]").first).to_contain_text("Forecast")
    page.keyboard.press("Escape")
    expect(key.locator(".when")).to_contain_text("Europe/London")


@pytest.mark.parametrize("view", ["timeline", "what the twin knows", "what if"])
def test_every_chart_is_also_a_table(made_up: Server, page_guard: PageGuard, view: str) -> None:
    page = page_guard.open(made_up.url + VIEWS[view])
    settled(page)
    expect(page.locator(".figure").first).to_be_visible()
    for figure in page.locator(".figure").all():
        figure.get_by_role("button", name="Show table").press("Enter")
        rows = figure.locator("tbody tr")
        expect(rows.first).to_be_visible()
        assert rows.count() > 2
        assert re.search(r"mg/dL|mg/kg|/min", figure.locator("table").inner_text())
        figure.get_by_role("button", name="Show chart").press("Enter")
        expect(figure.locator("table")).to_have_count(0)


def test_forecast_never_looks_like_a_measurement(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["timeline"])
    settled(page)
    key = page.locator(".key").first
    expect(key.locator(".swatch.points .dot")).to_have_count(3)
    expect(key.locator(".swatch.points .line")).to_have_count(0)
    expect(key.locator(".swatch.belief .line")).not_to_have_attribute("stroke-dasharray", re.compile("."))
    expect(key.locator(".swatch.forecast .line")).to_have_attribute("stroke-dasharray", "7 4")
    expect(key.locator(".swatch.forecast .hatch")).to_have_count(1)
    expect(key.locator(".swatch.forecast .dot")).to_have_count(0)


def test_what_if_draws_two_futures(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["what if"])
    settled(page)
    expect(page.locator(".chart canvas")).to_have_count(2)
    before = page.evaluate("document.querySelector('.chart canvas').toDataURL()")
    amount = page.get_by_role("slider", name="Meal, carbohydrate, amount in g")
    expect(amount).to_have_value("45")  # a usual meal, so that two futures are seen at once
    amount.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    when = page.get_by_role("slider", name="Meal, carbohydrate, minutes from now")
    when.fill("30")
    page.get_by_role("slider", name="Insulin bolus, amount in U").fill("5.5")
    expect(page.locator(".lanes .mark.planned")).to_have_count(2)
    page.wait_for_function("old => document.querySelector('.chart canvas').toDataURL() !== old", arg=before)
    sent = made_up.fixture.what_ifs[-1]
    assert [(p["quantity"], p["value"], p["unit"]) for p in sent["planned"]] == [
        ("carbohydrate_intake", 60, "g"),
        ("insulin_bolus", 5.5, "U"),
    ]
    assert set(made_up.fixture.guarded) == {"1"}
    assert len(made_up.fixture.what_ifs) < 12, "a slider asks when it rests, not at each step"
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator(".chart canvas")).to_have_count(3)
    expect(page.locator(".outcomes")).to_contain_text("Chance below 70 mg/dL")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".lanes .mark.planned")).to_have_count(0)


def test_statistical_person_has_no_what_if(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + "#/patients/ben/what-if")
    settled(page)
    expect(page.locator("main")).to_contain_text("What-if is not offered: no physiological model for this person yet")


def test_fact_leads_down_to_its_bytes(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["record"])
    settled(page)
    page.get_by_role("link", name="Glucose (CGM)").nth(3).click()
    expect(page.locator("mark")).to_have_text("812,2026-03-01T07:40:00,EGV,142")
    for word in ("True time", "Available", "Recorded", "As written", "What it superseded"):
        expect(page.locator("main")).to_contain_text(word)


def test_question_is_answered(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["questions"])
    settled(page)
    page.get_by_role("button", name="Yes, a meal").press("Enter")
    expect(page.locator("main")).to_contain_text("Answered Yes, a meal by local user")
    expect(page.locator(".tabs .count")).to_have_count(0)
    assert made_up.fixture.guarded == ["1"]


def test_quarantined_file_is_replayed(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["quarantine"])
    settled(page)
    for word in ("Found", "Expected", "Where", "What to do"):
        expect(page.locator("main dt", has_text=word).first).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".said")).to_contain_text("288 new facts, 0 duplicates. It left the quarantine.")
    expect(page.locator("main")).to_contain_text("Nothing is in quarantine.")
    expect(page.locator(".top .count")).to_have_count(0)


@pytest.mark.parametrize(("button", "verdict"), [("Same person", "link"), ("Not the same person", "refuse")])
def test_a_match_is_decided_by_keyboard(made_up: Server, page_guard: PageGuard, button: str, verdict: str) -> None:
    page = page_guard.open(made_up.url + VIEWS["matches"])
    settled(page)
    row = page.locator("tbody tr", has_text="given name")
    for word in ("Ada", "Ida", "different", "against 3.3"):
        expect(row).to_contain_text(word)
    expect(page.locator("tbody tr", has_text="city")).to_contain_text("says nothing")
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent.trim()") == button:
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("No match waits for a person.")
    expect(page.locator(".said")).to_contain_text("lab-9")
    assert made_up.fixture.decided == [(verdict, {"one": "ada", "other": "lab-9", "why": "seen on the page"})]
    expect(page.locator("main h1")).to_be_focused()


def test_theme_and_unit_are_remembered(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["timeline"])
    settled(page)
    theme = page.locator(".theme")
    theme.click()
    theme.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator(".tools select").select_option("mmol/L")
    expect(page.locator(".now-value .head")).to_have_text(re.compile(r"^\d+\.\d mmol/L$"))
    page.reload()
    settled(page)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator(".now-value .head")).to_contain_text("mmol/L")


def test_paper_is_light_and_has_no_controls(made_up: Server, page_guard: PageGuard) -> None:
    page = page_guard.open(made_up.url + VIEWS["timeline"], scheme="dark")
    settled(page)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator(".tabs")).to_be_hidden()
    expect(page.locator(".tools").first).to_be_hidden()
    expect(page.locator(".chart canvas").first).to_be_visible()
    expect(page.locator(".badge.synthetic").first).to_be_visible()
    assert len(page.pdf()) > 20_000
    page.emulate_media(media="screen", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_unknown_patient_says_what_was_not_found(made_up: Server, page_guard: PageGuard) -> None:
    page_guard.allowed.append("404")  # the browser itself reports the answer that this test asks for
    page = page_guard.open(made_up.url + "#/patients/nobody/timeline")
    expect(page.get_by_role("alert")).to_contain_text("Not found")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_guard_catches_what_it_must(made_up: Server, page_guard: PageGuard) -> None:
    """The guard itself: an inline style, a foreign request and an exception are each seen."""
    page = page_guard.open(made_up.url)
    settled(page)
    page.evaluate(
        """() => {
            document.body.insertAdjacentHTML('beforeend', '<p style="color: red">x</p>');
            fetch('http://127.0.0.2:9/').catch(() => {});
            setTimeout(() => { throw new Error('planted'); });
        }"""
    )
    page.wait_for_timeout(300)
    said = "\n".join(page_guard.found)
    assert "style" in said
    assert "127.0.0.2" in said
    assert "planted" in said
    page_guard.found.clear()
