"""The road: plans in words, members that fit the measurement, courses that go where they must, the page."""

import numpy as np
import pytest

from medtwin.applications.metabolic_road.members import Person, members
from medtwin.applications.metabolic_road.plan import dose, plan
from medtwin.applications.metabolic_road.road import STEADY, in_trial, road, wilson
from medtwin.applications.metabolic_road.write import document
from medtwin.errors import AnalysisError
from medtwin.reports.html import page

TAKING = {"metformin": dose("metformin 2000 mg daily")}


@pytest.mark.parametrize(
    "words", ["aspirin 100 mg daily", "semaglutide 2.4 mg daily", "metformin 0 mg daily", "metformin"]
)
def test_a_dose_that_makes_no_sense_is_refused(words):
    with pytest.raises(AnalysisError, match="dose"):
        dose(words)


def test_an_incretin_rises_to_its_dose_and_a_tablet_does_not():
    given = dose("semaglutide 2.4 mg weekly")
    assert [given.on(day, new=True) for day in (0, 1, 28, 56, 84, 112)] == [0.25, 0.0, 0.5, 1.0, 1.7, 2.4]
    assert given.on(0, new=False) == 2.4
    assert TAKING["metformin"].on(5, new=True) == 2000.0


def test_plans_are_checked_against_what_is_taken():
    assert plan(12, -500, 0, ["metformin"], [], TAKING).stop == {"metformin"}
    with pytest.raises(AnalysisError, match="to be stopped"):
        plan(12, 0, 0, ["metformin"], [], {})
    with pytest.raises(AnalysisError, match="two incretin"):
        plan(12, 0, 0, [], ["semaglutide 1 mg weekly", "tirzepatide 5 mg weekly"], {})


def test_the_trial_is_told_by_the_class_of_weight():
    """Lean 2018: 31 of 36 at 15 kg and more, none of those who lost nothing."""
    found = in_trial(16.0)
    assert (found.reached, found.people) == (31, 36)
    assert found.interval[0] < 31 / 36 < found.interval[1]
    assert [in_trial(lost).reached for lost in (-1.0, 1.0, 4.9, 5.0, 10.0)] == [0, 6, 6, 19, 16]
    assert in_trial(0.1) is None
    assert wilson(0.5, 100.0) == pytest.approx((0.4038, 0.5962), abs=1e-3)  # Wilson 1927 by hand


@pytest.fixture(scope="module")
def people():
    person = Person(100.0, 7.6, None, {"age": 54.0, "body_height": 170.0}, {"metformin": 2000.0})
    return members(person, 60, drawn=5000)


def test_members_fit_what_was_measured_and_the_road_goes_down(people):
    assert people.effective >= 20
    made = road(people, 100.0, TAKING, plan(6, -500, 0, [], [], TAKING))
    assert made.as_now.weight[:, -1] == pytest.approx([100.0] * 3, abs=0.3)  # nothing changes: nobody moves
    assert made.as_now.hba1c[1, 0] == pytest.approx(7.6, abs=0.25)
    assert np.all(np.diff(made.as_now.hba1c, axis=0) > 0)
    assert made.planned.weight[1, -1] < 98

    # where weight has moved the model fails against trials: it says nothing, and the trial is named as such
    moved = np.abs(100.0 - made.planned.weight[1]) > STEADY
    assert moved[-1]
    assert np.array_equal(np.isnan(made.planned.hba1c).all(axis=0), moved)
    assert made.planned.chance is None
    assert made.as_now.chance is not None
    shown = page(document(made, "anna", "-500 kcal a day", True))
    assert "SYNTHETIC DATA" in shown
    assert "withheld by the model; in DiRECT" in shown
    assert "withheld</td>" in shown


def test_without_a_measurement_there_is_no_road():
    with pytest.raises(AnalysisError, match="neither HbA1c"):
        members(Person(90.0, None, None, {}, {}))
