"""The page "Write a model in an afternoon" runs, top to bottom, and says what the checks are."""

import re

import pytest

from medtwin.physiology.check import CHECKS
from medtwin.physiology.check_declared import HEADINGS
from physiology.written import PAGE, blocks, load


def test_the_page_runs():
    found = blocks()
    assert len(found) == 6
    module = load("\n".join(found))  # every assertion on the page stands
    assert module.report.passed
    assert float(module.seen["creatinine"].max()) > 1.0


def test_the_page_names_every_check_and_heading():
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| ([a-z ]+) \| (?!it fails)", text, flags=re.MULTILINE) == list(CHECKS)
    for heading in HEADINGS:
        assert f"\n{heading}\n---" in text


def test_an_edit_of_the_page_reaches_the_model():
    with pytest.raises(SyntaxError):
        load("\n".join(blocks()[:3]).replace("class Creatinine(Model):", "class Creatinine(Model)"))
