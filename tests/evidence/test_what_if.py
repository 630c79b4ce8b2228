"""The study of what a plan changes: its figures, and a small one from files to answers."""

import re
from pathlib import Path

import numpy as np
import pytest

from medtwin.evidence import what_if
from medtwin.evidence.what_if import Answer, Study
from medtwin.twin.effects import ERROR, HOURS

MODEL = "glucose_insulin"


def test_the_error_is_that_of_the_ratio():
    answers = [Answer(0, "p", 2, 40.0 * np.exp(s * 0.3), 30.0, 40.0, 50.0) for s in (-1, 1, 1, -1)]
    assert what_if.error(answers, 2) == pytest.approx(0.3)
    tiny = [*answers, Answer(0, "p", 2, 400.0, 0.5, 1.0, 2.0)]
    assert what_if.error(tiny, 2) == pytest.approx(0.3)


def test_what_ships_is_what_the_committed_run_estimated():
    page = (Path(__file__).parents[2] / "docs/evidence/what-if.md").read_text()
    rows = re.findall(r"^## (\w+)$.*?^\| sd of the log effect, estimated in this run \|(.*?)\|$", page, re.M | re.S)
    assert {model: tuple(float(cell) for cell in cells.split("|")) for model, cells in rows} == ERROR


def test_knots_stand_where_answers_are_asked():
    assert [pytest.approx(h - what_if.LATER / 60) for h in what_if.ASKED] == list(HOURS)


def test_the_page_grades_people_it_was_not_made_on():
    good = [Answer(k % 4, "3 U of insulin", h, -30.0, -60.0, -35.0, -10.0) for k in range(8) for h in what_if.ASKED]
    good += [Answer(k % 4, "45 g of carbohydrate", h, 30.0, 10.0, 35.0, 60.0) for k in range(8) for h in what_if.ASKED]
    missed = what_if.page([Study(MODEL, [0.5] * 5, good, {"type_1": good})], "python -m x")  # 100 % is not 85 to 95 %
    assert "hold 100% (aim: 85 to 95 %): **missed**" in missed
    off = [Answer(a.person, a.plan, a.hours, 90.0 if k % 10 == 0 else a.truth, a.lower, a.median, a.upper)
           for k, a in enumerate(good)]  # fmt: skip
    assert "hold 90% (aim: 85 to 95 %): met" in what_if.page(
        [Study(MODEL, [0.5] * 5, good, {"type_1": off})], "python -m x"
    )


@pytest.mark.slow
def test_a_small_study():
    answers = what_if.ask("type_1", 1, 5, 3)
    assert 20 <= len(answers) <= len(what_if.ORIGINS) * len(what_if.PLANS) * len(what_if.ASKED)
    meals = [a for a in answers if a.plan.startswith("45 g") and a.hours in (2, 3)]
    assert all(a.median > 0 and a.truth > 0 for a in meals)
    assert all(a.lower < a.median < a.upper for a in answers)
