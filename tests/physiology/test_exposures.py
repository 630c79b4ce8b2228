"""What is given is conserved on any grid, and the same exposures serve every model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import ModelError
from medtwin.physiology.exposures import (
    DAY,
    MINUTE,
    Exposure,
    Grid,
    activity,
    basal,
    bolus,
    hold,
    inputs,
    meal,
    spread,
)
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import Accepts

ACCEPTS = GlucoseInsulin.accepts
DAY_GRID = Grid(start=0.0, step=MINUTE, count=1440)

times = st.floats(0, 86400, allow_nan=False)
amounts = st.floats(0, 500, allow_nan=False)
durations = st.one_of(st.just(0.0), st.floats(1e-3, 40000, allow_nan=False))
events = st.lists(st.tuples(times, amounts, durations), min_size=1, max_size=12)
grids = st.builds(
    Grid, start=st.just(-3600.0), step=st.sampled_from([7.0, 15.0, 60.0, 300.0, 3600.0, 86400.0]), count=st.just(0)
)


def covering(grid: Grid) -> Grid:
    """The same steps, long enough for all events of these tests."""
    return Grid(start=grid.start, step=grid.step, count=int(np.ceil(140000 / grid.step)))


@given(events, grids)
def test_an_amount_is_conserved_on_every_grid(events, grid):
    time, amount, duration = (np.array(column) for column in zip(*events, strict=True))
    grid = covering(grid)
    rate = spread(time, amount, duration, grid)
    assert rate.min() >= 0
    assert rate.sum() * grid.step == pytest.approx(amount.sum(), rel=1e-12, abs=1e-12)


@given(events, st.integers(1, 1400), st.sampled_from([60.0, 61.0]))
def test_a_cut_grid_gives_the_same_steps(events, cut, step):
    time, amount, duration = (np.array(column) for column in zip(*events, strict=True))
    whole = spread(time, amount, duration, Grid(start=0.0, step=step, count=1440))
    first = spread(time, amount, duration, Grid(start=0.0, step=step, count=cut))
    second = spread(time, amount, duration, Grid(start=cut * step, step=step, count=1440 - cut))
    assert np.concatenate([first, second]) == pytest.approx(whole, rel=1e-9, abs=1e-12)


@given(
    st.lists(st.tuples(st.floats(-7200, 90000), st.floats(0, 5)), min_size=1, max_size=10),
    st.sampled_from([60.0, 300.0, 3600.0]),
)
def test_a_rate_holds_and_its_integral_is_conserved(statements, step):
    time, value = (np.array(column) for column in zip(*statements, strict=True))
    grid = Grid(start=0.0, step=step, count=int(DAY / step))
    held = hold(time, value, np.full(len(time), np.inf), grid)
    # the integral of the step function, second by second of its own break points
    breaks = np.unique(np.clip(np.append(time, [0.0, DAY]), 0, DAY))
    middle = (breaks[1:] + breaks[:-1]) / 2
    order = np.argsort(time, kind="stable")
    index = np.searchsorted(time[order], middle, side="right") - 1
    level = np.where(index >= 0, value[order][np.maximum(index, 0)], 0.0)
    assert held.sum() * step == pytest.approx((level * np.diff(breaks)).sum(), rel=1e-9, abs=1e-9)
    assert held.max() <= value.max() + 1e-9


def test_a_meal_is_eaten_at_five_grams_a_minute_with_a_partial_last_minute():
    read = inputs(meal(420 * MINUTE, carbohydrate=43.0), ACCEPTS, DAY_GRID, unit=MINUTE)["carbohydrate_intake"]
    assert read[420:429] == pytest.approx([5.0] * 8 + [3.0])
    assert read.sum() == pytest.approx(43.0)
    assert np.count_nonzero(read) == 9


def test_a_meal_that_begins_within_a_minute_shares_it():
    read = inputs(meal(420.5 * MINUTE, carbohydrate=10.0), ACCEPTS, DAY_GRID, unit=MINUTE)["carbohydrate_intake"]
    assert read[420:423] == pytest.approx([2.5, 5.0, 2.5])


def test_a_bolus_is_given_within_one_minute_and_an_extended_one_evenly():
    read = inputs([bolus(60.0, 3.0), bolus(600.0, 2.0, until=1200.0)], ACCEPTS, DAY_GRID, unit=MINUTE)["insulin_bolus"]
    assert read[1] == pytest.approx(3.0)
    assert read[10:20] == pytest.approx(0.2)
    assert read.sum() == pytest.approx(5.0)


def test_a_basal_rate_holds_until_the_next_statement_and_a_temporary_one_until_its_end():
    stated = [basal(-3600.0, 0.8), basal(120.0, 1.2), basal(270.0, 0.0, until=330.0)]
    read = inputs(stated, ACCEPTS, DAY_GRID, unit=MINUTE)["insulin_basal_rate"]
    assert read[:2] == pytest.approx(0.8)
    assert read[2:4] == pytest.approx(1.2)
    assert read[4] == pytest.approx(0.6)  # half of the step at 1.2
    assert read[5:] == pytest.approx(0.0)


def test_the_last_of_two_statements_at_one_time_holds():
    read = hold(np.array([0.0, 0.0]), np.array([1.0, 2.0]), np.full(2, np.inf), Grid(start=0.0, step=60.0, count=3))
    assert read == pytest.approx(2.0)


def test_one_meal_serves_models_on_two_clocks():
    eaten = meal(8 * 3600.0, carbohydrate=60.0, protein=20.0, fat=10.0)
    fast = inputs(eaten, ACCEPTS, DAY_GRID, unit=MINUTE)
    slow = inputs(eaten, [Accepts(quantity="energy_intake")], Grid(start=0.0, step=DAY, count=2), unit=DAY)
    assert fast["carbohydrate_intake"].sum() == pytest.approx(60.0)
    assert slow["energy_intake"] == pytest.approx([60 * 4 + 20 * 4 + 10 * 9, 0.0])  # kcal per day, on its day


def test_what_is_never_recorded_rests():
    read = inputs([], [Accepts(quantity="heart_rate", resting=65.0)], Grid(start=0.0, step=60.0, count=4), unit=MINUTE)
    assert read["heart_rate"] == pytest.approx(65.0)


def test_a_walk_spreads_its_steps_and_holds_its_heart_rate():
    accepts = [Accepts(quantity="step_count"), Accepts(quantity="heart_rate", resting=60.0)]
    grid = Grid(start=0.0, step=MINUTE, count=10)
    read = inputs(activity(120.0, until=240.0, steps=200.0, heart_rate=100.0), accepts, grid, unit=MINUTE)
    assert read["step_count"][2:4] == pytest.approx(100.0)
    assert read["heart_rate"] == pytest.approx([60, 60, 100, 100, 60, 60, 60, 60, 60, 60])


def test_an_exposure_that_ends_before_it_begins_is_refused():
    with pytest.raises(ModelError, match="ends before it begins"):
        inputs([Exposure(quantity="insulin_bolus", time=60.0, amount=1.0, until=0.0)], ACCEPTS, DAY_GRID, unit=MINUTE)


def test_a_code_is_no_input():
    with pytest.raises(ModelError, match="diagnosis"):
        inputs([], [Accepts(quantity="diagnosis")], DAY_GRID, unit=MINUTE)
