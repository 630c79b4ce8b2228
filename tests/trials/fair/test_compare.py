"""Multiplicity: adjusted p values by their definitions, and the tests of heterogeneity by algebra."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medtwin.trials.fair.compare import benjamini_hochberg, compare, holm
from medtwin.trials.fair.number import normal_number

P = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6)


@given(P)
def test_holm_is_closed_testing_with_bonferroni(p):
    """A hypothesis falls when every intersection that holds it does, each by Bonferroni: its p is the largest of theirs."""
    for place, ours in enumerate(holm(p)):
        theirs = 0.0
        for size in range(1, len(p) + 1):
            for chosen in combinations(range(len(p)), size):
                if place in chosen:
                    theirs = max(theirs, min(1.0, size * min(p[i] for i in chosen)))
        assert ours == pytest.approx(theirs, abs=1e-15)


@given(P)
def test_false_discovery(p):
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p).tolist(), abs=1e-15)


def number(value, error):
    return normal_number("x", value, error, 0.95, "normal")


def test_two_groups_have_one_comparison():
    tests, pairs = compare({("g", "x"): {"a": number(1.0, 0.3), "b": number(0.0, 0.4)}})
    assert len(pairs) == 1
    assert tests[0].statistic == pytest.approx((1.0 / 0.5) ** 2)
    assert pairs[0].p_value == pytest.approx(tests[0].p_value)
    assert pairs[0].difference == 1.0


def test_three_groups_against_regression():
    """Q is the weighted residual sum of squares about one mean, and each comparison a contrast in weighted least squares."""
    values, errors = np.array([0.2, 0.5, -0.1]), np.array([0.1, 0.2, 0.15])
    held = {name: number(v, e) for name, v, e in zip("abc", values, errors, strict=True)}
    tests, pairs = compare({("g", "x"): held, ("h", "x"): {"a": held["a"]}})
    w = errors**-2.0
    mean = (w * values).sum() / w.sum()
    assert tests[0].statistic == pytest.approx((w * (values - mean) ** 2).sum())
    assert [test.column for test in tests] == ["g"]
    for place, pair in enumerate(pairs):
        design = np.column_stack([np.ones(3), np.arange(3) == place])
        covariance = np.linalg.inv(design.T @ (w[:, None] * design))
        estimate = covariance @ design.T @ (w * values)
        assert (pair.difference, pair.standard_error) == pytest.approx((estimate[1], covariance[1, 1] ** 0.5))


def test_nothing_to_compare():
    assert compare({}) == ((), ())
