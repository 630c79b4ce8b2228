"""The page that plans a trial, on the real server: its numbers are those of the verb, whatever is moved."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from browser.fixture_server import STATIC
from medtwin.cli.main import app
from medtwin.trials.planning.inputs import PlanInput, plan_input, read
from medtwin.trials.planning.plan import TrialPlan, plan_trial
from server.conftest import Clock, Running

pytestmark = pytest.mark.browser
SCREENS = (
    (1440, 900, "light", "survival"), (1440, 900, "dark", "continuous"), (390, 844, "light", "continuous"),
    (390, 844, "dark", "survival"),
)  # fmt: skip
ENDPOINTS = ("continuous", "binary", "count", "survival", "repeated")
USUAL = {"endpoint": "continuous", "effect": 3.0, "sd": 10.0, "unit": "points", "correlation": 0.5,
         "baseline_correlation": 0.3, "covariates": 2}  # fmt: skip


@pytest.fixture(scope="module")
def planning(tmp_path_factory):
    """A server over an empty home: planning needs nobody."""
    if not (STATIC / "index.html").is_file():
        pytest.fail(f"the page is not built: expected {STATIC / 'index.html'}. Run `make ui`.")
    with Running(tmp_path_factory.mktemp("planning") / "home", Clock()) as server:
        yield server


def opened(planning, page_guard, place="#/trials", **how) -> Page:
    page = page_guard.open(planning.url + place, **how)
    expect(page.locator("[data-number=power]")).to_be_visible(timeout=20_000)
    return page


def numbers(page: Page) -> tuple[int, int, str]:
    control, treated = (
        int(page.locator(f"[data-number={name}]").inner_text().split()[0].replace(",", ""))
        for name in ("controls", "treated")
    )
    return control, treated, page.locator("[data-number=power]").inner_text()


def planned(**more) -> TrialPlan:
    return plan_trial(plan_input({**USUAL, **more}), figures=False)


def shows(page: Page, made: TrialPlan) -> None:
    expect(page.locator("[data-number=controls]")).to_have_text(f"{made.n_control:,} patients")
    expect(page.locator("[data-number=treated]")).to_have_text(f"{made.n_treated:,} patients")
    expect(page.locator("[data-number=power]")).to_have_text(f"{100 * made.power:.1f} %")


def drawn(page: Page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.chart.power canvas')].map((one) => one.toDataURL())")


def field(page: Page, name: str):
    return page.locator(f"[data-control={name}]")


def write(page: Page, name: str, text: str) -> None:
    field(page, name).locator("input[type=text]").fill(text)


def test_a_moved_slider_changes_the_figures_and_the_numbers_to_those_of_the_verb(planning, page_guard):
    page = opened(planning, page_guard)
    shows(page, planned())
    page.evaluate("document.querySelector('.chart.power canvas').dataset.same = 'yes'")
    before = drawn(page)
    assert len(before) == 3
    slider = field(page, "correlation").get_by_role("slider")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(field(page, "correlation").locator("input[type=text]")).to_have_value("0.6")
    made = planned(correlation=0.6)
    shows(page, made)
    after = drawn(page)
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert page.evaluate("document.querySelector('.chart.power canvas').dataset.same") == "yes"
    for number, one in enumerate(made.savings):
        n0, n1 = one.without
        total = n0 + n1 - sum(one.same_allocation)
        said = page.locator("[data-number=total-saved]").nth(number)
        expect(said).to_have_text(f"{total} of {n0 + n1} ({100 * total / (n0 + n1):.1f} %)")
        controls = n0 - one.treated_kept
        said = page.locator("[data-number=controls-saved]").nth(number)
        expect(said).to_have_text(f"{controls} of {n0} ({100 * controls / n0:.1f} %)")
    for row in made.methods:
        expect(page.locator("table.methods tr").filter(has_text=row.method).first).to_contain_text(
            f"{100 * row.power:.1f} %"
        )


def test_the_figures_table_holds_the_curves(planning, page_guard):
    page = opened(planning, page_guard)
    made = plan_trial(plan_input(USUAL))
    for figure in made.figures:
        card = page.locator(".figure").filter(has_text=figure.title)
        card.get_by_role("button", name="Show table").click()
        for curve in figure.curves:
            expect(card.locator("thead")).to_contain_text(curve.name)
            expect(card.locator("caption")).to_contain_text(curve.method)
        own = card.locator("tbody tr").filter(has_text="(this plan)")
        cells = own.locator("td").all_inner_texts()
        powers = [curve.power[curve.x.index(figure.marked)] for curve in figure.curves]
        assert cells[1:] == [f"{100 * power:.1f}" for power in powers]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_plans_and_its_file_is_read_by_the_command_line(planning, page_guard, tmp_path, endpoint):
    loss = {"count": "dropout_hazard=0.01", "survival": "dropout_hazard=0.01", "repeated": "lost=0.3"}
    extra = f"&historical=200&deflation=0.9&allocation=2&analyses=3&{loss.get(endpoint, 'dropout=0.1')}"
    page = opened(planning, page_guard, f"#/trials?endpoint={endpoint}{extra}")
    expect(page.locator("[role=alert]")).to_have_count(0)
    expect(page.locator(".chart.power canvas")).to_have_count(3)
    with page.expect_download() as got:
        page.get_by_role("button", name="Download plan file").click()
    assert got.value.suggested_filename == "trial-plan.yaml"
    path = tmp_path / "trial-plan.yaml"
    got.value.save_as(path)
    made = plan_trial(plan_input(read(path)), figures=False)
    assert isinstance(made.plan, PlanInput)
    assert (made.plan.endpoint, made.plan.historical, made.plan.allocation) == (endpoint, 200, 2.0)
    shows(page, made)
    assert len(made.looks) == 3
    expect(page.locator("table.looks tbody tr")).to_have_count(len(made.looks))
    expect(page.locator("[data-number=assurance]")).to_be_visible()
    done = CliRunner().invoke(app, ["trial", "plan", str(path)])
    assert done.exit_code == 0, done.output
    assert f"{made.n_control} control" in " ".join(done.output.split())


def test_an_error_stands_beside_its_field_and_the_old_figures_stay(planning, page_guard):
    page_guard.allowed.append("422")  # the browser itself reports the refusals that this test asks for
    page = opened(planning, page_guard)
    shown = numbers(page)
    write(page, "baseline_correlation", "0.7")
    error = field(page, "baseline_correlation").get_by_role("alert")
    expect(error).to_contain_text("above the correlation")
    expect(error).to_contain_text("give the multiple correlation")
    wrong = field(page, "baseline_correlation").locator("input[type=text]")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    described = wrong.get_attribute("aria-describedby").split()
    assert error.get_attribute("id") in described
    expect(page.get_by_text("the last plan that could be made")).to_be_visible()
    assert numbers(page) == shown
    expect(page.locator(".chart.power canvas")).to_have_count(3)
    write(page, "baseline_correlation", "0,2")  # as many people write it
    expect(page.get_by_role("alert")).to_have_count(0)
    shows(page, planned(baseline_correlation=0.2))
    write(page, "sd", "ten")
    expect(field(page, "sd").get_by_role("alert")).to_contain_text("Found “ten”")
    write(page, "sd", "")
    expect(field(page, "sd").get_by_role("alert")).to_contain_text("missing")
    write(page, "sd", "-3")
    expect(field(page, "sd").get_by_role("alert")).to_contain_text("standard deviation")
    write(page, "sd", "8")
    shows(page, planned(baseline_correlation=0.2, sd=8.0))
    page.locator("summary").filter(has_text="Units, margin, title").click()
    write(page, "margin", "3")
    expect(field(page, "margin").locator("..")).to_have_attribute("open", "")
    expect(field(page, "effect").get_by_role("alert")).to_contain_text("null value of 3")


def test_an_error_in_a_closed_group_opens_it(planning, page_guard):
    page_guard.allowed.append("422")
    page = opened(planning, page_guard)
    page.evaluate("location.hash = '#/trials?endpoint=continuous&deflation=1.5'")
    expect(field(page, "deflation").get_by_role("alert")).to_be_visible()
    expect(field(page, "deflation").get_by_role("alert")).to_contain_text("0 to 1")


def test_the_last_answer_wins(planning, page_guard):
    page = opened(planning, page_guard)
    held = []

    def slowly(route):
        if '"effect":5' in (route.request.post_data or ""):
            held.append(route)  # answered only after the next one
        else:
            route.continue_()

    page.route("**/trials/plan", slowly)
    write(page, "effect", "5")
    page.wait_for_timeout(400)
    expect(page.locator(".futures")).to_have_attribute("aria-busy", "true")
    shows(page, planned())  # the old figures stay meanwhile
    write(page, "effect", "2")
    shows(page, planned(effect=2.0))
    assert len(held) == 1
    page.wait_for_timeout(300)
    shows(page, planned(effect=2.0))


def test_everything_by_keyboard(planning, page_guard):
    page = opened(planning, page_guard)
    page.get_by_label("Endpoint").focus()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")
        )
    said = " | ".join(str(one) for one in reached)
    sliders = ("Effect, slider", "Power, slider", "Correlation with the score, slider", "Drop-out, slider")
    for name in (*sliders, "Test and interim analyses", "Show table", "Copy text", "Download plan file"):
        assert name in said, said
    chart = page.get_by_role("application").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    made = planned()
    key = page.locator(".chart.power .key").first
    expect(key).to_contain_text(f"{made.n_control} controls")
    expect(key).to_contain_text(f"{100 * made.power:.1f} %")
    page.keyboard.press("End")
    expect(key).not_to_contain_text(f"{made.n_control} controls")
    page.keyboard.press("Escape")
    expect(key.locator(".when")).to_have_text("Power")
    page.locator("summary").filter(has_text="Test and interim analyses").focus()
    page.keyboard.press("Enter")
    field(page, "analyses").get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("table.looks tbody tr")).to_have_count(2)
    shows(page, planned(looks=[0.5, 1.0], spending="obrien-fleming"))


def test_power_of_a_size(planning, page_guard):
    page = opened(planning, page_guard)
    page.get_by_role("button", name="Power of a size").press("Enter")
    known = planned()
    expect(field(page, "n_control").locator("input[type=text]")).to_have_value(str(known.n_control))
    shows(page, known)  # the same trial, seen from the other side
    write(page, "n_control", "100")
    write(page, "allocation", "1.5")
    shows(page, planned(n_control=100, n_treated=150))
    expect(page.locator("[data-number=total-saved]")).to_have_count(0)
    expect(page.get_by_text("Savings compare trials of equal power")).to_be_visible()


def test_a_reload_and_a_visit_elsewhere_keep_the_plan(planning, page_guard):
    page = opened(planning, page_guard)
    write(page, "effect", "2.5")
    shows(page, planned(effect=2.5))
    kept = parse_qs(urlsplit(page.url).fragment.partition("?")[2])
    assert kept == {"endpoint": ["continuous"], "effect": ["2.5"]}
    page.reload()
    shows(page, planned(effect=2.5))
    page.get_by_role("link", name="Sources").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sources")
    page.get_by_role("link", name="Plan a trial").click()
    shows(page, planned(effect=2.5))
    page.get_by_role("link", name="Plan a trial").click()
    shows(page, planned(effect=2.5))
    page.get_by_role("button", name="Start again").click()
    shows(page, planned())
    page.evaluate("location.hash = '#/trials?endpoint=nonsense&effect=2&colour=red&sides=7'")
    shows(page, planned(effect=2.0))


def test_the_text_is_copied(planning, page_guard):
    page = opened(planning, page_guard, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy text").click()
    expect(page.locator(".said")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".words pre").text_content()
    assert copied.startswith("Sample size\n")
    assert "controls saved at equal power" in copied
    assert "total N saved at equal power" in copied


@pytest.mark.parametrize(("width", "height", "scheme", "endpoint"), SCREENS)
def test_it_fits_every_screen(planning, page_guard, width, height, scheme, endpoint):
    place = f"#/trials?endpoint={endpoint}&analyses=4&historical=150&sides=1&alpha=0.025&futility=pocock"
    page = opened(planning, page_guard, place, width=width, height=height, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    expect(page.locator("table.looks tbody tr")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.title().endswith("medtwin")
    expect(page.locator("footer")).to_contain_text("Research software. Not a medical device")
    bar = page.locator(".result-bar")
    if width < 1100:
        expect(bar).to_contain_text("patients")
    else:
        expect(bar).to_be_hidden()


def test_it_says_what_it_is_and_which_convention_each_number_has(planning, page_guard):
    page = opened(planning, page_guard, "#/trials?endpoint=continuous&deflation=0.9&convention=standard-deviation")
    said = page.locator("main").inner_text()
    for words in ("No patient's data are used", "treated minus control", "treated patients per control", "within an arm, not R²",
                  "standard-deviation convention", "Method: exact"):  # fmt: skip
        assert words in said
    for number in page.locator("[data-number]").all():
        assert re.search(r"\d (patients|%)|\d %\)", " ".join(number.inner_text().split()))
    for slider in page.locator(".slider:has(input[type=range])").all():
        assert slider.locator(".unit").first.text_content().strip()
        assert len(slider.locator(".help").text_content()) > 10


def test_paper_has_the_plan_and_no_sliders(planning, page_guard):
    page = opened(planning, page_guard, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.get_by_role("slider").first).to_be_hidden()
    expect(page.get_by_label("Effect", exact=True)).to_be_visible()
    expect(page.locator(".chart.power canvas").first).to_be_visible()
    expect(page.locator("[data-number=controls]")).to_be_visible()
    assert len(page.pdf()) > 20_000


def test_the_first_load_does_not_carry_it(planning, page_guard):
    asked = []
    page = page_guard.open(planning.url)
    page.on("request", lambda request: asked.append(request.url))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert not any("Trials" in url for url in asked)
    page.get_by_role("link", name="Plan a trial").click()
    expect(page.locator("[data-number=power]")).to_be_visible()
    assert any("Trials" in url for url in asked)
