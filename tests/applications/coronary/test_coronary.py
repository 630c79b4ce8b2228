"""FFR of a tree with intervals and their budget, and virtual stents, against answers by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from medtwin.anatomy import vessel_tree
from medtwin.applications.coronary import stents
from medtwin.applications.coronary.flow import GROUPS, analyse, known, pose, pressures
from medtwin.applications.coronary.stents import Stent, compare, parse
from medtwin.errors import AnalysisError

MMHG, MU, RHO = 133.322, 3.5, 1060.0


def tree(**changed):
    """A left main with two children; the first has two lesions in a row."""
    content = {
        "dialect": vessel_tree.DIALECT, "label": "two in a row", "synthetic": True,
        "segments": [
            {"name": "LM", "parent": None, "arc_length_mm": [0, 10], "radius_mm": [2.2, 2.2], "reference_radius_mm": 2.2},
            {"name": "LAD", "parent": "LM", "arc_length_mm": [0, 8, 10, 12, 28, 30, 32, 60],
             "radius_mm": [1.6, 1.6, 0.8, 1.6, 1.6, 0.85, 1.6, 1.6], "reference_radius_mm": 1.6},
            {"name": "LCX", "parent": "LM", "arc_length_mm": [0, 50], "radius_mm": [1.5, 1.5], "reference_radius_mm": 1.5},
        ],
        "aortic_pressure_mmhg": 93, "venous_pressure_mmhg": 5, "myocardial_mass_g": 120, **changed,
    }  # fmt: skip
    return vessel_tree.read(json.dumps(content))


def by_hand(q_lad, q_lcx, *, stented=False):
    """Pressure at the LAD's end, mmHg, flows in mL/s."""
    tube = lambda length, radius: 8 * MU * length / (np.pi * radius**4) / MMHG  # noqa: E731
    cone = lambda length, a, b: 8 * MU * length * (a * a + a * b + b * b) / (3 * np.pi * a**3 * b**3) / MMHG  # noqa: E731
    jet = lambda r: 1.52 * RHO / 2 / MMHG * (1 / (np.pi * r * r) - 1 / (np.pi * 1.6**2)) ** 2  # noqa: E731
    root = tube(10, 2.2) * (q_lad + q_lcx)
    if stented:
        return 93 - root - tube(60, 1.6) * q_lad
    lesions = 2 * cone(2, 1.6, 0.8) + 2 * cone(2, 1.6, 0.85)
    return 93 - root - (tube(52, 1.6) + lesions) * q_lad - (jet(0.8) + jet(0.85)) * q_lad**2


def test_stated_flows_give_the_answer_by_hand_before_and_after_stents():
    told = tree(outlets={"LAD": {"flow_ml_per_min": 110}, "LCX": {"flow_ml_per_min": 90}})
    made = analyse(told, samples=1)
    q = 110 / 60, 90 / 60
    assert made.outlets["LAD"].median == pytest.approx(by_hand(*q) / 93, abs=1e-6)
    beds = [
        (by_hand(*q) - 5) / q[0],
        (93 - 8 * MU * (10 * sum(q) / 2.2**4 + 50 * q[1] / 1.5**4) / np.pi / MMHG - 5) / q[1],
    ]
    after = next(one for one in compare(told, samples=1) if len(one.stents) == 2)
    # with the beds held the stented tree is linear: two unknown flows
    tube = lambda length, radius: 8 * MU * length / (np.pi * radius**4) / MMHG  # noqa: E731
    matrix = [
        [tube(10, 2.2) + tube(60, 1.6) + beds[0], tube(10, 2.2)],
        [tube(10, 2.2), tube(10, 2.2) + tube(50, 1.5) + beds[1]],
    ]
    flows = np.linalg.solve(matrix, [88, 88])
    assert after.outlets["LAD"].median == pytest.approx(by_hand(*flows, stented=True) / 93, abs=1e-4)


def test_stated_resistances_are_those_of_the_network():
    told = tree(outlets={"LAD": {"resistance_mmhg_min_per_ml": 0.6}, "LCX": {"resistance_mmhg_min_per_ml": 0.8}})
    made = analyse(told, samples=1)
    flow = made.flow[:, 1]
    assert flow[0] == pytest.approx(flow[1] + flow[2])
    assert (made.outlets["LAD"].median * 93 - 5) / flow[1] == pytest.approx(0.6)
    assert made.outlets["LAD"].median * 93 == pytest.approx(by_hand(flow[1] / 60, flow[2] / 60), abs=1e-6)


def test_intervals_hold_the_middle_and_the_budget_names_the_widest_part():
    made = analyse(tree(), samples=200)
    for name, one in made.outlets.items():
        assert one.low < one.median < one.high, name
    assert made.lowest == "LAD"
    assert set(made.budget) == set(GROUPS)
    assert 0.6 < sum(made.budget.values()) < 1.4
    assert made.outlets["LCX"].low > 0.9
    assert made.outlets["LCX"].chance_low == 0.0
    first, second = made.lesions
    assert (first.diameter_stenosis, second.diameter_stenosis) == pytest.approx((50.0, 46.875))
    assert first.area_stenosis == pytest.approx(75.0)
    assert first.ffr.median > second.ffr.median
    assert made.reserve[1] < made.reserve[2] < 4.0
    assert made.resting_ratio[1][-1] > made.ffr[1][-1]
    sharp = replace(tree(), segments=tuple(replace(one, radius_sd=0.25) for one in tree().segments))
    assert analyse(sharp, samples=200).budget["geometry"] > made.budget["geometry"]


def test_what_is_known_narrows_the_interval():
    wide = analyse(tree(), samples=200).outlets["LAD"]
    flow = analyse(tree(myocardial_mass_g=None, resting_flow_ml_per_min=120), samples=200).outlets["LAD"]
    factor = analyse(tree(), samples=200, factor=0.29).outlets["LAD"]
    for one in (flow, factor):
        assert one.high - one.low < wide.high - wide.low
        assert one.median == pytest.approx(wide.median, abs=0.02)


def test_the_first_sample_is_the_middle_and_knowing_all_leaves_nothing():
    posed = pose(tree(), samples=200)
    for group in GROUPS:
        posed = known(posed, group)
    ffr, _ = pressures(posed)
    assert np.ptp(ffr[1, -1]) == 0.0
    assert ffr[1, -1, 0] == pytest.approx(analyse(tree(), samples=1).outlets["LAD"].median)


def test_lesions_in_a_row_are_worth_more_together_than_the_pull_back_promises():
    none, *options = compare(tree(), samples=200)
    single = [one for one in options if len(one.stents) == 1]
    (both,) = (one for one in options if len(one.stents) == 2)
    assert none.stents == ()
    assert none.gain.median == 0.0
    assert both.gain.median > max(one.gain.median for one in single)
    assert both.gain.median > sum(one.gain.median for one in single)  # each holds back the flow through the other
    # a stent lets the other lesion cost more: it gives less than the pull-back before promises
    assert all(0 < one.gain.median < one.promised for one in single)
    assert sum(one.chance_best for one in single) >= 1.0
    assert single[0].chance_best >= single[1].chance_best
    assert both.chance_open > none.chance_open


def test_a_stent_that_is_too_small_gains_less():
    full, small = (compare(tree(), [(parse(f"LAD:6-14:{d}"),)], samples=200)[1].gain.median for d in (3.2, 2.0))
    left = compare(tree(), [(parse("LAD:6-14::20"),)], samples=200)[1].gain.median
    assert full > left > small > 0


def test_a_closed_vessel_is_told():
    content = json.loads(vessel_tree.write(tree()))
    content["segments"][1]["radius_mm"][2] = 0.0
    made = analyse(vessel_tree.read(json.dumps(content)), samples=200)
    assert "LAD: closed" in made.notes[0]
    assert made.outlets["LAD"].median < 0.2
    assert made.outlets["LCX"].median > 0.9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"aortic_pressure_mmhg": None}, "no aortic pressure"),
        ({"myocardial_mass_g": None}, "nothing that tells how much flows"),
        ({"outlets": {"LAD": {"flow_ml_per_min": 900}, "LCX": {"flow_ml_per_min": 9}}}, "cannot carry"),
    ],
)
def test_what_cannot_be_answered_is_refused(change, words):
    with pytest.raises(AnalysisError, match=words):
        analyse(tree(**change), samples=200)


@pytest.mark.parametrize("text", ["LAD", "LAD:5", "LAD:a-b", ":1-2", "LAD:1-2:3:4:5"])
def test_a_stent_that_cannot_be_read(text):
    with pytest.raises(AnalysisError, match="SEGMENT:BEGIN-END"):
        parse(text)


@pytest.mark.parametrize(
    "stent", [Stent("LAD", 20, 10), Stent("LAD", 0, 99), Stent("LAD", 0, 9, diameter=0.5), Stent("LAD", 0, 9, left=100)]
)
def test_a_stent_that_does_not_fit(stent):
    with pytest.raises(AnalysisError, match="expected"):
        stents.compare(tree(), [(stent,)], samples=200)
