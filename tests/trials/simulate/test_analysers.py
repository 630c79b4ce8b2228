"""Every family: the batched analysis is the scalar one, and what is drawn has the law that the scenario states."""

import math
from dataclasses import replace

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.simulate import Scenario, simulate
from medtwin.trials.simulate.analysers import DEFAULTS, METHODS, analysers_of
from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.analysers.count import Count
from medtwin.trials.simulate.analysers.external import METHODS as EXTERNAL
from medtwin.trials.simulate.analysers.external import PRIORS, Borrowing, External
from medtwin.trials.simulate.analysers.external_more import MEAN_PRIORS, WEIGHTS, BorrowingMean, ExternalTimes
from medtwin.trials.simulate.analysers.logistic import Logistic
from medtwin.trials.simulate.analysers.logrank import Cox, Logrank
from medtwin.trials.simulate.analysers.missing import MissingOne, MissingRepeated
from medtwin.trials.simulate.analysers.mmrm import Mmrm
from medtwin.trials.simulate.analysers.scalar import Scalar
from medtwin.trials.simulate.analysers.survival import Kaplan
from medtwin.trials.simulate.draw import draw
from medtwin.trials.simulate.fits import loop

MATRIX = ((1.0, 0.6, 0.4), (0.6, 1.2, 0.7), (0.4, 0.7, 1.5))
BINARY = Scenario(endpoint="binary", n_control=30, n_treated=60, risk_control=0.3, risk_treated=0.5, correlation=0.4, baseline=1,
                  baseline_correlation=0.2, strata=2, strata_correlation=0.2, randomisation="permuted-block")  # fmt: skip
COUNT = Scenario(endpoint="count", n_control=40, n_treated=40, rate_control=1.5, rate_ratio=0.7, exposure=2.0, dispersion=0.6,
                 correlation=0.4)  # fmt: skip
SURVIVAL = Scenario(endpoint="survival", n_control=40, n_treated=40, hazard_control=0.1, hazard_ratio=0.7, accrual=6.0,
                    followup=12.0, dropout_hazard=0.01, correlation=0.5, strata=2, strata_correlation=0.3,
                    benefit="lower")  # fmt: skip
REPEATED = Scenario(endpoint="repeated", n_control=20, n_treated=20, covariance=MATRIX, effect=0.5, correlation=0.5)

CASES = [
    *((BINARY, Logistic(adjust=a, measure=m, variance=v)) for a, m, v in (
        ("score", "difference", "HC2"), ("all", "ratio", "HC3"), ("none", "odds ratio", "influence"))),
    *((COUNT, Count(adjust=a, measure=m, family=f)) for a, m, f in (
        ("score", "ratio", "negative-binomial"), ("none", "difference", "poisson"))),
    (replace(COUNT, dropout=0.4), Count()),
    *((SURVIVAL, one) for one in (
        Logrank(), Logrank(adjust="none"), Logrank(adjust="none", stratified=True), Logrank(stratified=True, small_sample=False),
        Logrank(adjust="all", statistic="hazard ratio"), Logrank(adjust="none", statistic="hazard ratio"),
        Kaplan(at=10.0, variance="greenwood"), Kaplan(tau=10.0, variance="greenwood"))),
]  # fmt: skip


@pytest.mark.parametrize(("scenario", "analyser"), CASES, ids=[one.name for _, one in CASES])
def test_batched_is_scalar(scenario, analyser):
    batch = draw(scenario, 0, 0).trials(4)
    fast, slow = analyser.fits(batch, scenario), loop(analyser.one, batch, scenario)
    assert fast.value == pytest.approx(slow.value, rel=1e-9, abs=1e-10)
    assert fast.error == pytest.approx(slow.error, rel=1e-9)
    assert np.array_equal(fast.df, slow.df)


@pytest.mark.parametrize("degrees", ["kenward-roger linear", "satterthwaite"])
def test_complete_repeated_measures_are_least_squares_at_the_last_visit(degrees):
    for analyser in (Mmrm(degrees=degrees), Mmrm(degrees=degrees, adjust="none")):
        batch = draw(REPEATED, 0, 0).trials(3)
        fast, slow = analyser.fits(batch, REPEATED), loop(analyser.one, batch, REPEATED)
        assert fast.value == pytest.approx(slow.value, rel=1e-7)
        assert fast.error == pytest.approx(slow.error, rel=1e-6)
        assert fast.df == pytest.approx(slow.df, rel=1e-5)


@pytest.mark.parametrize("mechanism", ["MCAR", "MAR"])
def test_drop_out_is_monotone_and_of_the_planned_size(mechanism):
    scenario = replace(
        REPEATED, retention=(1.0, 0.9, 0.7), retention_treated=(1.0, 0.8, 0.6), mechanism=mechanism, effect=0.0
    )
    found = [draw(scenario, 1, chunk) for chunk in range(8)]
    y = np.concatenate([one.outcome for one in found])
    gone = np.isnan(y)
    assert (gone[:, 1:] >= gone[:, :-1]).all()
    kept = 1.0 - gone.mean(axis=0)
    arm = found[0].arm > 0.5
    if mechanism == "MCAR":
        assert kept[:, ~arm].mean(axis=1) == pytest.approx([1.0, 0.9, 0.7], abs=0.02)
        assert kept[:, arm].mean(axis=1) == pytest.approx([1.0, 0.8, 0.6], abs=0.02)
    left = gone[:, 1] & ~gone[:, 0]
    away = y[:, 0][left].mean()
    assert away == pytest.approx(0.0, abs=0.06) if mechanism == "MCAR" else away > 0.5
    got = np.cov(
        y[:, :, ~arm].transpose(0, 2, 1).reshape(-1, 3)[~gone[:, :, ~arm].transpose(0, 2, 1).any(axis=2).ravel()].T
    )
    if mechanism == "MCAR":
        assert got == pytest.approx(np.array(MATRIX), abs=0.08)


def flat(scenario, chunks=12):
    found = [draw(scenario, 2, chunk) for chunk in range(chunks)]
    arm = np.concatenate([np.broadcast_to(one.arm, one.score.shape).ravel() for one in found]) > 0.5
    return [np.concatenate([getattr(one, name).ravel() for one in found]) for name in ("outcome", "score")], arm


def test_risks_and_correlations():
    (y, m), arm = flat(BINARY)
    for mine, risk in ((~arm, 0.3), (arm, 0.5)):
        assert y[mine].mean() == pytest.approx(risk, abs=4.0 * 0.5 / math.sqrt(mine.sum()))
        assert np.corrcoef(y[mine], m[mine])[0, 1] == pytest.approx(0.4, abs=0.02)


def test_counts_and_correlations():
    (y, m), arm = flat(COUNT)
    for mine, mean in ((~arm, 3.0), (arm, 2.1)):
        variance = mean + 0.6 * mean**2
        assert y[mine].mean() == pytest.approx(mean, abs=4.0 * math.sqrt(variance / mine.sum()))
        assert y[mine].var() == pytest.approx(variance, rel=0.07)
        assert np.corrcoef(y[mine], m[mine])[0, 1] == pytest.approx(0.4, abs=0.02)
    found = draw(replace(COUNT, dropout=0.5), 0, 0)
    assert (found.exposure < 2.0).mean() == pytest.approx(0.5, abs=0.03)
    early = found.exposure < 1.0
    assert (found.outcome[early].sum() / found.exposure[early].sum()) == pytest.approx(1.5 * 0.85, rel=0.1)


@pytest.mark.parametrize(
    "more", [{}, {"shape": 1.7}, {"shape": 0.6}, {"cuts": (4.0, 8.0), "factors": (3.0, 0.5)},
             {"cuts": (5.0,), "factors": (2.0,), "shape": 1.4}],
)  # fmt: skip
def test_times_have_the_stated_hazard(more):
    scenario = replace(
        SURVIVAL, accrual=0.0, followup=None, dropout_hazard=0.0, strata=1, strata_correlation=0.0, **more
    )
    (time, _), arm = flat(scenario)
    shape = more.get("shape", 1.0)
    cuts, factors = (0.0, *more.get("cuts", ()), math.inf), (1.0, *more.get("factors", ()))
    for mine, ratio in ((~arm, 1.0), (arm, 0.7)):
        for at in (2.0, 6.0, 12.0):
            inside = sum(
                f * (min(at, b) ** shape - a**shape) for a, b, f in zip(cuts, cuts[1:], factors, strict=False) if a < at
            )
            expected = math.exp(-0.1 * ratio * inside)
            assert (time[mine] > at).mean() == pytest.approx(expected, abs=4.0 * 0.5 / math.sqrt(mine.sum()))
    if not more:
        truth = Kaplan(tau=10.0).truth(scenario)
        assert truth == pytest.approx((1 - math.exp(-0.7)) / 0.07 - (1 - math.exp(-1.0)) / 0.1, rel=1e-6)


def test_censoring():
    batch = draw(SURVIVAL, 0, 0)
    assert (batch.outcome + batch.entry <= 18.0 + 1e-12).all()
    at = batch.at(np.full(len(batch), 5.0))
    assert (at.outcome + batch.entry <= np.maximum(5.0, batch.entry) + 1e-12).all()
    assert (at.event <= batch.event).all()
    assert not at.event[batch.entry > 5.0].any()


def test_unbiased_with_honest_errors():
    for scenario, analyser in (
        (BINARY, Logistic(adjust="all")), (COUNT, Count()), (SURVIVAL, Logrank(statistic="hazard ratio")),
        (SURVIVAL, Kaplan(tau=10.0)), (replace(COUNT, dropout=0.3), Count(measure="difference")), (REPEATED, Mmrm()),
    ):  # fmt: skip
        got = simulate(scenario, [analyser], trials=2000)[0]
        assert abs(got.bias.value) < 4.0 * got.bias.error + 0.12 * got.empirical_se.value, got
        assert got.mean_se.value == pytest.approx(got.empirical_se.value, rel=0.09), got
        assert got.coverage.value == pytest.approx(0.95, abs=0.02), got
        assert got.failed == 0


def test_looks_at_events():
    scenario = replace(SURVIVAL, n_control=150, n_treated=150, hazard_ratio=1.0, looks=(0.5, 1.0), correlation=0.0)
    got = simulate(scenario, [Logrank(adjust="none")], trials=3000)[0]
    assert got.rejection.value == pytest.approx(0.05, abs=3.5 * 0.004)
    design = scenario.design
    assert got.stopping[0] == pytest.approx(design.at(0.0).stopping[0], abs=3.5 * 0.002)
    assert got.expected_events < 300.0


def test_others_run_and_say_what_failed():
    repeated = replace(REPEATED, retention=(1.0, 0.9, 0.8), effect=0.0)
    sandwich = Mmrm(structure="ar1", covariance="CR2", degrees="satterthwaite")
    spatial = Mmrm(structure="spatial exponential")
    for analyser in (
        Mmrm(),
        sandwich,
        spatial,
        MissingRepeated(strategy="JR"),
        MissingRepeated(method="rubin", sets=3),
    ):
        got = simulate(repeated, [analyser], trials=2)[0]
        assert got.failed == 0, got.reasons
    for scenario in (replace(BINARY, dropout=0.2), replace(COUNT, dropout=0.2), SURVIVAL):
        assert simulate(scenario, [MissingOne(sets=3, strategy="JR")], trials=2)[0].failed == 0
    assert simulate(SURVIVAL, [Cox()], trials=3)[0].failed == 0
    lost = simulate(replace(BINARY, dropout=0.2), [Logistic(randomisation="permuted-block", adjust="all")], trials=3)[0]
    assert lost.failed == 0


def test_external_controls():
    scenario = Scenario(n_control=20, n_treated=60, n_external=100, correlation=0.5, external_shift=0.3)
    for method in EXTERNAL:
        got = simulate(scenario, [External(method=method)], trials=60)[0]
        assert got.failed <= 2, got.reasons
        biased = method == "unweighted"
        assert (abs(got.bias.value) > 3.0 * got.bias.error) == biased, (method, got.bias)
    drifted = simulate(replace(scenario, external_drift=0.5), [External()], trials=60)[0]
    assert drifted.bias.value == pytest.approx(-0.5, abs=4.0 * drifted.bias.error)


def test_borrowing_ignores_drift_only_without_history():
    scenario = Scenario(
        endpoint="binary", n_control=20, n_treated=40, n_external=60, risk_control=0.3, risk_treated=0.3
    )
    for prior in PRIORS:
        plain, drifted = (
            simulate(replace(scenario, external_drift=drift), [Borrowing(prior=prior)], trials=8)[0]
            for drift in (0.0, 0.8)
        )
        assert plain.failed == drifted.failed == 0
    batch = draw(scenario, 0, 0)
    alone = Borrowing(prior="none").fits(batch.trials(5), scenario).value
    moved = replace(batch, external=replace(batch.external, outcome=np.ones_like(batch.external.outcome))).trials(5)
    assert np.array_equal(alone, Borrowing(prior="none").fits(moved, scenario).value)
    assert not np.allclose(alone, Borrowing(prior="pooled").fits(moved, scenario).value)


def plain_ancova(trial):
    return ancova(trial, strata=False).estimates[0]


def test_any_function():
    scenario = Scenario(n_control=20, n_treated=20, correlation=0.4)
    one, other = simulate(scenario, [Scalar("mine", plain_ancova), Ancova()], trials=40)
    assert one.rejection == other.rejection
    assert one.empirical_se.value == pytest.approx(other.empirical_se.value, rel=1e-9)


def test_every_method_is_reachable_from_a_file():
    needs = {"kaplan-meier": {"tau": 5.0}}
    endpoint = {"ancova": "continuous", "logistic": "binary", "count": "count", "logrank": "survival", "cox": "survival",
                "kaplan-meier": "survival", "mmrm": "repeated", "missing": "repeated", "missing-one": "count",
                "external": "binary", "borrowing": "binary", "contrast": "count",
                "external-times": "survival", "borrowing-mean": "continuous"}  # fmt: skip
    for method in METHODS:
        (made,) = analysers_of([{"method": method, **needs.get(method, {})}], endpoint[method])
        assert endpoint[method] in made.endpoints
    assert set(DEFAULTS) == {"continuous", "binary", "count", "survival", "repeated"}
    with pytest.raises(AnalysisError, match="of a binary endpoint"):
        analysers_of([{"method": "ancova"}], "binary")


TIMES = Scenario(endpoint="survival", n_control=20, n_treated=60, n_external=120, hazard_control=0.1, accrual=6.0, followup=12.0,
                 correlation=0.4, external_shift=0.3)  # fmt: skip


def test_times_against_external_controls():
    """Weights take off the bias that the score explains; the level is not exceeded (weights held as known)."""
    many = [ExternalTimes(weights=one, adjust="score") for one in WEIGHTS]
    many += [ExternalTimes(weights="IPTW ATT", adjust="score", **asked) for asked in ({"at": 10.0}, {"tau": 10.0})]
    plain, *rest = simulate(TIMES, many, trials=200)
    assert plain.bias.value > 6.0 * plain.bias.error  # the external controls' score is higher, and with it their life
    for made in rest:
        assert made.failed == 0
        assert abs(made.bias.value) < max(0.5 * abs(plain.bias.value), 4.0 * made.bias.error)
        assert made.rejection.value < 0.08
    with pytest.raises(AnalysisError, match="one of"):
        ExternalTimes(weights="luck", adjust="score").one(draw(TIMES, 0, 0), 0, TIMES)


def test_borrowed_means():
    """Nothing borrowed is Welch's with a normal law; pooled is by precision; drift is a bias that grows with trust."""
    scenario = Scenario(n_control=25, n_treated=50, n_external=60)
    batch = draw(scenario, 0, 0)
    none = BorrowingMean(prior="none").one(batch, 0, scenario)
    own, new = (batch.outcome[0][batch.arm_of(0) == code] for code in (0, 1))
    assert none.value == pytest.approx(new.mean() - own.mean(), abs=1e-6)
    assert none.standard_error == pytest.approx(np.sqrt(own.var(ddof=1) / 25 + new.var(ddof=1) / 50), rel=1e-6)
    old = batch.external.outcome[0]
    precision = np.array([25 / own.var(ddof=1), 60 / old.var(ddof=1)])
    pooled = precision @ [own.mean(), old.mean()] / precision.sum()
    assert BorrowingMean(prior="pooled").one(batch, 0, scenario).value == pytest.approx(new.mean() - pooled, abs=1e-9)
    drift = replace(scenario, external_drift=0.5)
    found = simulate(drift, [BorrowingMean(prior=prior) for prior in MEAN_PRIORS], trials=200)
    bias = dict(zip(MEAN_PRIORS, (-one.bias.value for one in found), strict=True))
    assert bias["pooled"] > bias["power"] > bias["robust MAP"] > bias["none"]
    with pytest.raises(AnalysisError, match="one of"):
        BorrowingMean(prior="faith").one(batch, 0, scenario)
