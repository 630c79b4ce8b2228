"""Truths that need no reference: complete data, the mixed model's own estimate, no dropout, units, order, delta."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.missing import (
    STRATEGIES,
    Assumption,
    Delta,
    RepeatedTrial,
    Specification,
    bootstrap,
    complete,
    conditional_mean,
    conditionally,
    jackknife,
    multiple_imputation,
    multiply,
    tipping_point,
)
from medtwin.trials.mmrm import fit_table
from trials.missing.data import simulated

EFFECT = "1 - 0 at week 16"


@pytest.fixture(scope="module")
def trial():
    return simulated(60, seed=3)


@pytest.fixture(scope="module")
def samples(trial):
    return jackknife(trial, Assumption.of(trial))


@pytest.fixture(scope="module")
def completed(trial):
    return complete(trial, sets=20, seed=7)


def values(analysis):
    return np.array([e.value for e in analysis.estimates])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_complete_data_change_nothing(strategy):
    trial = simulated(24, visits=3, dropout=0.0, gaps=0.0)
    single = conditional_mean(trial, strategy=strategy)
    several = multiple_imputation(complete(trial, strategy=strategy, sets=3, seed=1))
    for j, visit in enumerate(trial.visits):
        plain = ancova(
            TrialData.of(trial.outcome[:, j], trial.arm, covariates=trial.covariates, covariate_names=["base"])
        )
        for e in plain.estimates:
            assert single[f"{e.name} at {visit}"].value == pytest.approx(e.value, rel=1e-10)
            pooled = several[f"{e.name} at {visit}"]
            assert (pooled.value, pooled.standard_error, pooled.df) == (e.value, e.standard_error, e.df)
    assert "nothing was imputed" in single.notes[0]


def test_missing_at_random_is_the_mixed_models_own_estimate(trial, samples):
    """With a slope at each visit the conditional means solve the model's normal equations: ANCOVA gives them back."""
    n, m = trial.outcome.shape
    table = pl.DataFrame(
        {
            "y": trial.outcome.ravel(),
            "s": np.repeat(np.arange(n), m),
            "v": list(trial.visits) * n,
            "a": np.repeat(trial.arm, m),
            "base": np.repeat(trial.covariates[:, 0], m),
        }
    )
    model = fit_table(
        table, outcome="y", subject="s", visit="v", arm="a", covariates=["base"], by_visit=["base"], visits=trial.visits
    )
    analysis = conditional_mean(trial, samples=samples)
    for (_, visit), e in model.differences().items():
        assert analysis[f"1 - 0 at {visit}"].value == pytest.approx(e.value, rel=1e-9)


def test_no_dropout_in_the_treated_arm_makes_jump_to_reference_missing_at_random():
    trial = simulated(40, seed=4, treated_drop=False)
    assert trial.observed[trial.arm == 1].all()
    assert not trial.observed[trial.arm == 0].all()
    held = jackknife(trial, Assumption.of(trial))
    one, other = (conditional_mean(trial, strategy=s, samples=held) for s in ("MAR", "JR"))
    np.testing.assert_allclose(values(one), values(other), rtol=1e-12)
    np.testing.assert_allclose(
        [e.standard_error for e in one.estimates], [e.standard_error for e in other.estimates], rtol=1e-10
    )


def test_units_and_offsets(trial, samples):
    other = replace(trial, outcome=1000.0 - 3.0 * trial.outcome)
    again = conditional_mean(other, strategy="CIR", samples=jackknife(other, Assumption.of(other)))
    first = conditional_mean(trial, strategy="CIR", samples=samples)
    for e, f in zip(first.estimates, again.estimates, strict=True):
        assert f.value == pytest.approx(-3.0 * e.value + (1000.0 if e.name.startswith("mean") else 0.0), rel=1e-7)
        assert f.standard_error == pytest.approx(3.0 * e.standard_error, rel=1e-6)


def test_the_order_of_patients_does_not_matter(trial, samples):
    turn = np.random.default_rng(0).permutation(len(trial.arm))
    other = replace(
        trial, outcome=trial.outcome[turn], arm=trial.arm[turn], covariates=trial.covariates[turn], before=trial.before[turn],
        reason=tuple(trial.reason[i] for i in turn),
    )  # fmt: skip
    a = conditional_mean(trial, strategy="JR", samples=samples)
    b = conditional_mean(other, strategy="JR")
    np.testing.assert_allclose(values(a), values(b), rtol=1e-8)
    np.testing.assert_allclose(
        [e.standard_error for e in a.estimates], [e.standard_error for e in b.estimates], rtol=1e-6
    )


def test_another_reference_arm_and_three_arms():
    trial = simulated(60, visits=3, seed=6, arms=3)
    held = jackknife(trial, Assumption.of(trial))
    a = conditional_mean(trial, strategy="CR", samples=held)
    b = conditional_mean(trial, strategy="CR", reference="2", samples=held)
    assert [e.name for e in a.estimates[:5]] == [
        f"{x} at week 4" for x in ("1 - 0", "2 - 0", "mean 0", "mean 1", "mean 2")
    ]
    assert a["mean 1 at week 12"].value != b["mean 1 at week 12"].value
    assert a["mean 2 at week 12"].value < b["mean 2 at week 12"].value  # its own arm does better than control


def test_a_covariance_for_each_arm_and_common_slopes():
    trial = simulated(80, visits=3, seed=8)
    chosen = Specification(by_arm=True, by_visit=False)
    single = conditional_mean(trial, strategy="JR", specification=chosen)["1 - 0 at week 12"]
    several = multiple_imputation(complete(trial, strategy="JR", sets=30, seed=2, specification=chosen))[
        "1 - 0 at week 12"
    ]
    assert abs(single.value - several.value) < 0.25 * single.standard_error


def test_delta_of_zero_is_missing_at_random(trial, samples, completed):
    none = Delta(by_arm={"1": 0.0})
    np.testing.assert_array_equal(
        values(conditional_mean(trial, samples=samples)), values(conditional_mean(trial, samples=samples, delta=none))
    )
    np.testing.assert_array_equal(
        values(multiple_imputation(completed)), values(multiple_imputation(completed, delta=none))
    )


def test_delta_moves_an_arms_mean_by_its_missing_share(trial, samples):
    """Without covariates in the analysis; once a visit since the event where it accumulates; gaps are left alone."""
    plain = conditional_mean(trial, samples=samples, adjusted=False)
    for per_visit in (False, True):
        delta = Delta(by_arm={"1": 2.0}, per_visit=per_visit)
        moved = conditional_mean(trial, samples=samples, adjusted=False, delta=delta)
        for j, visit in enumerate(trial.visits):
            mine = trial.arm == 1
            since = np.maximum(j + 1 - trial.before[mine], 0) * ~trial.observed[mine, j]
            expected = 2.0 * (since if per_visit else since > 0).mean()
            assert moved[f"1 - 0 at {visit}"].value - plain[f"1 - 0 at {visit}"].value == pytest.approx(
                expected, abs=1e-9
            )
            assert moved[f"mean 0 at {visit}"].value == pytest.approx(plain[f"mean 0 at {visit}"].value, rel=1e-12)
    gaps = conditional_mean(trial, samples=samples, adjusted=False, delta=Delta(by_arm={"1": 2.0}, gaps=True))
    share = (~trial.observed[trial.arm == 1]).mean(0)
    for j, visit in enumerate(trial.visits):
        assert gaps[f"1 - 0 at {visit}"].value - plain[f"1 - 0 at {visit}"].value == pytest.approx(
            2 * share[j], abs=1e-9
        )


@pytest.mark.parametrize("way", ["conditional", "multiple"])
def test_the_tipping_point_is_where_p_crosses(trial, samples, completed, way):
    analyse = conditionally(trial, samples=samples) if way == "conditional" else multiply(completed)
    sign = -np.sign(analyse(Delta())[EFFECT].value)
    found = tipping_point(analyse, Delta(by_arm={"1": sign}), estimate=EFFECT, high=12.0, points=7)
    assert found.p_values[0] < 0.05  # else this trial is no example
    assert len(found.tips) == len(found.at_tips) >= 1
    first = found.tips[0]
    assert found.at_tips[0][EFFECT].p_value == pytest.approx(0.05, abs=1e-6)
    assert analyse(Delta(by_arm={"1": sign * (first - 1e-3)}))[EFFECT].p_value < 0.05
    assert analyse(Delta(by_arm={"1": sign * (first + 1e-3)}))[EFFECT].p_value > 0.05
    assert "it tips at delta" in found.notes[0]
    never = tipping_point(analyse, Delta(by_arm={"1": sign}), estimate=EFFECT, high=1e-6, points=2)
    assert never.tips == ()
    assert "no tipping point" in never.notes[0]


def test_bootstrap_and_jackknife_agree(trial, samples):
    drawn = bootstrap(trial, Assumption.of(trial), samples=120, seed=3)
    a, b = conditional_mean(trial, samples=samples)[EFFECT], conditional_mean(trial, samples=drawn)[EFFECT]
    assert a.value == b.value
    assert b.standard_error == pytest.approx(a.standard_error, rel=0.2)  # Monte Carlo: 6.5 %


def test_multiple_imputation_agrees_with_conditional_means(trial, samples):
    one = conditional_mean(trial, samples=samples)[EFFECT]
    for parameters in ("posterior", "bootstrap"):
        several = multiple_imputation(complete(trial, sets=40, seed=5, parameters=parameters))[EFFECT]
        assert abs(several.value - one.value) < 0.3 * one.standard_error
        assert several.standard_error == pytest.approx(one.standard_error, rel=0.25)
        assert several.df < len(trial.arm)


def test_the_same_seed_gives_the_same_sets(trial, completed):
    np.testing.assert_array_equal(complete(trial, sets=20, seed=7).outcomes, completed.outcomes)
    assert (complete(trial, sets=20, seed=8).outcomes != completed.outcomes).any()


def test_a_patient_with_nothing_observed_has_the_means_of_his_strategy():
    base = simulated(40, seed=9)
    y = base.outcome.copy()
    y[1] = np.nan
    trial = RepeatedTrial.of(y, base.arm, visits=base.visits, covariates=base.covariates, covariate_names=["base"])
    assert trial.before[1] == 0
    assert any("1 patients with no outcome observed (1 1)" in note for note in trial.notes)
    held = jackknife(trial, Assumption.of(trial))
    assert held.models[1] is held.full
    from medtwin.trials.missing.impute import conditional_means

    for strategy, arm in (("MAR", 1), ("JR", 0), ("LMCF", 0)):
        got = conditional_means(trial, held.full, Assumption.of(trial, strategy))[1]
        np.testing.assert_allclose(got, held.full.mean(np.array([arm]), trial.covariates[1:2])[0], rtol=1e-12)
    notes = conditional_mean(trial, strategy="JR", samples=held).notes
    assert any("1 patients with the event before the first visit" in note for note in notes)


def test_notes_count_what_was_imputed():
    y = np.arange(24.0).reshape(8, 3) % 7
    y[0, 2] = y[1, 1] = y[3, 1] = y[3, 2] = np.nan
    trial = RepeatedTrial.of(
        y, ["a", "b"] * 4, visits=["1", "2", "3"], control="a", reason=["", "", "", "ill"] + [""] * 4
    )
    assert trial.imputed() == (
        "4 of 24 outcomes were imputed, of 3 patients, 1 a, 3 b",
        "imputed by visit and arm: 2: 0 a, 2 b; 3: 1 a, 1 b",
        "imputed by reason: 1 gap or missing without an event, 1 dropout, 2 ill",
    )


def test_one_visit_without_covariates_is_the_difference_of_means():
    y = np.random.default_rng(0).normal(size=(30, 1))
    y[3] = np.nan
    trial = RepeatedTrial.of(y, np.arange(30) % 2, visits=["end"])
    got = conditional_mean(trial)["1 - 0 at end"]
    assert got.value == pytest.approx(np.nanmean(y[1::2]) - y[::2].mean(), rel=1e-10)
    jump = conditional_mean(trial, strategy="JR")["1 - 0 at end"]
    assert jump.value == pytest.approx(14 / 15 * got.value, rel=1e-10)  # one of 15 has the control arm's mean
