"""g-computation against differentiated estimators, hand-made tables and least squares."""

import math

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData, glm
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.marginal import VARIANCES, _designs, marginal_effects

ALL = ("difference", "ratio", "odds ratio")


def trial(family, seed=1, size=120, arms=2, **more):
    rng = np.random.default_rng(seed)
    arm, x = np.arange(size) % arms, rng.normal(size=(size, 2))
    eta = 0.3 + 0.4 * arm + x @ [0.5, -0.3] + 0.3 * arm * x[:, 0]
    y = {
        "gaussian": lambda: eta + rng.normal(size=size),
        "logistic": lambda: (rng.random(size) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "negative-binomial": lambda: rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, size)).astype(float),
    }[family]()
    return TrialData.of(y, arm, covariates=x, **more)


def test_two_by_two_table_by_hand():
    arm = np.repeat([0, 1], [40, 60])
    y = np.concatenate([np.repeat([1.0, 0.0], [10, 30]), np.repeat([1.0, 0.0], [30, 30])])
    found = marginal_effects(TrialData.of(y, arm), family="logistic", measures=ALL, variance="robust", df="normal")
    v0, v1 = 0.25 * 0.75 / 39, 0.25 / 59
    assert found["risk difference 1 - 0"].value == pytest.approx(0.25)
    assert found["risk difference 1 - 0"].standard_error == pytest.approx(math.sqrt(v0 + v1))
    assert found["risk ratio 1 / 0"].reported[0] == pytest.approx(2.0)
    assert found["risk ratio 1 / 0"].standard_error == pytest.approx(math.sqrt(v0 / 0.25**2 + v1 / 0.5**2))
    assert found["risk odds ratio 1 / 0"].reported[0] == pytest.approx(3.0)
    assert found["risk odds ratio 1 / 0"].standard_error == pytest.approx(math.sqrt(v0 / 0.1875**2 + v1 / 0.25**2))
    same = marginal_effects(TrialData.of(y, arm), family="logistic", variance="HC2")  # s^2/n of each arm
    assert same["risk difference 1 - 0"].standard_error == pytest.approx(math.sqrt(v0 + v1))


@pytest.mark.parametrize("variance", ["HC0", "HC2", "HC3"])
@pytest.mark.parametrize("interactions", [False, True])
def test_gaussian_is_analysis_of_covariance(variance, interactions):
    data = trial("gaussian")
    ours = marginal_effects(
        data, family="gaussian", variance=variance, interactions=interactions, fixed_covariates=True
    )
    theirs = ancova(data, variance=variance, interactions=interactions, fixed_covariates=True)
    assert ours["mean difference 1 - 0"].value == pytest.approx(theirs["1 - 0"].value, rel=1e-12)
    assert ours["mean difference 1 - 0"].standard_error == pytest.approx(theirs["1 - 0"].standard_error, rel=1e-12)
    assert ours.covariance == pytest.approx(theirs.covariance, rel=1e-10)


@pytest.mark.parametrize("family", ["logistic", "poisson", "negative-binomial"])
def test_influence_is_the_derivative_by_a_patients_weight(family):
    """HC0 is built from phi_i = d psi / d w_i of the whole estimator, fitting included, at equal weights."""
    data = trial(family, size=60)
    found = marginal_effects(data, family=family, variance="HC0")
    designs = _designs(data, np.arange(0))
    own = designs[data.arm, np.arange(60)]
    theta = glm.fit(own, data.outcome, family).theta
    shape = [_weighted_means(np.ones(60), data, designs, own, family, theta)]
    assert shape[0] == pytest.approx(found.means, rel=1e-9)
    phi = np.empty((2, 60))
    for i in range(60):
        up, down = np.ones(60), np.ones(60)
        up[i], down[i] = 1.0 + 1e-4, 1.0 - 1e-4
        higher, lower = (_weighted_means(w, data, designs, own, family, theta) for w in (up, down))
        phi[:, i] = (higher - lower) / 2e-4
    # the sum over patients, the one covariance that HC0 scales by n/(n-1) being that of the predictions
    slope = glm.inverse_link(family, designs @ glm.fit(own, data.outcome, family).coefficients)[0]
    away = slope - slope.mean(axis=1, keepdims=True)
    extra = away @ away.T / 60**2 / 59
    assert found.covariance == pytest.approx(phi @ phi.T + extra, rel=1e-5)


def _weighted_means(weight, data, designs, own, family, theta):
    """psi with patients weighted; theta held (it is orthogonal to the coefficients)."""
    beta = np.zeros(own.shape[1])
    for _ in range(200):
        mean, slope = glm.inverse_link(family, own @ beta)
        variance = {"logistic": mean * (1 - mean), "poisson": mean}.get(family, mean + mean**2 / theta)
        score = own.T @ (weight * slope / variance * (data.outcome - mean))
        step = np.linalg.solve((own * (weight * slope**2 / variance)[:, None]).T @ own, score)
        beta = beta + step * min(1.0, 1.0 / np.abs(step).max())
        if np.abs(step).max() < 1e-14:
            break
    predicted = glm.inverse_link(family, designs @ beta)[0]
    residual = weight * (data.outcome - predicted[data.arm, np.arange(len(data.arm))])
    bias = [residual[data.arm == a].sum() / weight[data.arm == a].sum() for a in range(len(designs))]
    return (predicted * weight).sum(axis=1) / weight.sum() + bias


@pytest.mark.parametrize("family", glm.FAMILIES)
def test_every_variance_tells_the_same_story_in_a_large_trial(family):
    data = trial(family, size=6000)
    errors = [
        marginal_effects(data, family=family, variance=v, interactions=True).estimates[0].standard_error
        for v in VARIANCES if v != "model"
    ]  # fmt: skip
    assert np.ptp(errors) < 0.02 * min(errors)


def test_maximum_of_the_likelihood():
    for family in glm.FAMILIES:
        data = trial(family)
        design = np.column_stack([np.ones(120), data.arm, data.covariates])
        fitted = glm.fit(design, data.outcome, family)
        gradient = design.T @ (fitted.factor * (data.outcome - fitted.mean))
        assert np.abs(gradient).max() < 1e-8
        assert fitted.leverage.sum() == pytest.approx(4.0)


def test_theta_of_the_negative_binomial_is_at_its_maximum():
    data = trial("negative-binomial", size=400)
    design = np.column_stack([np.ones(400), data.arm, data.covariates])
    fitted = glm.fit(design, data.outcome, "negative-binomial")
    for theta in (fitted.theta * 0.99, fitted.theta * 1.01):
        assert glm._log_likelihood(data.outcome, fitted.mean, "negative-binomial", theta) < fitted.log_likelihood
    assert 1.0 < fitted.theta < 4.0


def test_permuted_blocks_take_off_what_the_strata_explain():
    rng = np.random.default_rng(0)
    strata = np.repeat(np.arange(4), 50)
    arm = np.tile([0, 1], 100)
    data = TrialData.of(3.0 * strata + arm + rng.normal(size=200), arm, strata=strata)
    asked = {"family": "gaussian", "variance": "robust", "strata": False}
    simple = marginal_effects(data, **asked)["mean difference 1 - 0"]
    blocks = marginal_effects(data, **asked, randomisation="permuted-block")["mean difference 1 - 0"]
    adjusted = marginal_effects(data, family="gaussian", interactions=True)["mean difference 1 - 0"]
    assert simple.value == pytest.approx(blocks.value)
    assert blocks.standard_error < 0.5 * simple.standard_error
    assert blocks.standard_error == pytest.approx(adjusted.standard_error, rel=0.05)
    both = marginal_effects(data, **{**asked, "strata": True}, interactions=True, randomisation="permuted-block")
    plain = marginal_effects(data, **{**asked, "strata": True}, interactions=True)
    assert both.covariance == pytest.approx(plain.covariance)  # residuals of saturated strata have mean zero


def test_minimisation_predicts_within_strata():
    rng = np.random.default_rng(0)
    strata, arm = np.repeat([0, 1], 50), np.tile([0, 1], 50)
    y = rng.normal(size=100) + strata
    found = marginal_effects(
        TrialData.of(y, arm, strata=strata),
        family="gaussian",
        strata=False,
        randomisation="minimisation",
        variance="robust",
    )
    by_hand = [np.mean([y[(arm == a) & (strata == z)].mean() for z in (0, 1)]) for a in (0, 1)]
    assert found.means == pytest.approx(by_hand)


def test_minimisation_has_no_leverage_corrected_variance():
    with pytest.raises(AnalysisError, match="HC2 under minimisation"):
        marginal_effects(
            TrialData.of(np.arange(8.0), [0, 1] * 4, strata=[0] * 8), family="gaussian", randomisation="minimisation"
        )


def test_small_arms_are_remarked():
    assert (
        "fewer than 100" in marginal_effects(trial("logistic", size=100), family="logistic", variance="robust").notes[0]
    )
    assert not marginal_effects(trial("logistic", size=100), family="logistic").notes


def test_few_events_are_remarked_of_ratios():
    few = trial("logistic", size=60)
    assert not marginal_effects(few, family="logistic").notes
    (note,) = marginal_effects(few, family="logistic", measures=("difference", "ratio")).notes
    assert "fewer than 25 events or non-events" in note
    assert not marginal_effects(trial("logistic", size=1000), family="logistic", measures=("odds ratio",)).notes


def test_rates_per_time_at_risk():
    rng = np.random.default_rng(2)
    time, arm = rng.uniform(0.5, 2.0, 300), np.arange(300) % 2
    y = rng.poisson(time * np.where(arm, 2.0, 3.0))
    found = marginal_effects(TrialData.of(y, arm, exposure=time), family="poisson", measures=("ratio",), variance="HC0")
    crude = [y[arm == a].sum() / time[arm == a].sum() for a in (0, 1)]
    assert found.means == pytest.approx(crude)
    each = [((y - crude[a] * time)[arm == a] ** 2).sum() / y[arm == a].sum() ** 2 for a in (0, 1)]
    assert found["rate ratio 1 / 0"].standard_error == pytest.approx(math.sqrt(sum(each)))
    with pytest.raises(AnalysisError, match="time at risk"):
        marginal_effects(TrialData.of(y, arm, exposure=time), family="poisson", variance="robust")


def test_three_arms():
    found = marginal_effects(trial("logistic", size=300, arms=3), family="logistic", measures=ALL)
    assert len(found.estimates) == 2 * 3 + 3
    assert found["risk difference 2 - 0"].value == pytest.approx(
        found["mean risk 2"].value - found["mean risk 0"].value
    )


def separated():
    arm, x = np.arange(40) % 2, np.linspace(-1, 1, 40)
    return TrialData.of((x > 0).astype(float), arm, covariates=x[:, None])


def test_separation_is_named():
    with pytest.raises(glm.SeparationError, match="without an error"):
        marginal_effects(separated(), family="logistic")
    found = marginal_effects(separated(), family="logistic", on_separation="unadjusted")
    assert "plain means" in found.notes[-1]
    assert found.estimates[0].value == pytest.approx(0.0)


def test_quasi_separation_by_an_empty_cell_is_named():
    rng = np.random.default_rng(4)
    arm, x = np.arange(200) % 2, np.repeat([0.0, 1.0], [180, 20])
    y = np.where(x == 1.0, 1.0, rng.integers(0, 2, 200))
    with pytest.raises(glm.SeparationError):
        marginal_effects(TrialData.of(y, arm, covariates=x[:, None]), family="logistic")


def test_an_arm_without_events():
    arm = np.arange(60) % 2
    y = np.where(arm == 0, np.arange(60) % 3 == 0, 0.0)
    with pytest.raises(glm.SeparationError):
        marginal_effects(TrialData.of(y, arm), family="logistic")
    found = marginal_effects(TrialData.of(y, arm), family="logistic", on_separation="unadjusted", variance="HC2")
    assert found["risk difference 1 - 0"].value == pytest.approx(-y[arm == 0].mean())
    assert found["risk difference 1 - 0"].standard_error == pytest.approx(y[arm == 0].std(ddof=1) / math.sqrt(30))
    with pytest.raises(AnalysisError, match="report the difference"):
        marginal_effects(TrialData.of(y, arm), family="logistic", on_separation="unadjusted", measures=("ratio",))
    with pytest.raises(glm.SeparationError, match="rate is zero"):
        marginal_effects(TrialData.of(y, arm), family="poisson")


def test_rare_events_are_not_mistaken_for_none():
    rng = np.random.default_rng(3)
    arm, x = np.arange(400) % 2, rng.normal(size=(400, 1)) * 12.0
    y = rng.poisson(np.exp(0.6 * x[:, 0] - 4.0)).astype(float)
    design = np.column_stack([np.ones(400), arm, x])
    fitted = glm.fit(design, y, "poisson")
    assert (design @ fitted.coefficients).min() < -15.0
    assert not glm.is_vanishing(design, y)


def test_counts_that_vary_less_than_poisson():
    y = np.tile([2.0, 3.0, 3.0, 4.0], 20)
    found = marginal_effects(TrialData.of(y, np.arange(80) // 40), family="negative-binomial")
    assert "poisson instead of negative-binomial" in found.notes[0]
    assert "poisson model" in found.method


@pytest.mark.parametrize(
    "y, asked, words",
    [
        ([0, 1, 2, 1], {"family": "logistic"}, "other than 0 and 1"),
        ([0.5, 1, 2, 1], {"family": "poisson"}, "not counts"),
        ([0, 0, 0, 0], {"family": "logistic"}, "no events at all"),
        ([0, 1, 0, 1], {"family": "probit"}, "probit"),
        ([0, 1, 0, 1], {"family": "gaussian", "variance": "HC4"}, "HC4"),
        ([0, 1, 0, 1], {"family": "gaussian", "randomisation": "permuted-block"}, "no strata"),
        ([0, 1, 0, 1], {"family": "gaussian", "on_separation": "hope"}, "hope"),
        ([1, 1, 2, 3], {"family": "gaussian", "measures": ("hazard",)}, "measure"),
    ],
)
def test_what_is_refused(y, asked, words):
    with pytest.raises(AnalysisError, match=words):
        marginal_effects(TrialData.of(y, [0, 0, 1, 1]), **asked)


def test_a_stratum_without_an_arm_is_refused_for_permuted_blocks():
    data = TrialData.of(np.arange(8.0), [0, 1, 0, 1, 0, 1, 0, 0], strata=[0, 0, 0, 0, 0, 0, 1, 1])
    with pytest.raises(AnalysisError, match="without a patient of some arm"):
        marginal_effects(data, family="gaussian", strata=False, randomisation="permuted-block")
