"""The study of two plans: its figures and grades, its two worlds, and a small one from files to answers."""

import re
from pathlib import Path

import numpy as np
import pytest

from medtwin.evidence import counterfactual, simglucose_people
from medtwin.evidence.counterfactual import ASKED, HALF, MORE, WALKED, Answer
from medtwin.evidence.other_equations import START
from medtwin.twin.choice import STRUCTURES


def answered(question, truth, said, lower, median, upper, people=4):
    return [Answer(k, question, h, truth, said, lower, median, upper) for k in range(people) for h in ASKED]


def test_errors_and_their_ratio():
    found = answered(HALF, 20.0, 0.0, 10.0, 15.0, 30.0)
    assert counterfactual.rmse(found) == pytest.approx(5.0)
    assert counterfactual.rmse(found, of="black_box") == pytest.approx(20.0)
    assert counterfactual.ratio(found) == pytest.approx((0.25, 0.25, 0.25))


def test_a_miss_is_larger_or_smaller_whatever_its_sign():
    assert counterfactual.outside(answered(HALF, 40.0, 0.0, 10.0, 15.0, 30.0)) == (16, 0)
    assert counterfactual.outside(answered(WALKED, -40.0, 0.0, -30.0, -15.0, -10.0)) == (16, 0)
    assert counterfactual.outside(answered(WALKED, -5.0, 0.0, -30.0, -15.0, -10.0)) == (0, 16)
    assert counterfactual.outside(answered(WALKED, -20.0, 0.0, -30.0, -15.0, -10.0)) == (0, 0)


def test_the_page_says_what_is_missed():
    good = answered(HALF, 20.0, 0.0, 10.0, 18.0, 30.0)
    bad = answered(MORE, 20.0, 19.0, 30.0, 45.0, 60.0)
    page = counterfactual.page({"a world": good + bad}, "python -m x")
    assert f"a world, {HALF}: 90 % intervals hold 85 to 95 % of truths: 100%, **missed**" in page
    assert f"a world, {HALF}: RMSE below the black box's: ratio 0.10 (0.10 to 0.10), met" in page
    assert f"a world, {MORE}: 90 % intervals hold 85 to 95 % of truths: 0%, **missed**" in page
    assert f"a world, {MORE}: RMSE below the black box's: ratio 25.00 (25.00 to 25.00), **missed**" in page
    assert f"a world, {MORE}: RMSE below that of saying 'no difference': 25.0 against 20.0, **missed**" in page


def test_plans_follow_the_persons_ratio_and_part_where_they_should():
    full, half = (counterfactual.given(10.0, plan, 0.0) for plan in counterfactual.QUESTIONS[HALF])
    assert (full.units, half.units) == (6.0, 3.0)
    less, more = (counterfactual.given(10.0, plan, 0.0) for plan in counterfactual.QUESTIONS[MORE])
    assert (less.units, more.units, less.grams, more.grams) == (3.0, 3.0, 30.0, 60.0)
    alone, walked = (counterfactual.given(10.0, plan, 32.0) for plan in counterfactual.QUESTIONS[WALKED])
    heard = counterfactual.planned(walked, START, 105.0)
    assert {e.quantity for e in heard} - {e.quantity for e in counterfactual.planned(alone, START, 105.0)} == {
        "heart_rate"
    }
    assert next(e for e in heard if e.quantity == "heart_rate").value == 105.0


@pytest.fixture(scope="module")
def adult():
    return simglucose_people.live("adult#001", 1, START, 3, [600])


def test_a_fork_is_the_life_that_simglucose_would_have_lived(adult):
    """A body kept in mid-life goes on as one that was never stopped; against simglucose's own patient, unabridged."""
    from simglucose.patient.t1dpatient import Action, T1DPatient

    twin = simglucose_people.live("adult#001", 1, START, 3, [600]).bodies[600][1]
    np.testing.assert_array_equal(twin[0], adult.bodies[600][1][0])  # the same seed, the same life
    own = T1DPatient.withName("adult#001", init_state=twin[0].copy(), t0=twin[1])
    own.__dict__.update(twin[2])
    seen = []
    for m in range(60):
        own.step(Action(insulin=adult.basal + (2.0 if m == 5 else 0.0), CHO=30.0 if m == 5 else 0.0))
        seen.append(own.observation.Gsub)
    np.testing.assert_allclose(simglucose_people.fork(adult, 600, 5, 60, 30.0, 2.0), seen, rtol=1e-9)


def test_what_an_adult_tells(adult):
    told = adult.record
    assert len(told.of("glucose")) == 480  # one each three minutes
    assert 1 <= len(told.of("insulin_bolus")) <= 3
    assert told.of("insulin_basal_rate")[0].value == pytest.approx(adult.basal * 60.0)
    carbohydrate = told.of("carbohydrate_intake")
    assert all(e.value % 5.0 == 0.0 for e in carbohydrate)


def test_the_committed_page_grades_every_question():
    page = (Path(__file__).parents[2] / "docs/evidence/counterfactuals.md").read_text()
    graded = re.findall(
        r"^- (Hovorka|simglucose), asked of (\w+), (.*?): .*(met|\*\*missed\*\*)(?:, but not beyond chance)?$",
        page,
        re.M,
    )
    assert {(w, m, q) for w, m, q, _ in graded} == {
        *((w, m, q) for w in ("Hovorka", "simglucose") for m in STRUCTURES for q in (HALF, MORE)),
        ("Hovorka", "glucose_meals", WALKED),
    }


@pytest.mark.slow
def test_a_small_study():
    found = counterfactual.hovorka(1, 5, 3, "glucose_meals")
    assert len(found) == (len(counterfactual.ORIGINS) * 2 + 3) * len(ASKED)
    late = [a for a in found if a.hours in (2, 3)]
    assert all(a.median > 0 and a.truth > 0 for a in late if a.question != WALKED)
    assert all(a.lower < a.median < a.upper for a in found)
