"""The report in a browser: light, dark, on a phone and on paper, without an error and without asking anybody."""

import pytest

from medtwin.trials.report.html import html
from trials.report.example import example, hostile

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
COLOURS = "element => [getComputedStyle(element).fill, getComputedStyle(document.body).backgroundColor]"


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html(example()), encoding="utf-8")
    return path


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_it_fits_and_can_be_read(page_guard, report, width, scheme):
    page = page_guard.open(report.as_uri(), width=width, scheme=scheme)
    assert page.title() == example().title
    assert not page.evaluate(WIDER)
    ink, paper = page.locator("svg text").first.evaluate(COLOURS)
    assert ink == ("rgb(233, 233, 233)" if scheme == "dark" else "rgb(26, 26, 26)")
    assert paper == ("rgb(23, 25, 29)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert page.get_by_role("img", name="time to relapse: Kaplan-Meier").is_visible()
    assert page.get_by_role("rowheader", name="hazard ratio drug / placebo").is_visible()
    page.get_by_role("link", name="Figures").click()
    assert page.url.endswith("#section-6")


@pytest.mark.browser
def test_it_prints_with_its_first_page_alone(page_guard, report):
    page = page_guard.open(report.as_uri(), scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    ink, paper = page.locator("svg text").first.evaluate(COLOURS)
    assert ink == "rgb(26, 26, 26)"  # dark ink on paper, whatever the screen was
    assert paper == "rgb(255, 255, 255)"
    assert not page.get_by_role("navigation", name="Contents").is_visible()
    for size in ("A4", "Letter"):
        assert page.pdf(format=size).startswith(b"%PDF")


@pytest.mark.browser
@pytest.mark.parametrize(
    "words", ["<script>document.title='x'</script>", "<img src=x onerror=\"document.title='x'\">", "x" * 900]
)
def test_nothing_of_a_table_runs(page_guard, tmp_path, words):
    path = tmp_path / "report.html"
    path.write_text(html(hostile(words)), encoding="utf-8")
    page = page_guard.open(path.as_uri(), width=390)
    assert page.title() == words
    assert page.locator("img, script").count() == 0
    assert not page.evaluate(WIDER)
