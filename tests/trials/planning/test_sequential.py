"""Boundaries: spending limits, textbook constants, one look, futility, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.planning.crossing import crossing
from medtwin.trials.planning.sequential import Looks, fixed_drift, group_sequential
from medtwin.trials.planning.spending import FUNCTIONS, spent

THIRDS = (1 / 3, 2 / 3, 1.0)


def even(k):
    return tuple((i + 1) / k for i in range(k))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_spending_begins_at_nothing_and_ends_at_the_level(name):
    t = np.linspace(0, 1, 201)
    made = spent(name, t, 0.025)
    assert made[0] == pytest.approx(0.0, abs=1e-15)
    assert made[-1] == pytest.approx(0.025, abs=1e-15)
    assert np.all(np.diff(made) >= 0)
    assert spent(name, 1.4, 0.025)[0] == pytest.approx(0.025)


def test_an_early_look_costs_obrien_fleming_nothing_and_pocock_much():
    assert spent("obrien-fleming", 0.1, 0.025)[0] < 1e-10
    assert spent("pocock", 0.1, 0.025)[0] > 0.003
    assert spent("hwang-shih-decani", 0.4, 0.025, 0.0)[0] == pytest.approx(0.01)


@pytest.mark.parametrize(("k", "pocock", "obrien_fleming"), [(2, 2.178, 1.977), (3, 2.289, 2.004), (5, 2.413, 2.040)])
def test_textbook_constants(k, pocock, obrien_fleming):
    """Jennison & Turnbull 2000, tables 2.1 and 2.3: two-sided 0.05, equal steps."""
    made = group_sequential(Looks(information=even(k), kind="wang-tsiatis", parameter=0.5))
    assert made.upper == pytest.approx([pocock] * k, abs=6e-4)
    made = group_sequential(Looks(information=even(k), kind="wang-tsiatis", parameter=0.0))
    assert made.upper[-1] == pytest.approx(obrien_fleming, abs=6e-4)


@pytest.mark.parametrize("more", [{}, {"function": "pocock"}, {"kind": "wang-tsiatis"}, {"kind": "haybittle-peto"},
                                  {"futility": "pocock"}])  # fmt: skip
@pytest.mark.parametrize("sides", [1, 2])
def test_one_look_is_the_fixed_design(more, sides):
    if sides == 2 and "futility" in more:
        return
    made = group_sequential(Looks(information=(1.0,), **more), alpha=0.05, sides=sides, power=0.8)
    assert made.upper[0] == pytest.approx(ndtri(1 - 0.05 / sides), abs=1e-9)
    assert made.inflation == pytest.approx(1.0, abs=1e-9)
    assert made.drift == pytest.approx(fixed_drift(0.05, sides, 0.8), abs=1e-9)


def test_haybittle_peto_keeps_almost_all_for_the_end():
    made = group_sequential(Looks(information=THIRDS, kind="haybittle-peto"), alpha=0.025, sides=1)
    assert list(made.upper[:2]) == [3.0, 3.0]
    assert 1.96 < made.upper[2] < 2.0
    assert made.rejects(0.0) == pytest.approx(0.025, abs=1e-10)


@pytest.mark.parametrize("function", ["obrien-fleming", "pocock"])
def test_futility(function):
    looks = {"information": THIRDS, "futility": function}
    free = group_sequential(Looks(**looks), alpha=0.025, sides=1, power=0.9)
    bound = group_sequential(Looks(**looks, binding=True), alpha=0.025, sides=1, power=0.9)
    plain = group_sequential(Looks(information=THIRDS), alpha=0.025, sides=1, power=0.9)
    assert free.upper == pytest.approx(plain.upper, abs=1e-9)
    assert crossing(THIRDS, 0.0, free.upper).upper.sum() == pytest.approx(0.025, abs=1e-9)
    assert bound.rejects(0.0) == pytest.approx(0.025, abs=1e-9)
    assert bound.upper[-1] < free.upper[-1]
    for made in (free, bound):
        assert made.rejects(made.drift) == pytest.approx(0.9, abs=1e-9)
        assert made.lower[-1] == made.upper[-1]
        assert np.cumsum(made.at(made.drift).lower) == pytest.approx(spent(function, np.array(THIRDS), 0.1), abs=1e-9)
    assert bound.inflation < free.inflation
    assert free.expected(0.0) < plain.expected(0.0)


def test_given_futility_values_cost_power():
    made = group_sequential(Looks(information=(0.5, 1.0), futility_z=(0.3,)), alpha=0.025, sides=1)
    assert made.lower[0] == 0.3
    assert made.inflation > group_sequential(Looks(information=(0.5, 1.0)), alpha=0.025, sides=1).inflation
    shaped = group_sequential(
        Looks(information=(0.5, 1.0), kind="wang-tsiatis", futility_z=(0.3,), binding=True), alpha=0.025, sides=1
    )
    assert shaped.rejects(0.0) == pytest.approx(0.025, abs=1e-9)


def test_two_sided_level_counts_both_sides():
    made = group_sequential(Looks(information=THIRDS, function="pocock"), alpha=0.05, sides=2)
    found = made.at(0.0)
    assert found.upper.sum() + found.lower.sum() == pytest.approx(0.05, abs=1e-9)
    assert made.rejects(made.drift) == pytest.approx(0.9, abs=1e-9)


def test_a_stop_is_expected_sooner_with_an_effect():
    made = group_sequential(Looks(information=THIRDS), alpha=0.025, sides=1)
    assert made.expected(2 * made.drift) < made.expected(made.drift) < made.expected(0.0) <= 1.0


@settings(max_examples=25, deadline=None)
@given(
    first=st.floats(0.05, 0.9), alpha=st.floats(0.001, 0.1), power=st.floats(0.5, 0.98), shape=st.floats(0.0, 0.5),
    kind=st.sampled_from(["spending", "wang-tsiatis"]), function=st.sampled_from(["obrien-fleming", "pocock", "power"]),
)  # fmt: skip
def test_level_and_power_are_exact(first, alpha, power, shape, kind, function):
    looks = Looks(information=(first, (1 + first) / 2, 1.0), kind=kind, function=function,
                  parameter=shape if kind == "wang-tsiatis" else None)  # fmt: skip
    made = group_sequential(looks, alpha=alpha, sides=1, power=power)
    assert made.rejects(0.0) == pytest.approx(alpha, abs=1e-8)
    assert made.rejects(made.drift) == pytest.approx(power, abs=1e-8)
    assert made.inflation >= 1.0 - 1e-9
    assert made.rejects(made.drift * 1.1) > power


def test_a_shape_of_zero_is_no_matter_of_the_spending_function():
    """Wang and Tsiatis's 0 is O'Brien and Fleming's boundary, whatever spending function stands beside it unused."""
    looks = {"information": (0.5, 1.0), "kind": "wang-tsiatis", "parameter": 0.0}
    plain, named = (
        group_sequential(Looks(**looks, function=name), alpha=0.025, sides=1) for name in ("pocock", "power")
    )
    assert plain.upper == pytest.approx(named.upper, abs=1e-12)


@pytest.mark.parametrize(
    ("looks", "more", "found"),
    [
        ((0.5, 0.5, 1.0), {}, "information rates"),
        ((0.7, 0.5, 1.0), {}, "information rates"),
        ((0.5, 0.9), {}, "information rates"),
        ((0.0, 1.0), {}, "information rates"),
        ((), {}, "information rates"),
        ((0.5, math.nan), {}, "information rates"),
        ((0.5, 1.0), {"kind": "triangle"}, "boundary"),
        ((0.5, 1.0), {"function": "even"}, "spending function"),
        ((0.5, 1.0), {"function": "power", "parameter": 0.0}, "exponent"),
        ((0.5, 1.0), {"futility": "pocock", "sides": 2}, "two-sided"),
        ((0.5, 1.0), {"futility": "pocock", "futility_z": (0.0,)}, "beta-spending"),
        ((0.5, 1.0), {"futility_z": (0.0, 1.0)}, "futility bounds"),
        ((0.5, 1.0), {"futility_z": (1.9,), "power": 0.999, "parameter": None}, None),
        ((0.5, 1.0), {"futility": "pocock", "kind": "wang-tsiatis", "binding": True}, "binding"),
        ((0.5, 1.0), {"kind": "haybittle-peto", "parameter": 1.0}, "interim bounds"),
        ((0.5, 1.0), {"alpha": 0.0}, "alpha"),
        ((0.5, 1.0), {"alpha": 0.6}, "alpha"),
        ((0.5, 1.0), {"power": 0.02}, "power"),
        ((0.5, 1.0), {"sides": 3}, "sides"),
    ],
)
def test_what_cannot_be_is_refused(looks, more, found):
    design = {"alpha": 0.025, "sides": 1, "power": 0.9}
    design |= {k: more.pop(k) for k in list(more) if k in design}
    if found is None:
        assert group_sequential(Looks(information=looks, **more), **design).rejects(0.0) <= 0.025
        return
    with pytest.raises(AnalysisError) as refused:
        group_sequential(Looks(information=looks, **more), **design)
    assert found in refused.value.found
    assert refused.value.expected
