"""Adjusted survival and restricted mean: against Kaplan-Meier, weighted curves, ANCOVA where nobody is censored, simulation."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.kaplan import kaplan_meier, survival_effects
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects, gains, influence

NAMES = ("survival at 0.6 1 - 0", "RMST to 1 1 - 0", "RMST ratio to 1 1 / 0")


def drawn(random, patients=(60, 80), covariates=2, censored=True, strata=False, digits=2):
    arm = np.repeat(np.arange(len(patients)), patients)
    x = random.standard_normal((len(arm), covariates))
    time = random.exponential(np.exp(-(x + 0.3 * (x**2 - 1.0))[:, :1].sum(axis=1)))
    ends = np.minimum(0.2 + random.exponential(3.0, len(arm)), 3.0) if censored else np.full(len(arm), np.inf)
    seen = np.round(np.minimum(time, ends), digits) + 0.01
    return TrialData.of(
        seen, arm, event=(time <= ends).astype(float), covariates=x,
        strata=(np.arange(len(arm)) % 2) if strata else None,
    )  # fmt: skip


@pytest.mark.parametrize("variance", ["HC0", "HC2", "HC3"])
def test_without_covariates_it_is_kaplan_meier(variance):
    trial = drawn(np.random.default_rng(1), (50, 60, 40), covariates=0)
    asked = {"times": (0.3, 0.6), "tau": 1.0, "unit": "year"}
    plain = survival_effects(trial, variance="greenwood", df="normal", **asked)
    adjusted = adjusted_survival_effects(trial, variance=variance, **asked)
    assert [e.name for e in adjusted.estimates] == [e.name for e in plain.estimates]
    for ours, theirs in zip(adjusted.estimates, plain.estimates, strict=True):
        assert ours.value == theirs.value
        assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-12)
        assert (ours.df, ours.unit, ours.scale) == (theirs.df, theirs.unit, theirs.scale)


def weighted(time, event, weight, at, tau):
    """Survival at ``at`` and RMST of a Kaplan-Meier curve of weighted patients, by its definition."""
    value, area, before = 1.0, 0.0, 0.0
    found = 1.0
    for t in np.unique(time[event]):
        if t > tau:
            break
        area += value * (t - before)
        value *= 1.0 - weight[event & (time == t)].sum() / weight[time >= t].sum()
        before = t
        if t <= at:
            found = value
    return found, area + value * (tau - before)


def test_influence_is_the_slope_of_a_weighted_curve():
    trial = drawn(np.random.default_rng(2), (30, 30), digits=1)
    time, event = trial.outcome[:30], trial.event[:30]
    curve = kaplan_meier(time, event)
    held = gains(curve, (0.6,), 1.0)
    assert [value for value, _ in held] == pytest.approx(weighted(time, event, np.ones(30), 0.6, 1.0))
    found = np.stack([influence(curve, time, event, gain) for _, gain in held])
    step = 1e-5
    for patient in range(30):
        up, down = np.ones(30), np.ones(30)
        up[patient] += step
        down[patient] -= step
        slope = np.subtract(weighted(time, event, up, 0.6, 1.0), weighted(time, event, down, 0.6, 1.0)) / (2 * step)
        assert found[:, patient] == pytest.approx(slope, abs=1e-9)
    assert found.sum(axis=1) == pytest.approx(0.0, abs=1e-14)
    errors = (curve.at(0.6)[1], curve.restricted_mean(1.0)[1])
    assert np.sqrt((found**2).sum(axis=1)) == pytest.approx(errors, rel=1e-12)


@pytest.mark.parametrize("variance", ["HC0", "HC2", "HC3"])
@pytest.mark.parametrize("strata", [False, True])
def test_without_censoring_it_is_ancova_with_interactions(strata, variance):
    trial = drawn(np.random.default_rng(3), (40, 70), censored=False, strata=strata)
    ours = adjusted_survival_effects(trial, times=(0.6,), tau=1.0, variance=variance, df="normal")
    lived = {NAMES[0]: (trial.outcome > 0.6).astype(float), NAMES[1]: np.minimum(trial.outcome, 1.0)}
    for name, outcome in lived.items():
        linear = TrialData.of(outcome, trial.arm, covariates=trial.covariates, strata=trial.strata)
        theirs = ancova(linear, interactions=True, variance=variance, df="normal")["1 - 0"]
        assert ours[name].value == pytest.approx(theirs.value, rel=1e-12)
        assert ours[name].standard_error == pytest.approx(theirs.standard_error, rel=1e-12)


def test_pseudo_values_regressed_by_hand():
    """HC3; the arm's mean is read off at the mean of both arms' covariates."""
    trial = drawn(np.random.default_rng(4))
    ours = adjusted_survival_effects(trial, tau=1.0, variance="HC3", fixed_covariates=True)
    means, variances = [], []
    for arm in (0, 1):
        mine = trial.arm == arm
        curve = kaplan_meier(trial.outcome[mine], trial.event[mine])
        ((value, gain),) = gains(curve, (), 1.0)
        pseudo = value + mine.sum() * influence(curve, trial.outcome[mine], trial.event[mine], gain)
        design = np.column_stack([np.ones(mine.sum()), trial.covariates[mine]])
        at = np.append(1.0, trial.covariates.mean(axis=0))
        lift = at @ np.linalg.inv(design.T @ design) @ design.T
        hat = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
        beta = np.linalg.lstsq(design, pseudo, rcond=None)[0]
        means.append(at @ beta)
        variances.append((lift**2 * (pseudo - design @ beta) ** 2 / (1.0 - hat) ** 2).sum())
    assert ours["RMST to 1 1 - 0"].value == pytest.approx(means[1] - means[0], rel=1e-12)
    assert ours["RMST to 1 1 - 0"].standard_error == pytest.approx(np.sqrt(sum(variances)), rel=1e-12)
    sizes = np.array([60, 80]) - 3
    welch = sum(variances) ** 2 / sum(v**2 / d for v, d in zip(variances, sizes, strict=True))
    assert ours["RMST to 1 1 - 0"].df == pytest.approx(welch, rel=1e-12)
    assert ours["RMST to 1, 0"].df == pytest.approx(57.0)
    assert ours["RMST ratio to 1 1 / 0"].value == pytest.approx(np.log(means[1] / means[0]))
    relative = np.sqrt(variances[0] / means[0] ** 2 + variances[1] / means[1] ** 2)
    assert ours["RMST ratio to 1 1 / 0"].standard_error == pytest.approx(relative, rel=1e-12)


def test_within_strata_by_hand():
    trial = drawn(np.random.default_rng(5), covariates=0, strata=True)
    ours = adjusted_survival_effects(trial, tau=1.0, strata="within", fixed_covariates=True)
    value = variance = 0.0
    for stratum in (0, 1):
        rows = trial.strata == stratum
        one = survival_effects(
            TrialData.of(trial.outcome[rows], trial.arm[rows], event=trial.event[rows]), tau=1.0, variance="greenwood"
        )
        value += rows.mean() * one["RMST to 1 1 - 0"].value
        variance += (rows.mean() * one["RMST to 1 1 - 0"].standard_error) ** 2
    assert ours["RMST to 1 1 - 0"].value == pytest.approx(value, rel=1e-12)
    assert ours["RMST to 1 1 - 0"].standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert "within 2 strata" in ours.method


def test_nothing_hangs_on_order_and_units():
    trial = drawn(np.random.default_rng(6), strata=True)
    order = np.random.default_rng(7).permutation(len(trial.arm))
    turned = TrialData.of(
        trial.outcome[order], trial.arm[order], event=trial.event[order], strata=trial.strata[order],
        covariates=trial.covariates[order] @ np.array([[1e4, 2.0], [0.0, 1e-4]]) + 50.0,
    )  # fmt: skip
    for strata in ("covariates", "within", "ignore"):
        first, second = (adjusted_survival_effects(t, times=(0.6,), tau=1.0, strata=strata) for t in (trial, turned))
        for a, b in zip(first.estimates, second.estimates, strict=True):
            assert a.value == pytest.approx(b.value, rel=1e-9)
            assert a.standard_error == pytest.approx(b.standard_error, rel=1e-9)


@pytest.mark.parametrize("strata", ["ignore", "covariates", "within"])
def test_unbiased_honest_and_more_precise_under_a_wrong_model(strata):
    """2 x 60 patients in permuted blocks; the hazard is not linear in the covariate; half of the effect is on one stratum."""
    random, found = np.random.default_rng(8), []
    plain = []
    for _ in range(400):
        stratum = random.integers(0, 2, 120)
        arm = np.zeros(120, dtype=int)
        for kind in (0, 1):
            rows = np.flatnonzero(stratum == kind)
            arm[random.permutation(rows)[: len(rows) // 2]] = 1
        x = random.standard_normal(120)
        hazard = np.exp(x + 0.3 * (x**2 - 1.0) + 0.7 * stratum - 0.5 * arm * stratum)
        time = random.exponential(1.0 / hazard)
        ends = np.minimum(0.4 + random.exponential(4.0, 120), 3.0)
        trial = TrialData.of(
            np.minimum(time, ends), arm, event=(time <= ends).astype(float), strata=stratum, covariates=x[:, None]
        )
        one = adjusted_survival_effects(trial, times=(0.6,), tau=1.0, strata=strata)
        found.append([[one[name].value, one[name].standard_error] for name in NAMES])
        bare = survival_effects(trial, times=(0.6,), tau=1.0)
        plain.append([bare[name].value for name in NAMES])
    found, plain = np.array(found), np.array(plain)
    spread = found[:, :, 0].std(axis=0, ddof=1)
    truth = truths()
    assert (np.abs(found[:, :, 0].mean(axis=0) - truth) < 3.5 * spread / 20.0 + 0.002).all()
    assert np.sqrt((found[:, :, 1] ** 2).mean(axis=0)) == pytest.approx(spread, rel=0.12)
    assert (spread < 0.93 * plain.std(axis=0, ddof=1)).all()


def truths():
    """Survival at 0.6 and RMST to 1 by quadrature over x and the strata."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    means = np.zeros((2, 2))
    for arm in (0, 1):
        for stratum in (0, 1):
            hazard = np.exp(nodes + 0.3 * (nodes**2 - 1.0) + 0.7 * stratum - 0.5 * arm * stratum)
            means[arm] += 0.5 * np.array([weights @ np.exp(-0.6 * hazard), weights @ (-np.expm1(-hazard) / hazard)])
    difference = means[1] - means[0]
    return np.array([*difference, np.log(means[1, 1] / means[0, 1])])


def test_what_is_refused():
    trial = drawn(np.random.default_rng(9), (12, 12))
    with pytest.raises(AnalysisError, match="after the last follow-up"):
        adjusted_survival_effects(trial, times=(30.0,))
    with pytest.raises(AnalysisError, match="neither times nor tau"):
        adjusted_survival_effects(trial)
    with pytest.raises(AnalysisError, match="HC0"):
        adjusted_survival_effects(trial, tau=1.0, variance="HC4")
    many = np.random.default_rng(1).standard_normal((24, 11))
    with pytest.raises(AnalysisError, match="for 11 slopes"):
        adjusted_survival_effects(with_covariates(trial, many), tau=1.0)
    apart = np.where(trial.arm == 0, trial.covariates[:, 0], 2.0)
    with pytest.raises(AnalysisError, match="constant or collinear within arm 1"):
        adjusted_survival_effects(with_covariates(trial, apart[:, None]), tau=1.0)
    lone = (np.arange(24) == 20) | (np.arange(24) == 2)
    with pytest.raises(AnalysisError, match="fit exactly"):
        adjusted_survival_effects(with_covariates(trial, lone[:, None].astype(float)), tau=1.0)
    strata = TrialData.of(trial.outcome, trial.arm, event=trial.event, strata=(np.arange(24) < 6).astype(int))
    with pytest.raises(AnalysisError, match="without a patient of arm"):
        adjusted_survival_effects(strata, tau=1.0, strata="within")
    constant = TrialData.of(trial.outcome, trial.arm, event=trial.event, covariates=np.ones((24, 1)))
    found = adjusted_survival_effects(constant, tau=1.0)
    assert "same for every patient" in found.notes[0]
    assert found.method == "Kaplan-Meier, Greenwood, normal"
    quiet = TrialData.of(np.ones(8), [0] * 4 + [1] * 4, event=[1, 0, 0, 0, 0, 0, 0, 0])
    assert "says nothing of what may yet come" in adjusted_survival_effects(quiet, times=(1.0,)).notes[0]


def with_covariates(trial, table):
    return TrialData.of(trial.outcome, trial.arm, event=trial.event, covariates=table)
