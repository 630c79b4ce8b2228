"""What must not change when nothing that matters does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.linear import VARIANCES, ancova
from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.analysis.marginal import marginal_effects

seeds = st.integers(0, 2**32 - 1)


def close(one, other, sign=1.0):
    for a, b in zip(one, other, strict=True):
        assert a.value == pytest.approx(sign * b.value, rel=1e-7, abs=1e-9)
        assert a.standard_error == pytest.approx(b.standard_error, rel=1e-7)
        assert a.df == pytest.approx(b.df, rel=1e-6)


def continuous(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=40), rng.permutation(np.arange(40) % 2), rng.normal(size=(40, 2)), rng


def lived(seed):
    rng = np.random.default_rng(seed)
    time = np.round(rng.exponential(10.0, 60)) + 1.0
    return time, rng.random(60) < 0.8, rng.permutation(np.arange(60) % 2), rng.normal(size=(60, 2)), rng


@settings(max_examples=25, deadline=None)
@given(seed=seeds, variance=st.sampled_from(VARIANCES), interactions=st.booleans())
def test_ancova_is_blind_to_the_covariates_units_and_the_rows_order(seed, variance, interactions):
    y, arm, x, rng = continuous(seed)
    asked = {"variance": variance, "interactions": interactions}
    first = ancova(TrialData.of(y, arm, covariates=x), **asked)
    turned = x @ np.array([[1000.0, 3.0], [-2.0, 0.01]]) + [5.0, -1900.0]
    close(ancova(TrialData.of(y, arm, covariates=turned), **asked).estimates, first.estimates)
    order = rng.permutation(40)
    close(ancova(TrialData.of(y[order], arm[order], covariates=x[order]), **asked).estimates, first.estimates)
    swapped = ancova(TrialData.of(y, arm, covariates=x, control=1), **asked)
    close(swapped.estimates[:1], first.estimates[:1], sign=-1.0)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, variance=st.sampled_from(["HC2", "robust", "influence", "model"]))
def test_marginal_effects_swap_with_the_arms_and_with_the_events(seed, variance):
    y, arm, x, _ = continuous(seed)
    binary = (y > 0.0).astype(float)
    asked = {"family": "logistic", "variance": variance, "measures": ("difference", "odds ratio")}
    first = marginal_effects(TrialData.of(binary, arm, covariates=x), **asked).estimates[:2]
    close(marginal_effects(TrialData.of(binary, arm, covariates=x, control=1), **asked).estimates[:2], first, sign=-1.0)
    close(marginal_effects(TrialData.of(1.0 - binary, arm, covariates=x), **asked).estimates[:2], first, sign=-1.0)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_survival_sees_only_the_order_of_times(seed):
    time, event, arm, x, rng = lived(seed)
    for analysis in (logrank, cox):
        first = analysis(TrialData.of(time, arm, covariates=x, event=event)).estimates
        close(analysis(TrialData.of(np.log(time) + 3.0, arm, covariates=x, event=event)).estimates, first)
        order = rng.permutation(60)
        mixed = TrialData.of(time[order], arm[order], covariates=x[order], event=event[order])
        close(analysis(mixed).estimates, first)
        close(analysis(TrialData.of(time, arm, covariates=x * 1e4 - 7.0, event=event)).estimates, first)
        close(analysis(TrialData.of(time, arm, covariates=x, event=event, control=1)).estimates, first, sign=-1.0)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_one_stratum_is_none(seed):
    time, event, arm, x, _ = lived(seed)
    plain = TrialData.of(time, arm, covariates=x, event=event)
    alone = TrialData.of(time, arm, covariates=x, event=event, strata=["a"] * 60)
    close(logrank(alone).estimates, logrank(plain).estimates)
    close(cox(alone).estimates, cox(plain).estimates)
