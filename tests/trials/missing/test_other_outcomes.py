"""Binary, count and survival outcomes: complete data, no dropout in the treated, the laws that are drawn from, delta."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.missing.binary import binary
from medtwin.trials.missing.count import count, later
from medtwin.trials.missing.delta import Delta
from medtwin.trials.missing.survival import event_times, survival
from medtwin.trials.missing.tipping import tipping_point

N = 200
RNG = np.random.default_rng(4)
ARM, X = np.arange(N) % 2, RNG.normal(size=(N, 1))
YES = (RNG.random(N) < 1 / (1 + np.exp(-(0.2 + 0.9 * ARM + 0.5 * X[:, 0])))).astype(float)
EXPOSURE = np.where(RNG.random(N) < 0.3, RNG.uniform(0.2, 0.9, N), 1.0)
COUNTS = RNG.poisson(EXPOSURE * RNG.gamma(2.0, 0.5, N) * np.exp(1.2 - 0.6 * ARM + 0.3 * X[:, 0])).astype(float)
TIME = RNG.exponential(1.0 / np.exp(-0.7 * ARM + 0.4 * X[:, 0]))
LEFT = np.where(RNG.random(N) < 0.35, RNG.uniform(0.05, 1.5, N), 2.0)

BINARY = TrialData.of(YES, ARM, covariates=X)
COUNT = TrialData.of(COUNTS, ARM, covariates=X, exposure=EXPOSURE)
SURVIVAL = TrialData.of(np.minimum(TIME, LEFT), ARM, covariates=X, event=TIME <= LEFT)
PLANNED = np.full(N, 2.0)
GONE = RNG.random(N) < 0.25


def same(one, other):
    assert [(e.name, e.value, e.standard_error) for e in one.estimates] == [
        (e.name, e.value, e.standard_error) for e in other.estimates
    ]


@pytest.mark.parametrize("strategy", ["MAR", "JR"])
def test_complete_data_change_nothing(strategy):
    none = np.zeros(N, bool)
    same(binary(BINARY, none, strategy=strategy, seed=1), marginal_effects(BINARY, family="logistic"))
    plain = marginal_effects(COUNT, family="negative-binomial", measures=("ratio",))
    same(count(COUNT, EXPOSURE, strategy=strategy, seed=1), plain)
    same(survival(SURVIVAL, SURVIVAL.outcome, strategy=strategy, seed=1), cox(SURVIVAL))


@pytest.mark.parametrize("way", ["binary", "count", "survival"])
def test_no_dropout_in_the_treated_makes_jump_to_reference_missing_at_random(way):
    def run(strategy, control_only):
        if way == "binary":
            return binary(BINARY, GONE & ((ARM == 0) | (not control_only)), strategy=strategy, sets=5, seed=2)
        if way == "count":
            planned = np.where((ARM == 0) | (not control_only), 1.0, EXPOSURE)
            return count(COUNT, planned, strategy=strategy, sets=5, seed=2)
        ends = np.where((ARM == 0) | (not control_only), 2.0, SURVIVAL.outcome)
        return survival(SURVIVAL, ends, strategy=strategy, sets=5, seed=2)

    same(run("MAR", True), run("JR", True))
    assert run("MAR", False).estimates[0].value != run("JR", False).estimates[0].value


@pytest.mark.parametrize("way", ["binary", "count", "survival"])
def test_jump_to_reference_shrinks_and_delta_moves_the_effect(way):
    def run(**more):
        if way == "binary":
            return binary(BINARY, GONE, sets=20, seed=3, **more)
        if way == "count":
            return count(COUNT, np.ones(N), sets=20, seed=3, **more)
        return survival(SURVIVAL, PLANNED, sets=20, seed=3, **more)

    random, jump, zero = run().estimates[0], run(strategy="JR").estimates[0], run(delta={"1": 0.0}).estimates[0]
    assert abs(jump.value) < abs(random.value)
    assert zero.value == random.value
    assert run(delta={"1": 1.0}).estimates[0].value > random.value > run(delta={"1": -1.0}).estimates[0].value
    analysis = run(strategy="JR")
    assert any("reference arm 0" in note and "seed 3" in note for note in analysis.notes)
    assert "Rubin" in analysis.method


def test_counts_follow_the_law_that_a_frailty_makes():
    """Of patients simulated with a frailty, those with the same first count have second counts as they are drawn."""
    rng, theta = np.random.default_rng(5), 1.5
    u = rng.gamma(theta, 1 / theta, 400_000)
    y1, y2 = rng.poisson(u * 2.0), rng.poisson(u * 3.0)
    for seen in (0, 2, 5):
        real = y2[y1 == seen]
        drawn = later(np.full(100_000, float(seen)), np.full(100_000, 2.0), np.full(100_000, 3.0), theta, rng)
        mean = 3.0 * (theta + seen) / (theta + 2.0)
        assert drawn.mean() == pytest.approx(mean, abs=5 * drawn.std() / 100_000**0.5)
        assert real.mean() == pytest.approx(mean, abs=5 * real.std() / len(real) ** 0.5)
        assert drawn.var() == pytest.approx(mean * (1 + 3.0 / (theta + 2.0)), rel=0.05)
    assert later(np.array([4.0]), np.array([1.0]), np.array([0.0]), theta, rng)[0] == 0.0
    assert later(np.full(100_000, 9.0), np.ones(100_000), np.full(100_000, 2.0), np.inf, rng).mean() == pytest.approx(
        2, abs=0.03
    )


def test_event_times_invert_the_hazard():
    cuts, base = np.array([1.0, 2.5]), np.array([0.5, 2.0, 0.1])

    def cumulative(t):
        return 0.5 * min(t, 1.0) + 2.0 * max(min(t, 2.5) - 1.0, 0.0) + 0.1 * max(t - 2.5, 0.0)

    start, rate, target = (
        np.array([0.0, 0.3, 1.7, 2.5, 9.0]),
        np.array([1.0, 2.0, 0.5, 3.0, 1.0]),
        np.array([0.2, 3, 2, 0.1, 1]),
    )
    for s, r, e, t in zip(start, rate, target, event_times(start, rate, cuts, base, target), strict=True):
        assert t > s
        assert r * (cumulative(t) - cumulative(s)) == pytest.approx(e, rel=1e-12)
    flat = event_times(
        np.full(5000, 3.0), np.ones(5000), cuts, np.ones(3), np.random.default_rng(1).exponential(size=5000)
    )
    assert stats.kstest(flat - 3.0, "expon").pvalue > 0.001


def test_bad_input():
    with pytest.raises(AnalysisError, match="'CR'"):
        binary(BINARY, GONE, strategy="CR", seed=1)
    with pytest.raises(AnalysisError, match="reference arm 'z'"):
        count(COUNT, np.ones(N), strategy="JR", reference="z", seed=1)
    with pytest.raises(AnalysisError, match="shorter than observed"):
        count(COUNT, EXPOSURE - 0.1, seed=1)
    with pytest.raises(AnalysisError, match="time at risk"):
        count(replace(COUNT, exposure=None), np.ones(N), seed=1)
    with pytest.raises(AnalysisError, match="no events"):
        survival(BINARY, PLANNED, seed=1)
    with pytest.raises(AnalysisError, match="earlier than observed"):
        survival(SURVIVAL, PLANNED * 0.5, seed=1)
    with pytest.raises(AnalysisError, match="delta"):
        survival(SURVIVAL, PLANNED, delta={"z": 1.0}, seed=1)
    with pytest.raises(AnalysisError, match="1 sets"):
        binary(BINARY, GONE, sets=1, seed=1)
    with pytest.raises(AnalysisError, match="one for each patient"):
        binary(BINARY, GONE[:5], seed=1)
    perfect = TrialData.of(ARM.astype(float), ARM)
    with pytest.raises(AnalysisError, match="bootstrap samples to which"):
        binary(perfect, GONE, seed=1)


@pytest.mark.parametrize(
    ("way", "amount", "name"),
    [
        ("binary", 1.0, "risk difference 1 - 0"),
        ("count", 1.0, "rate ratio 1 / 0"),
        ("survival", 1.0, "hazard ratio 1 / 0"),
    ],
)
def test_tipping_point(way, amount, name):
    """The drawn outcomes are whole, so that p jumps: at the tip it changes sides within the bisection's width."""

    def run(delta):
        if way == "binary":
            return binary(BINARY, np.arange(N) % 4 > 1, sets=5, seed=3, delta=delta.by_arm)
        if way == "count":
            return count(COUNT, np.where(GONE, 2.0, 1.0), sets=2, seed=3, delta=delta.by_arm)
        return survival(SURVIVAL, PLANNED, sets=5, seed=3, delta=delta.by_arm)

    found = tipping_point(run, Delta(by_arm={"1": amount}), estimate=name, low=0.0, high=3.0, points=3)
    before, after = (
        run(Delta(by_arm={"1": amount * (found.tips[0] + step)}))[name].p_value - 0.05 for step in (-1e-5, 1e-5)
    )
    assert before * after <= 0.0
    assert (before > 0.0) == (found.p_values[0] > 0.05)
    assert "tips at" in found.notes[0]
