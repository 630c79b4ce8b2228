"""The curves of a plan: each point is the power of a plan of its own, made the long way."""

import math

import msgspec
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.planning.figures import losing
from medtwin.trials.planning.inputs import plan_input
from medtwin.trials.planning.models import model
from medtwin.trials.planning.plan import plan_trial
from trials.planning.test_plan import PLANS

SCORE = {"correlation": 0.5, "baseline_correlation": 0.3, "covariates": 2}


def drawn(endpoint, **more):
    made = plan_trial(plan_input({"endpoint": endpoint, **PLANS[endpoint], **more}))
    return made, {figure.kind: figure for figure in made.figures}


def given(plan, n0, n1, **more):
    """Power of a plan of given numbers."""
    whole = msgspec.structs.replace(plan, n_control=n0, n_treated=n1, **more)
    return plan_trial(whole, figures=False).power


@pytest.mark.parametrize("endpoint", PLANS)
@pytest.mark.parametrize("looks", [None, [0.5, 1.0]])
def test_every_curve_meets_the_plan_and_plans_of_other_sizes(endpoint, looks):
    made, figures = drawn(endpoint, looks=looks, **SCORE)
    plan, n0, n1 = made.plan, made.n_control, made.n_treated
    for figure in figures.values():
        assert [curve.name for curve in figure.curves] == ["with score", "baseline alone", "without score"]
        own = figure.curves[0]
        assert own.power[own.x.index(figure.marked)] == pytest.approx(made.power, abs=1e-9)
        assert own.method == made.method
        assert list(own.x) == sorted(set(own.x))
        for better, worse in zip(figure.curves, figure.curves[1:], strict=False):
            known = dict(zip(worse.x, worse.power, strict=True))
            pairs = [(p, known[x]) for x, p in zip(better.x, better.power, strict=True) if x in known]
            assert all(a >= b - 0.004 for a, b in pairs)  # counts have teeth
    alone = {"correlation": 0.3, "baseline_correlation": 0.0, "covariates": 1}
    none = {"correlation": 0.0, "baseline_correlation": 0.0, "covariates": None}
    others = dict(zip(("with score", "baseline alone", "without score"), ({}, alone, none), strict=True))
    for curve in figures["controls"].curves:
        size = int(curve.x[4])
        assert curve.power[4] == pytest.approx(given(plan, size, n1, **others[curve.name]), abs=1e-9)
    for curve in figures["correlation"].curves[1:]:
        (level,) = set(curve.power)
        assert level == pytest.approx(given(plan, n0, n1, **others[curve.name]), abs=1e-9)
    scored = figures["correlation"].curves[0]
    assert scored.x[0] == 0.3
    assert scored.power[-1] == pytest.approx(
        given(plan, n0, n1, correlation=scored.x[-1], baseline_correlation=0.0), abs=1e-9
    )


@pytest.mark.parametrize("endpoint", ["count", "survival"])
def test_a_hazard_of_drop_out_is_that_of_a_plan(endpoint):
    made, figures = drawn(endpoint, dropout_hazard=0.02, **SCORE)
    curve = figures["dropout"].curves[0]
    assert figures["dropout"].marked == 0.02
    assert "hazard" in figures["dropout"].across
    for at in (0, 5, -1):
        less = given(made.plan, made.n_control, made.n_treated, dropout_hazard=curve.x[at])
        assert curve.power[at] == pytest.approx(less, abs=1e-9)
    assert list(curve.power) == sorted(curve.power, reverse=True)


def test_a_share_lost_is_of_those_enrolled():
    made, figures = drawn("continuous", dropout=0.2, **SCORE)
    curve, plan = figures["dropout"].curves[0], made.plan
    assert figures["dropout"].marked == 0.2
    exact = next(iter(model(plan).methods().values()))
    for lost, power in zip(curve.x, curve.power, strict=True):
        n0, n1 = (n / 0.8 * (1.0 - lost) for n in (made.n_control, made.n_treated))
        assert power == pytest.approx(exact(n0, n1), abs=1e-12)
    assert curve.power[0] > made.power > curve.power[-1]


def test_visits_lose_in_proportion():
    plan = plan_input({"endpoint": "repeated", **PLANS["repeated"], "retention_treated": [1, 0.95, 0.9]})
    less, share = losing(plan, 0.4)
    assert share == 1.0
    assert less.retention == pytest.approx([1.0, 0.8, 0.6])
    assert less.retention_treated == pytest.approx([1.0, 0.9, 0.8])
    assert losing(plan, 0.0)[0].retention == [1.0, 1.0, 1.0]
    whole = plan_input({"endpoint": "repeated", **PLANS["repeated"], "retention": [1, 1, 1]})
    assert losing(whole, 0.4)[0].retention == pytest.approx([1.0, 0.8, 0.6])
    single = plan_input({"endpoint": "repeated", "effect": 4.0, "covariance": [[64.0]], "retention": [1]})
    assert losing(single, 0.4)[0].retention == pytest.approx([0.6])
    made, figures = drawn("repeated", **SCORE)
    curve = figures["dropout"].curves[0]
    assert figures["dropout"].marked == 0.2
    n = made.n_control, made.n_treated
    assert curve.power[0] == pytest.approx(given(made.plan, *n, retention=[1.0, 1.0, 1.0]), abs=1e-9)


def test_without_a_score_the_correlation_shows_what_one_would_give():
    made, figures = drawn("continuous")
    assert [curve.name for curve in figures["controls"].curves] == ["without score"]
    scored = figures["correlation"].curves[0]
    assert (scored.name, scored.x[0], figures["correlation"].marked) == ("with score", 0.0, 0.0)
    assert scored.power[0] == pytest.approx(made.power)
    n = made.n_control, made.n_treated
    assert scored.power[10] == pytest.approx(given(made.plan, *n, correlation=scored.x[10]))
    assert "correlation" not in drawn("continuous", covariates=0)[1]


def test_a_curve_ends_where_too_few_are_left_and_a_negative_score_counts_alike():
    made, figures = drawn("continuous", n_control=3, n_treated=3, dropout=0.0, effect=3.0)
    assert figures["dropout"].curves[0].x[-1] < 0.5
    assert made.power > figures["dropout"].curves[0].power[-1]
    up, down = (drawn("continuous", correlation=r)[1]["correlation"].curves[0] for r in (0.5, -0.5))
    assert up.power == pytest.approx(down.power)


def test_savings_stand_as_values_too():
    made, _ = drawn("continuous", **SCORE)
    assert [one.against for one in made.savings] == ["no adjustment", "adjustment for the baseline alone"]
    told = {(n.name, n.unit): n.value for n in made.numbers}
    for one in made.savings:
        name = f"total N saved at equal power, against {one.against}, same allocation"
        assert told[name, "patients"] == sum(one.without) - sum(one.same_allocation)
    assert drawn("continuous", n_control=100, n_treated=100, **SCORE)[0].savings == ()


def test_a_watch_ends_the_work():
    calls = 0

    def watch():
        nonlocal calls
        calls += 1
        if calls > 20:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        plan_trial(plan_input({"endpoint": "continuous", **PLANS["continuous"], **SCORE}), watch=watch)
    assert calls == 21
    assert math.isfinite(drawn("continuous")[0].power)
    with pytest.raises(AnalysisError):
        drawn("continuous", effect=0.0)
