"""A whole plan: every number with its method, both savings, words, figure; what is refused before any work."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.planning.ancova import EXACT
from medtwin.trials.planning.curve import Figure, svg
from medtwin.trials.planning.inputs import USES, plan_input, read, written
from medtwin.trials.planning.plan import plan_trial
from medtwin.trials.planning.planned import lines
from medtwin.trials.planning.wording import analysis_plan

PLANS = {
    "continuous": {"effect": 0.3, "sd": 1.0},
    "binary": {"risk_control": 0.3, "risk_treated": 0.45},
    "count": {"rate_control": 1.2, "rate_ratio": 0.7, "dispersion": 0.6},
    "survival": {"hazard_ratio": 0.7, "median_control": 12, "accrual": 12, "followup": 12},
    "repeated": {"effect": 4.0, "sds": [8, 9, 10], "visit_correlation": 0.7, "retention": [1, 0.9, 0.8]},
}


def planned(endpoint="continuous", figures=False, **more):
    return plan_trial(plan_input({"endpoint": endpoint, **PLANS[endpoint], **more}), figures=figures)


def value(made, name):
    (found,) = (n.value for n in made.numbers if n.name == name)
    return found


@pytest.mark.parametrize("endpoint", PLANS)
@pytest.mark.parametrize("more", [{}, {"correlation": 0.4}, {"correlation": 0.4, "looks": [0.5, 1], "allocation": 2}])
def test_every_endpoint(endpoint, more):
    made = planned(endpoint, figures=True, **more)
    assert 0.9 <= made.power < 0.93
    assert abs(made.n_treated - made.n_control * more.get("allocation", 1)) <= 1.001
    assert made.methods[0].method == made.method
    assert all(n.method and math.isfinite(n.value) for n in made.numbers)
    assert all(0.0 <= row.power <= 1.0 for row in made.methods)
    names = " ".join(lines(made.numbers))
    words = analysis_plan(made)
    assert f"{made.n_control} control and {made.n_treated} treated" in words
    assert all(row.method in words for row in made.methods)
    if "correlation" in more:
        assert "controls saved at equal power" in names
        assert "total N saved at equal power" in words
    assert [figure.kind for figure in made.figures] == ["controls", "correlation", "dropout"]
    if "looks" in more:
        assert "Analysis 2 at 100.0%" in words
        assert made.looks[-1].alpha_spent == pytest.approx(0.05)
        assert value(made, "inflation factor") > 1.0
    for figure in made.figures:
        drawn = svg(figure)
        root = ElementTree.fromstring(drawn)
        assert root.tag.endswith("svg")
        assert drawn.count("<polyline") == len(figure.curves)
        assert all(0.0 <= p <= 1.0 + 1e-9 for curve in figure.curves for p in curve.power)
    controls = made.figures[0].curves[0]
    assert controls.power[0] < 0.9 < controls.power[-1] or endpoint == "binary"


def test_the_exact_number_and_its_neighbours():
    made = planned(correlation=0.5)
    assert made.method == EXACT
    assert (made.n_control, made.n_treated) == (177, 177)
    assert value(made, "patients in all") == 354
    assert value(made, "n Var, ANCOVA II") == pytest.approx(3.0)
    given = planned(correlation=0.5, n_control=177, n_treated=177)
    assert given.power == made.power
    assert given.methods[0].n_control is None


def test_savings_against_the_baseline_are_the_smaller_ones():
    made = planned(correlation=0.6, baseline_correlation=0.5, covariates=2)
    names = {n.name: n.value for n in made.numbers if n.unit == "%"}
    against = "total N saved at equal power, against {}, same allocation"
    all_of = names[against.format("no adjustment")]
    beyond = names[against.format("adjustment for the baseline alone")]
    assert beyond < all_of / 2
    assert value(made, "partial R2 of the score beyond the baseline") == pytest.approx(0.11 / 0.75)
    assert "partial R2 beyond it 0.147" in analysis_plan(made)


def test_caution_costs_patients_and_is_named():
    plain, by_r2 = planned(correlation=0.6), planned(correlation=0.6, deflation=0.9)
    by_r = planned(correlation=0.6, deflation=0.9, convention="standard-deviation")
    assert plain.n_control < by_r2.n_control < by_r.n_control
    assert "R2 x 0.9 (variance convention)" in analysis_plan(by_r2)
    assert any("correlation x 0.9" in line for line in by_r.notes)


def test_warnings():
    made = planned(sd=1.2, sd_treated=1.6, correlation=0.65, correlation_treated=-0.2, allocation=4, effect=0.5)
    assert any("worse than no adjustment" in line for line in made.notes)
    few = planned("binary", risk_control=0.05, risk_treated=0.2, n_control=60, n_treated=60)
    assert any("confirm the power by simulation" in line for line in few.notes)
    short = planned("survival", hazard_ratio=0.3, n_control=20, n_treated=20, followup=0, accrual=5)
    assert any("events are expected" in line for line in short.notes)


def test_assurance_and_drop_out():
    made = planned(correlation=0.5, historical=100, effect_sd=0.05, dropout=0.1)
    assert 0.5 < value(made, "assurance") < made.power
    assert value(made, "enrolled in all, drop-out included") == 394
    assert "assurance" in analysis_plan(made)
    for endpoint, spread in (("binary", 0.03), ("count", 0.1), ("survival", 0.1), ("repeated", 0.5)):
        assert 0.5 < value(planned(endpoint, correlation=0.3, correlation_se=0.05, effect_sd=spread), "assurance") < 0.9


def test_one_sided_with_futility():
    made = planned("survival", alpha=0.025, sides=1, looks=[0.6, 1], futility="obrien-fleming", margin=1.0)
    assert made.looks[0].futility is not None
    assert made.looks[0].time < made.looks[1].time == pytest.approx(24.0)
    assert "futility below Z" in analysis_plan(made)
    assert "(margin)" in analysis_plan(made)
    tiny = planned(looks=[0.01, 1])
    assert tiny.looks[0].efficacy is None
    assert "no efficacy bound" in analysis_plan(tiny)


def test_a_score_at_each_visit_and_covariates_without_one():
    same = planned("repeated", correlation=0.5)
    assert planned("repeated", correlations=[0.5, 0.5, 0.5]).n_control == same.n_control
    assert planned("repeated", correlations=[0.7, 0.6, 0.5]).n_control != same.n_control
    small = {"n_control": 15, "n_treated": 15, "effect": 1.0}
    assert planned(**small, covariates=5).power < planned(**small).power - 0.01


def test_given_numbers_with_looks():
    small = planned(correlation=0.5, looks=[0.5, 1], n_control=80, n_treated=80)
    assert 0.4 < small.power < planned(correlation=0.5, n_control=80, n_treated=80).power
    assert small.looks[0].stops_planned < planned(correlation=0.5, looks=[0.5, 1]).looks[0].stops_planned


def test_millions_of_patients_take_no_longer():
    made = planned("binary", risk_treated=0.301, figures=True)
    assert made.n_control > 4e6
    assert made.power == pytest.approx(0.9, abs=1e-5)


def test_a_plan_file(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("dialect: medtwin-trial-plan/1\nendpoint: continuous\neffect: 0.3\nsd: 1\ncorrelation: 0.5\n")
    assert plan_trial(plan_input(read(path)), figures=False).n_control == 177
    for endpoint in PLANS:
        more = {"correlation": 1e-05, "title": "n: 1 # ü", "looks": [0.5, 1]}
        plan = plan_input({"endpoint": endpoint, **PLANS[endpoint], **more})
        path.write_text(written(plan), encoding="utf-8")
        assert plan_input(read(path)) == plan
        assert path.read_text(encoding="utf-8").startswith("dialect: medtwin-trial-plan/1\nendpoint: ")
    for text in ("endpoint: continuous\n", "a: [", "- 1\n", "dialect: medtwin-trial-plan/9\n"):
        path.write_text(text)
        with pytest.raises(AnalysisError):
            read(path)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"endpoint": "ordinal"}, "endpoint"),
        ({"effect": None}, "no effect"),
        ({"risk_control": 0.3}, "risk_control with endpoint continuous"),
        ({"colour": 1}, "cannot be read"),
        ({"alpha": "much"}, "cannot be read"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"power": 0.04}, "power"),
        ({"correlation": 1.0}, "correlation"),
        ({"correlation": 0.3, "baseline_correlation": 0.5}, "baseline correlation"),
        ({"correlation": 0.3, "covariates": 0}, "a correlation without covariates"),
        ({"covariates": -1}, "-1 covariates"),
        ({"correlation_treated": 0.3}, "correlation_treated without"),
        ({"heterogeneity": 0.1}, "heterogeneity without"),
        ({"n_control": 10}, "the size of one arm"),
        ({"n_control": 1, "n_treated": 5}, "patients in the control arm"),
        ({"allocation": 0.0}, "allocation"),
        ({"dropout": 1.0}, "dropout"),
        ({"historical": 50}, "an uncertain correlation"),
        ({"looks": [0.5, 0.4, 1.0]}, "information rates"),
        ({"effect": 0.0}, "effect 0"),
        ({"inflation": 0.5}, "inflation"),
    ],
)
def test_what_cannot_be_is_refused(more, found):
    with pytest.raises(AnalysisError) as refused:
        plan_trial(plan_input({"endpoint": "continuous", **PLANS["continuous"], **more}))
    assert found in refused.value.found


@pytest.mark.parametrize(
    ("endpoint", "more", "found"),
    [
        ("binary", {"inflation": 1.1}, "inflation"),
        ("survival", {"hazard_control": 0.1}, "no control hazard, or two"),
        ("survival", {"hazard_ratio": -1.0}, "a ratio"),
        ("repeated", {"visit_correlation": None}, "no covariance"),
        ("repeated", {"covariance": [[1.0, 0.5], [0.5]]}, "rows of unequal length"),
        ("repeated", {"correlation": 0.5, "correlations": [0.5]}, "1 correlations"),
    ],
)
def test_what_an_endpoint_cannot_be_is_refused(endpoint, more, found):
    with pytest.raises(AnalysisError) as refused:
        planned(endpoint, **more)
    assert found in refused.value.found


def test_every_endpoint_is_planned_here():
    assert set(PLANS) == set(USES)


def test_a_figure_without_points_is_refused():
    with pytest.raises(AnalysisError, match="without points"):
        svg(Figure(title="", across="", curves=(), target=0.9))
