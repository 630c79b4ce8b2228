"""Parity measures by hand, and their spread."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.fair.parity import Counts, counted, disparities, generalised_entropy, rates

A, B, C = Counts(30, 20, 10, 40), Counts(15, 5, 25, 55), Counts(8, 12, 8, 12)


def named(found):
    return {(d.number.name, d.between): d.number for d in found}


def test_counts_and_rates():
    y = np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    assert counted(y, np.array([0.3, 0.2, 0.3, 0.1, 0.5]), 0.3) == Counts(2, 1, 1, 1)
    sel, tpr, fpr = rates(A, 0.3)
    assert (sel.value, tpr.value, fpr.value) == (0.5, 0.75, pytest.approx(1.0 / 3.0))


def test_measures_of_three_groups():
    found = named(disparities({"a": A, "b": B, "c": C}, "g", 0.3, draws=400))
    every = ("a", "b", "c")
    assert found["demographic parity difference", every].value == pytest.approx(0.5 - 0.2)
    assert found["demographic parity ratio", every].value == pytest.approx(0.2 / 0.5)
    tpr, fpr = (0.75, 0.375, 0.5), (20 / 60, 5 / 60, 12 / 24)
    assert found["equalised odds difference", every].value == pytest.approx(max(0.375, fpr[2] - fpr[1]))
    assert found["equalised odds ratio", every].value == pytest.approx(min(0.5, fpr[1] / fpr[2]))
    assert found["equal opportunity difference", every].value == pytest.approx(0.375)
    assert found["statistical parity difference", ("b", "a")].value == pytest.approx(-0.3)
    assert found["disparate impact ratio", ("c", "a")].value == pytest.approx(1.0)
    assert found["average odds difference", ("b", "a")].value == pytest.approx(
        ((tpr[1] - tpr[0]) + (fpr[1] - fpr[0])) / 2.0
    )
    for number in found.values():
        assert number.low < number.high


def test_the_bootstrap_does_not_know_names():
    one = disparities({"a": A, "b": B}, "g", 0.3, draws=200)
    other = disparities({"y": B, "x": A}, "g", 0.3, draws=200)
    assert [d.number for d in one if len(d.between) == 2 and d.number.ideal is None] == [
        d.number for d in other if d.number.ideal is None
    ]


def test_signed_intervals_hold_their_level():
    """Newcombe, Katz and average odds of two groups without a difference, 1000 repeats."""
    rng = np.random.default_rng(1)
    held, repeats = {}, 1000
    for _ in range(repeats):
        made = []
        for size in (80, 160):
            events = rng.binomial(size, 0.4)
            hit, alarm = rng.binomial(events, 0.7), rng.binomial(size - events, 0.3)
            made.append(Counts(hit, alarm, events - hit, size - events - alarm))
        for d in disparities({"a": made[0], "b": made[1]}, "g", 0.5, draws=0):
            held.setdefault(d.number.name, []).append(d.number.low <= d.number.ideal <= d.number.high)
    assert len(held) == 5
    for name, inside in held.items():
        assert 0.93 < np.mean(inside) < 0.975, name


def test_refusals():
    with pytest.raises(AnalysisError, match="1 groups"):
        disparities({"a": A}, "g", 0.3)
    with pytest.raises(AnalysisError, match="without events"):
        disparities({"a": A, "b": Counts(0, 5, 0, 5)}, "g", 0.3)
    with pytest.raises(AnalysisError, match="reference"):
        disparities({"a": A, "b": B}, "g", 0.3, reference="z")


def test_generalised_entropy():
    """Everybody alike: none. Two kinds with benefits 2 and 0 in equal parts: alpha 2 gives half the squared variation, 1/2."""
    y = np.array([0.0, 1.0])
    assert generalised_entropy(y, y) == 0.0
    assert generalised_entropy(y, 1.0 - y) == pytest.approx(0.5)
    with pytest.raises(AnalysisError, match="no benefit"):
        generalised_entropy(np.ones(3), np.zeros(3))
