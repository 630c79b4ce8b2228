"""Analysis of covariance against dense algebra, a hand-made example and its own permutations."""

import math

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.linear import VARIANCES, ancova


def trial(seed=0, size=40, columns=2, arms=2, **more):
    rng = np.random.default_rng(seed)
    arm = np.arange(size) % arms
    x = rng.normal(size=(size, columns)) + 5.0
    y = 1.0 + arm + x @ np.linspace(0.5, 1.0, columns) + arm * (x[:, 0] - 5.0) + rng.normal(size=size) * (1.0 + arm)
    return TrialData.of(y, arm, covariates=x, **more)


def dense(data, interactions):
    dummies = (data.arm[:, None] == np.arange(1, len(data.arm_names))).astype(float)
    centred = data.covariates - data.covariates.mean(axis=0)
    blocks = [np.ones((len(data.arm), 1)), dummies, centred]
    if interactions:
        blocks += [dummies[:, [k]] * centred for k in range(dummies.shape[1])]
    return np.hstack(blocks)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("interactions", [False, True])
def test_variances_and_degrees_of_freedom_by_dense_algebra(variance, interactions):
    data = trial()
    design = dense(data, interactions)
    n, p = design.shape
    inverse = np.linalg.inv(design.T @ design)
    hat = design @ inverse @ design.T
    h, beta = np.diag(hat), inverse @ design.T @ data.outcome
    e = data.outcome - design @ beta
    omega = {
        "classical": np.full(n, e @ e / (n - p)), "HC0": e**2, "HC1": e**2 * n / (n - p), "HC2": e**2 / (1 - h),
        "HC3": e**2 / (1 - h) ** 2, "HC4": e**2 / (1 - h) ** np.minimum(4.0, n * h / p),
    }[variance]  # fmt: skip
    covariance = inverse @ design.T @ np.diag(omega) @ design @ inverse
    got = ancova(data, interactions=interactions, variance=variance, df="bell-mccaffrey", fixed_covariates=True)[
        "1 - 0"
    ]
    assert got.value == pytest.approx(beta[1], rel=1e-12)
    assert got.standard_error == pytest.approx(math.sqrt(covariance[1, 1]), rel=1e-12)
    if variance == "classical":
        assert got.df == n - p
        return
    a = (design @ inverse)[:, 1]
    middle = (np.eye(n) - hat) @ np.diag(a**2 * omega / e**2) @ (np.eye(n) - hat)  # quadratic form in the errors
    assert got.df == pytest.approx(np.trace(middle) ** 2 / np.trace(middle @ middle), rel=1e-10)


def test_two_means_by_hand_are_welch_and_satterthwaite():
    data = TrialData.of([1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0], [0, 0, 0, 0, 1, 1, 1, 1])
    control, treated = np.array([1.0, 2.0, 3.0, 5.0]), np.array([7.0, 9.0, 11.0, 13.0])
    got = ancova(data)["1 - 0"]
    assert got.value == pytest.approx(10.0 - 2.75)
    assert got.standard_error == pytest.approx(math.sqrt(control.var(ddof=1) / 4 + treated.var(ddof=1) / 4))
    assert got.df == pytest.approx(6.0)  # Bell-McCaffrey for equal arms: n-2
    uneven = ancova(TrialData.of([1.0, 2.0, 4.0, 5.0, 7.0], [0, 0, 1, 1, 1]))["1 - 0"]
    assert uneven.df == pytest.approx((1 / 2 + 1 / 3) ** 2 / (1 / 4 / 1 + 1 / 9 / 2))


def test_means_differ_by_the_effect_and_covary():
    found = ancova(trial(arms=3, size=60), interactions=True)
    assert [e.name for e in found.estimates] == ["1 - 0", "2 - 0", "mean 0", "mean 1", "mean 2"]
    for number in (1, 2):
        effect = found[f"{number} - 0"]
        assert found[f"mean {number}"].value - found["mean 0"].value == pytest.approx(effect.value)
        step = np.zeros(3)
        step[[0, number]] = -1.0, 1.0
        assert math.sqrt(step @ found.covariance @ step) == pytest.approx(effect.standard_error)
        assert math.sqrt(found.covariance[number, number]) == pytest.approx(found[f"mean {number}"].standard_error)


def test_the_covariates_of_a_trial_are_a_draw():
    data = trial(size=200)
    drawn, fixed = (ancova(data, interactions=True, fixed_covariates=it)["1 - 0"] for it in (False, True))
    design = dense(data, True)
    slope = np.linalg.lstsq(design, data.outcome, rcond=None)[0][4:]
    more = slope @ np.cov(data.covariates, rowvar=False) @ slope / 200
    assert drawn.standard_error**2 - fixed.standard_error**2 == pytest.approx(more)
    assert drawn.df != fixed.df
    same = [ancova(data, fixed_covariates=it)["1 - 0"].standard_error for it in (False, True)]
    assert same[0] == pytest.approx(same[1])


def test_permutation_gives_the_same_p_value():
    rng = np.random.default_rng(3)
    x, arm = rng.normal(size=(60, 1)), np.arange(60) % 2
    y = x[:, 0] + 0.45 * arm + rng.normal(size=60)
    seen = ancova(TrialData.of(y, arm, covariates=x))["1 - 0"]
    t = np.array([ancova(TrialData.of(y, rng.permutation(arm), covariates=x))["1 - 0"].statistic for _ in range(2000)])
    share = (np.abs(t) >= abs(seen.statistic)).mean()
    assert share == pytest.approx(seen.p_value, abs=3 * math.sqrt(share * (1 - share) / 2000) + 0.01)


def test_slopes_of_named_covariates_and_of_strata():
    data = trial(strata=["u", "v", "w", "u"] * 10)
    some = ancova(data, interactions=["covariate 1"], strata=False, fixed_covariates=True)["1 - 0"]
    design = np.delete(dense(data, True), 5, axis=1)
    assert some.value == pytest.approx(np.linalg.lstsq(design, data.outcome, rcond=None)[0][1])
    with_strata = ancova(data, df="residual")["1 - 0"]
    assert with_strata.df == 40 - 6
    assert ancova(data, df="normal")["1 - 0"].df == math.inf
    with pytest.raises(AnalysisError, match="no covariate"):
        ancova(data, interactions=["age"])


def test_a_useless_covariate_is_left_out_and_named():
    data = trial()
    more = TrialData.of(
        data.outcome,
        data.arm,
        covariates=np.column_stack([data.covariates, np.full(40, 3.0), data.covariates[:, 0] * 2.0]),
    )
    found = ancova(more, interactions=["covariate 1", "covariate 4"])
    assert found["1 - 0"].value == pytest.approx(ancova(data, interactions=["covariate 1"])["1 - 0"].value)
    assert "covariate 3 is the same" in found.notes[0]
    assert "covariate 4 is a linear function" in found.notes[1]


def test_uneven_arms_with_common_slopes_are_remarked():
    data = TrialData.of(np.arange(9.0) ** 2, [0, 0, 0, 1, 1, 1, 1, 1, 1], covariates=np.arange(9.0)[:, None] % 4)
    assert "unequal size" in ancova(data).notes[0]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: ancova(trial(size=4, columns=3)), "more patients"),
        (lambda: ancova(trial(), variance="HC5"), "HC5"),
        (
            lambda: ancova(TrialData.of(np.arange(8.0), [0, 1] * 4, covariates=np.array([[0.0, 2.0] * 4]).T)),
            "tells the arms",
        ),
        (
            lambda: ancova(
                TrialData.of(np.arange(8.0), [0, 1] * 4, covariates=np.array([[1, 2, 1, 5, 1, 3, 1, 4.0]]).T),
                interactions=True,
            ),
            "constant within an arm",
        ),
        (
            lambda: ancova(TrialData.of(np.arange(6.0), [0, 1] * 3, covariates=np.array([[1, 0, 0, 0, 0, 0.0]]).T)),
            "leverage 1",
        ),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(AnalysisError, match=words):
        make()
