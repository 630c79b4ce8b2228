"""The table of strategies by hand, and imputation against the normal distribution written another way."""

import numpy as np
import pytest

from medtwin.trials.missing import STRATEGIES, Assumption
from medtwin.trials.missing.impute import conditional_means, draw
from medtwin.trials.missing.strategies import spliced
from trials.missing.data import model, simulated

OWN, REFERENCE = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[10.0, 21.0, 33.0, 46.0]])


@pytest.mark.parametrize(
    ("name", "before", "mean"),
    [
        ("MAR", 2, [1, 2, 3, 4]), ("MAR", 0, [1, 2, 3, 4]),
        ("JR", 2, [1, 2, 33, 46]), ("JR", 0, [10, 21, 33, 46]), ("JR", 4, [1, 2, 3, 4]),
        ("CR", 2, [10, 21, 33, 46]), ("CR", 0, [10, 21, 33, 46]),
        ("CIR", 2, [1, 2, 14, 27]), ("CIR", 0, [10, 21, 33, 46]), ("CIR", 1, [1, 12, 24, 37]), ("CIR", 4, [1, 2, 3, 4]),
        ("LMCF", 2, [1, 2, 2, 2]), ("LMCF", 0, [10, 21, 33, 46]), ("LMCF", 4, [1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_means_by_hand(name, before, mean):
    assert STRATEGIES[name].mean(OWN, REFERENCE, before).tolist() == [mean]


@pytest.mark.parametrize("before", range(5))
def test_the_spliced_covariance_regresses_as_the_reference_does(before):
    rng = np.random.default_rng(3)
    own, reference = (a @ a.T for a in rng.normal(size=(2, 4, 7)))
    p, out = before, spliced(own, reference, before)
    np.testing.assert_allclose(out, out.T, atol=1e-12)
    np.testing.assert_allclose(out[:p, :p], own[:p, :p])
    slope, theirs = (np.linalg.solve(s[:p, :p], s[:p, p:]) for s in (out, reference))
    np.testing.assert_allclose(slope, theirs, rtol=1e-9)
    rest, their_rest = (s[p:, p:] - s[p:, :p] @ np.linalg.solve(s[:p, :p], s[:p, p:]) for s in (out, reference))
    np.testing.assert_allclose(rest, their_rest, rtol=1e-9)
    np.testing.assert_allclose(spliced(own, own, before), own, rtol=1e-12)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("by_arm", [False, True])
def test_conditional_means_and_variances_from_the_precision_matrix(name, by_arm):
    """``E(y_x | y_o) = μ_x - K_xx^-1 K_xo (y_o - μ_o)``, variance ``K_xx^-1``, with ``K`` the inverse of the covariance."""
    trial = simulated(40, seed=5, covariates=2)
    given = model(trial, by_arm=by_arm)
    assumption = Assumption.of(trial, name)
    done = conditional_means(trial, given, assumption)
    reach = draw(trial, given, assumption, np.ones_like(trial.outcome)) - done
    for i, row in enumerate(trial.outcome):
        x, o = np.flatnonzero(np.isnan(row)), np.flatnonzero(~np.isnan(row))
        own, ref = ((given.cells[a] + trial.covariates[i] @ given.slopes)[None] for a in (trial.arm[i], 0))
        event = trial.before[i] < 4
        strategy = STRATEGIES[name if event else "MAR"]
        mu = strategy.mean(own, ref, trial.before[i])[0]
        k = np.linalg.inv(strategy.covariance(given.sigma[trial.arm[i]], given.sigma[0], int(trial.before[i])))
        np.testing.assert_array_equal(done[i, o], row[o])
        if len(x):
            inverse = np.linalg.inv(k[np.ix_(x, x)])
            np.testing.assert_allclose(done[i, x], mu[x] - inverse @ k[np.ix_(x, o)] @ (row[o] - mu[o]), rtol=1e-9)
            root = np.linalg.cholesky(inverse)
            np.testing.assert_allclose(reach[i, x], root.sum(1), rtol=1e-7)


def test_strategies_by_reason():
    trial = simulated(30, seed=2)
    reasons = ["tired" if i % 3 else "ill" for i in range(30)]
    from medtwin.trials.missing import RepeatedTrial

    told = RepeatedTrial.of(trial.outcome, trial.arm, visits=trial.visits, covariates=trial.covariates, reason=reasons)
    given = model(told)
    mixed = conditional_means(told, given, Assumption.of(told, {"tired": "JR", "ill": "MAR"}))
    jump, random = (conditional_means(told, given, Assumption.of(told, s)) for s in ("JR", "MAR"))
    tired = np.array([r == "tired" for r in told.reason])
    np.testing.assert_allclose(mixed[tired], jump[tired], rtol=1e-12)  # groups of another size: other last digits
    np.testing.assert_allclose(mixed[~tired], random[~tired], rtol=1e-12)


def test_an_outcome_seen_after_an_event_does_not_teach_another_strategy():
    trial = simulated(30, seed=2, gaps=0.0)
    from medtwin.trials.missing import RepeatedTrial

    told = RepeatedTrial.of(trial.outcome, trial.arm, visits=trial.visits, before=[2] * 30)
    assert not Assumption.of(told, "JR").used(told)[:, 2:].any()
    np.testing.assert_array_equal(Assumption.of(told, "MAR").used(told), told.observed)
