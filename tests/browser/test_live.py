"""The page against the real server: synthetic people, their twins, and facts that come in while it is looked at."""

import json
import re
import time
from datetime import timedelta
from http.client import HTTPConnection

import pytest
from playwright.sync_api import expect

from browser.fixture_server import STATIC
from server.conftest import NOW, Clock, Running, copied, meal, people, reading, template

__all__ = ["people", "template"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def running(template, tmp_path_factory):
    if not (STATIC / "index.html").is_file():
        pytest.fail(f"the page is not built: expected {STATIC / 'index.html'}. Run `make ui`.")
    with Running(copied(template, tmp_path_factory.mktemp("page")), Clock()) as server:
        end = time.monotonic() + 300
        while not server.warm:
            assert time.monotonic() < end, "the models did not compile"
            time.sleep(0.1)
        yield server


def send(running, resource):
    connection = HTTPConnection("127.0.0.1", running.port, timeout=60)
    headers = {"X-Medtwin-Request": "1", "Content-Type": "application/fhir+json"}
    connection.request("POST", "/api/v1/facts", json.dumps(resource), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def test_the_worklist_shows_everybody_labelled(running, page_guard):
    page = page_guard.open(running.url)
    for name in ("Ada", "Deniz", "Clara"):
        expect(page.get_by_role("link", name=re.compile(name))).to_be_visible()
    expect(page.get_by_text("Synthetic", exact=True)).to_have_count(3)
    expect(page.get_by_text("no physiological model for this person yet")).to_be_visible()
    expect(page.get_by_text("Research software. Not a medical device")).to_be_visible()


@pytest.mark.parametrize("view", ["timeline", "knows", "what-if", "decisions", "record", "disagreements", "about"])
@pytest.mark.parametrize("patient", ["ada", "deniz", "clara"])
def test_every_view_of_everybody_opens(running, page_guard, patient, view):
    page = page_guard.open(f"{running.url}#/patients/{patient}/{view}", width=390, height=844, scheme="dark")
    expect(page.get_by_role("heading", level=1)).to_contain_text(patient.capitalize())
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("place", ["quarantine", "sources"])
def test_the_other_pages_open(running, page_guard, place):
    page = page_guard.open(f"{running.url}#/{place}")
    said = "export_final(2).csv" if place == "quarantine" else "Dexcom Clarity CSV"
    expect(page.get_by_text(said).first).to_be_visible()


def test_a_live_reading_moves_the_page(running, page_guard, people):
    page = page_guard.open(f"{running.url}#/patients/ada/timeline")
    expect(page.get_by_text("Live", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Show table").first.click()
    rows = page.locator("table tbody tr")
    expect(rows.first).to_be_visible()
    moment = NOW + timedelta(minutes=5)
    running.clock.moment = moment
    send(running, reading(people["ada"], moment, 263, "seen-on-the-page"))
    expect(page.get_by_role("row").filter(has_text="measured").filter(has_text="263 mg/dL")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"\d+ ms"))).to_be_visible()


def test_a_late_meal_is_drawn_without_a_reload(running, page_guard, people):
    page = page_guard.open(f"{running.url}#/patients/ada/timeline")
    expect(page.get_by_role("heading", name="Latest inputs")).to_be_visible()
    send(running, meal(people["ada"], running.clock() - timedelta(minutes=6), 77, "late-on-the-page"))
    expect(page.get_by_text("77 g").first).to_be_visible()


def test_what_if_draws_two_futures(running, page_guard):
    page = page_guard.open(f"{running.url}#/patients/ada/what-if")
    slider = page.get_by_role("slider").first
    expect(slider).to_be_visible()
    slider.focus()
    with page.expect_response(re.compile("what-if")) as answered:
        for _ in range(6):
            page.keyboard.press("ArrowRight")
    assert answered.value.status == 200
    expect(page.get_by_role("heading", name=re.compile("Two futures"))).to_be_visible()
    expect(page.get_by_text("Greatest chance above 180 mg/dL").first).to_be_visible()


def test_from_a_fact_down_to_its_bytes(running, page_guard):
    page = page_guard.open(f"{running.url}#/patients/ada/record?quantity=glucose")
    page.locator("table tbody tr a").first.click()
    expect(page.get_by_text(re.compile("dexcom_clarity.csv|message")).first).to_be_visible()
    expect(page.locator("mark")).to_be_visible()


@pytest.mark.parametrize("patient", ["ada", "deniz"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_glucose_report(running, page_guard, patient, width):
    page = page_guard.open(f"{running.url}#/patients/{patient}/report", width=width, height=900)
    expect(page.get_by_role("heading", name=re.compile("Glucose report"))).to_be_visible()
    expect(page.get_by_role("rowheader", name="in range, 70-180 mg/dL")).to_be_visible()
    for number in range(3):
        picture = page.locator("figure img").nth(number)
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_label("Unit").select_option("mmol/L")
    expect(page.get_by_role("rowheader", name="in range, 3.9-10.0 mmol/L")).to_be_visible()
    assert "unit=mmol%2FL" in page.url


def test_who_has_no_sensor_has_no_report(running, page_guard):
    page = page_guard.open(f"{running.url}#/patients/clara/timeline")
    expect(page.get_by_role("link", name="Record", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Report", exact=True)).to_have_count(0)


def test_a_decision_is_kept_from_the_what_if(running, page_guard):
    page = page_guard.open(f"{running.url}#/patients/ada/what-if")
    slider = page.get_by_role("slider").first
    expect(slider).to_be_visible()
    slider.focus()
    with page.expect_response(re.compile("what-if")) as answered:
        for _ in range(4):
            page.keyboard.press("ArrowRight")
    assert answered.value.status == 200
    against = page.get_by_role("button", name="I decide against it")
    expect(against).to_be_disabled()  # why?
    page.get_by_label("Why").fill("seen-on-the-page")
    expect(against).to_be_enabled()
    against.click()
    expect(page.get_by_text("See what comes of it")).to_be_visible()
    page.get_by_role("link", name="See what comes of it").click()
    expect(page.get_by_text("seen-on-the-page")).to_be_visible()
    expect(page.get_by_text("refused")).to_be_visible()
