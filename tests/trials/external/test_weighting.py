"""Weights, balance, matching and weighted estimates: by hand on tiny data, and against independent computations."""

import numpy as np
import pytest
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.cox import cox_fit
from medtwin.trials.analysis.kaplan import kaplan_meier, survival_effects
from medtwin.trials.external.balance import balance, effective_sample_size
from medtwin.trials.external.effect import weighted_effect, weighted_hazard_ratio
from medtwin.trials.external.maic import PublishedValue, anchored, maic_weights, unanchored
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.tilting import entropy_weights, tilt
from medtwin.trials.external.weighted_cox import weighted_cox_fit
from medtwin.trials.external.weighted_kaplan import weighted_kaplan_meier, weighted_survival_effects


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def trial(random):
    x = random.normal(size=(400, 2))
    arm = (random.uniform(size=400) < special.expit(x @ [0.8, -0.5] - 0.5)).astype(int)
    return TrialData.of(x.sum(axis=1) + random.normal(size=400), arm, covariates=x, covariate_names=("age", "severity"))


def survival(random, size=150, ties=True):
    x = random.normal(size=(size, 2))
    arm = random.integers(0, 2, size)
    time = random.exponential(np.exp(-0.4 * x[:, 0] + 0.5 * arm))
    time = np.ceil(time * 10.0) if ties else time
    event = (random.uniform(size=size) < 0.7).astype(float)
    return TrialData.of(time, arm, covariates=x, event=event), random.uniform(0.2, 3.0, size)


def test_propensity_of_two_groups_by_hand():
    """4 of 8 treated among x=1, 1 of 5 among x=0: odds 1 and 1/4."""
    x = np.array([1.0] * 8 + [0.0] * 5)
    arm = np.array([1] * 4 + [0] * 4 + [1] + [0] * 4)
    found = propensity_score(TrialData.of(np.zeros(14), np.append(arm, [1]), covariates=np.append(x, [1.0])[:, None]))
    assert found.score[-2] == pytest.approx(0.2)
    assert found.score[-1] == pytest.approx(5 / 9)
    e = np.array([0.2, 0.5, 0.8])
    arms = np.array([0, 1, 0])
    assert propensity_weights(e, arms, "ATT") == pytest.approx([0.25, 1.0, 4.0])
    assert propensity_weights(e, arms, "ATE") == pytest.approx([1.25, 2.0, 5.0])
    assert propensity_weights(e, arms, "overlap") == pytest.approx([0.2, 0.5, 0.8])


def test_overlap_and_entropy_balance_exactly(trial):
    score = propensity_score(trial).score
    assert balance(trial).largest_before > 0.3
    assert balance(trial, propensity_weights(score, trial.arm, "overlap")).largest_after < 1e-9
    found = entropy_weights(trial)
    table = balance(trial, found.weights)
    assert table.largest_after < 1e-9
    assert found.weights[trial.arm == 0].sum() == pytest.approx((trial.arm == 1).sum())
    both = entropy_weights(trial, squares=True)
    for row in balance(trial, both.weights).rows:
        assert row.difference_after == pytest.approx(0.0, abs=1e-8)
    treated, control = trial.arm == 1, trial.arm == 0
    assert np.average(trial.covariates[control] ** 2, axis=0, weights=both.weights[control]) == pytest.approx(
        (trial.covariates[treated] ** 2).mean(axis=0)
    )


def test_entropy_weights_of_two_values_by_hand():
    """Controls 0, 0, 0, 1 to a mean of 1/2: three share one half, one has the other."""
    found = tilt(np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0.5]))
    assert found.weights / found.weights.sum() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    assert found.coefficients == pytest.approx([np.log(3.0)])
    base = tilt(np.array([[0.0], [1.0]]), np.array([0.5]), base=np.array([3.0, 1.0]))
    assert base.weights / base.weights.sum() == pytest.approx([0.5, 0.5])


def test_entropy_is_the_dual_of_attodds():
    """An indicator alone: entropy weights are the propensity odds (both saturated)."""
    x, arm = np.repeat([0.0, 1.0, 0.0, 1.0], [30, 10, 8, 12]), np.repeat([0, 1], [40, 20])
    trial = TrialData.of(np.zeros(60), arm, covariates=x[:, None])
    odds = propensity_weights(propensity_score(trial).score, arm)
    assert entropy_weights(trial).weights == pytest.approx(odds)


def test_collinear_covariates_are_named(trial):
    table = np.column_stack([trial.covariates, trial.covariates.sum(axis=1), np.ones(400)])
    found = tilt(table[trial.arm == 0], table[trial.arm == 1].mean(axis=0), names=("a", "b", "sum", "one"))
    assert "sum" in found.notes[0]
    assert "one" in found.notes[1]
    assert found.imbalance < 1e-9


def test_balance_out_of_reach():
    x = np.arange(6.0)[:, None]
    with pytest.raises(AnalysisError, match=r"cannot be reached.*fewer covariates") as raised:
        tilt(x, np.array([7.0]), names=("age",))
    assert "age" in raised.value.found
    with pytest.raises(AnalysisError, match="cannot be reached"):
        tilt(x, np.array([5.0]))
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(AnalysisError, match="outside"):
        tilt(corner, np.array([0.9, 0.9]))
    with pytest.raises(AnalysisError, match="same for every patient"):
        tilt(np.ones((5, 1)), np.array([0.5]))
    with pytest.raises(AnalysisError, match="not that of theirs"):
        tilt(np.column_stack([x, 2.0 * x]), np.array([2.0, 5.0]))


def test_no_overlap_is_refused(random):
    x = np.append(random.uniform(0, 1, 50), random.uniform(2, 3, 50))[:, None]
    trial = TrialData.of(np.zeros(100), np.repeat([0, 1], 50), covariates=x)
    with pytest.raises(AnalysisError, match="no overlap"):
        propensity_score(trial)
    with pytest.raises(AnalysisError, match="cannot be reached"):
        entropy_weights(trial)
    with pytest.raises(AnalysisError, match="no overlap"):
        propensity_weights(np.array([0.0, 1.0]), np.array([0, 1]))
    with pytest.raises(AnalysisError, match="no overlap"):
        nearest_neighbours(trial, np.repeat([0.01, 0.99], 50))


def test_arms_and_weights_are_checked(trial):
    three = TrialData.of(np.zeros(6), [0, 1, 2] * 2, covariates=np.arange(6.0)[:, None])
    with pytest.raises(AnalysisError, match="3 arms"):
        propensity_score(three)
    with pytest.raises(AnalysisError, match="1 patients in arm"):
        propensity_score(TrialData.of(np.zeros(4), [0, 0, 0, 1], covariates=np.arange(4.0)[:, None]))
    with pytest.raises(AnalysisError, match="weighs nothing"):
        weighted_effect(trial, (trial.arm == 1).astype(float))
    with pytest.raises(AnalysisError, match="negative"):
        balance(trial, -np.ones(400))
    only = np.where(trial.arm == 1, 1.0, 1e-14)
    only[np.flatnonzero(trial.arm == 0)[0]] = 1.0
    with pytest.raises(AnalysisError, match="all the weight"):
        weighted_effect(trial, only)


def test_balance_by_hand():
    trial = TrialData.of(np.zeros(6), [0, 0, 0, 1, 1, 1], covariates=np.array([[1.0, 2, 3, 2, 4, 6]]).T)
    row = balance(trial).rows[0]
    assert row.difference_before == pytest.approx(2.0 / 2.5**0.5)
    assert row.variance_ratio_before == pytest.approx(4.0)
    assert balance(trial, scale="treated").rows[0].difference_before == pytest.approx(1.0)
    assert balance(trial, np.array([0, 0, 1.0, 1, 1, 1])).rows[0].mean_control == 3.0
    assert effective_sample_size(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)
    with pytest.raises(AnalysisError, match="no overlap"):
        balance(TrialData.of(np.zeros(4), [0, 0, 1, 1], covariates=np.array([[0.0, 0, 1, 1]]).T))


def test_weighted_means_by_hand():
    trial = TrialData.of([0.0, 1, 1, 0, 1, 1], [0, 0, 0, 1, 1, 1])
    found = weighted_effect(
        trial, np.array([2.0, 1, 1, 1, 1, 2]), measures=("difference", "ratio", "odds ratio"), variance="HC0"
    )
    assert found.means == pytest.approx([0.5, 0.75])
    assert found["difference"].value == pytest.approx(0.25)
    assert found["ratio"].reported[0] == pytest.approx(1.5)
    assert found["odds ratio"].reported[0] == pytest.approx(3.0)
    assert found["difference"].standard_error ** 2 == pytest.approx(
        (4 * 0.25 + 2 * 0.25) / 16 + (0.5625 + 0.0625 + 4 * 0.0625) / 16
    )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_weighted_cox_of_ones_is_cox(random, ties):
    trial, _ = survival(random)
    design = np.column_stack([trial.arm, trial.covariates])
    plain = cox_fit(trial.outcome, trial.event, design, ties=ties)
    ours = weighted_cox_fit(trial.outcome, trial.event, design, np.ones(150), ties=ties)
    assert ours.coefficients == pytest.approx(plain.coefficients, abs=1e-9)
    assert ours.naive_covariance == pytest.approx(plain.covariance, abs=1e-9)


def test_weights_that_are_counts_are_copies(random):
    """Without ties a weight of 2 is the patient twice, in Breslow's form; copies in one cluster have the same robust variance."""
    trial, _ = survival(random, ties=False)
    count = random.integers(1, 4, 150)
    design = np.column_stack([trial.arm, trial.covariates])
    rows = np.repeat(np.arange(150), count)
    many = weighted_cox_fit(
        trial.outcome[rows], trial.event[rows], design[rows], np.ones(len(rows)), cluster=rows, ties="breslow"
    )
    once = weighted_cox_fit(trial.outcome, trial.event, design, count.astype(float), ties="breslow")
    assert once.coefficients == pytest.approx(many.coefficients, abs=1e-9)
    assert once.covariance == pytest.approx(many.covariance, abs=1e-9)
    assert once.naive_covariance == pytest.approx(many.naive_covariance, abs=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_influence_is_the_slope_by_the_weight(random, ties):
    """For Breslow d b / d w_i is U_i V exactly; Efron's mean weight of ties makes it so where events are not tied."""
    trial, weights = survival(random, ties=ties == "breslow")
    design = np.column_stack([trial.arm, trial.covariates])
    ours = weighted_cox_fit(trial.outcome, trial.event, design, weights, ties=ties)
    for patient in (0, 17, 80):
        step = 1e-4
        more, less = weights.copy(), weights.copy()
        more[patient] += step
        less[patient] -= step
        slope = (
            weighted_cox_fit(trial.outcome, trial.event, design, more, ties=ties).coefficients
            - weighted_cox_fit(trial.outcome, trial.event, design, less, ties=ties).coefficients
        ) / (2.0 * step)
        assert ours.influence[patient] / weights[patient] == pytest.approx(slope, abs=1e-7)


def test_hazard_ratio_does_not_depend_on_the_weights_unit(random):
    trial, weights = survival(random)
    once, tenfold = (weighted_hazard_ratio(trial, weights * unit)["hazard ratio"] for unit in (1.0, 10.0))
    assert once.value == pytest.approx(tenfold.value, abs=1e-10)
    assert once.standard_error == pytest.approx(tenfold.standard_error, rel=1e-9)
    with pytest.raises(AnalysisError, match="no event in arm"):
        weighted_hazard_ratio(TrialData.of([1.0, 2, 3, 4], [0, 0, 1, 1], event=[1, 1, 0, 0]))
    with pytest.raises(AnalysisError, match="no event indicator"):
        weighted_hazard_ratio(TrialData.of([1.0, 2, 3, 4], [0, 0, 1, 1]))


def test_weighted_curve_of_ones_is_kaplan_meier(random):
    trial, _ = survival(random)
    ones = np.ones(len(trial.arm))
    for arm in (0, 1):
        mine = trial.arm == arm
        plain = kaplan_meier(trial.outcome[mine], trial.event[mine])
        ours = weighted_kaplan_meier(trial.outcome[mine], trial.event[mine], ones[mine])
        for field in ("times", "survival", "greenwood", "events", "at_risk"):
            np.testing.assert_allclose(getattr(ours, field), getattr(plain, field), rtol=1e-12)
    asked = {"times": (5.0,), "tau": 8.0}
    ours = weighted_survival_effects(trial, **asked)
    theirs = survival_effects(trial, variance="greenwood", df="normal", **asked)
    for mine, other in zip(ours.estimates, theirs.estimates, strict=True):
        assert (mine.value, mine.standard_error) == pytest.approx((other.value, other.standard_error), rel=1e-12)


def test_weighted_curve(random):
    """Whole weights are copies; their unit says nothing; the variance is that of the slopes by each weight."""
    trial, _ = survival(random, 60)
    weights = random.integers(0, 4, 60).astype(float) + (trial.arm == 1)
    ours = weighted_kaplan_meier(trial.outcome, trial.event, weights)
    copies = kaplan_meier(*(np.repeat(values, weights.astype(int)) for values in (trial.outcome, trial.event)))
    np.testing.assert_allclose(ours.survival, copies.survival, rtol=1e-12)
    scaled = weighted_kaplan_meier(trial.outcome, trial.event, weights * 1e-3)
    np.testing.assert_allclose(scaled.greenwood, ours.greenwood, rtol=1e-9)
    at = float(ours.times[len(ours.times) // 2])
    slopes = []
    for patient in range(60):
        moved = [weights.copy(), weights.copy()]
        for sign, held in zip((1.0, -1.0), moved, strict=True):
            held[patient] += sign * 1e-5 * (weights[patient] > 0.0)
        up, down = (weighted_kaplan_meier(trial.outcome, trial.event, held).at(at)[0] for held in moved)
        slopes.append(weights[patient] * (up - down) / 2e-5)
    assert ours.at(at)[1] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)
    effects = [weighted_survival_effects(trial, w, times=(at,), tau=at) for w in (weights, weights * 1e-3)]
    for first, second in zip(*(one.estimates for one in effects), strict=True):
        assert (first.value, first.standard_error) == pytest.approx((second.value, second.standard_error), rel=1e-9)
    with pytest.raises(AnalysisError, match="neither times"):
        weighted_survival_effects(trial, weights)


def test_matching_by_hand():
    trial = TrialData.of(np.zeros(7), [1, 1, 0, 0, 0, 0, 1], covariates=np.zeros((7, 1)))
    score = np.array([0.6, 0.5, 0.55, 0.44, 0.62, 0.1, 0.95])
    found = nearest_neighbours(trial, score, caliper=0.5, scale="probability")
    assert found.matched_set.tolist() == [0, 1, 1, -1, 0, -1, -1]
    assert found.weights.tolist() == [1, 1, 1, 0, 1, 0, 0]
    assert found.distance == pytest.approx([0.02, 0.05])
    assert "1 treated patients without a match" in found.notes[1]
    two = nearest_neighbours(trial, score, caliper=1.0, scale="probability", ratio=2, order="data")
    assert two.weights.tolist() == [1, 0, 0.5, 0, 0.5, 0, 0]
    below = nearest_neighbours(trial, score, caliper=None, scale="probability", side="below")
    assert below.matched_set.tolist() == [1, 2, 1, 2, 0, -1, 0]
    assert "passed over" in below.notes[1]
    with pytest.raises(AnalysisError, match="enough controls"):
        nearest_neighbours(trial, score, caliper=None, ratio=2)


def test_maic_reaches_the_published_values(random):
    own = {"age": random.normal(60.0, 8.0, 300), "male": (random.uniform(size=300) < 0.4).astype(float)}
    published = {
        "age": PublishedValue(mean=63.0, standard_deviation=7.0, median=63.5),
        "male": PublishedValue(mean=0.5),
    }
    found = maic_weights(own, published)
    share = found.weights / found.weights.sum()
    mean = share @ own["age"]
    assert mean == pytest.approx(63.0)
    assert (share @ (own["age"] - mean) ** 2) ** 0.5 == pytest.approx(7.0)
    assert share @ (own["age"] > 63.5) == pytest.approx(0.5)
    assert share @ own["male"] == pytest.approx(0.5)
    with pytest.raises(AnalysisError, match="no covariate"):
        maic_weights(own, {"weight": PublishedValue(mean=80.0)})
    with pytest.raises(AnalysisError, match="cannot be reached"):
        maic_weights(own, {"age": PublishedValue(mean=120.0)})


def test_anchored_is_buchers_difference(random):
    trial, weights = survival(random)
    own = unanchored(trial, weights)["hazard ratio"]
    found = anchored(own, own).estimates[0]
    assert found.value == 0.0
    assert found.standard_error == pytest.approx(own.standard_error * 2.0**0.5)
    difference = weighted_effect(TrialData.of([0.0, 1, 1, 0], [0, 0, 1, 1])).estimates[0]
    with pytest.raises(AnalysisError, match="same scale"):
        anchored(own, difference)
