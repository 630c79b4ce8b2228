"""Minutes of glucose inside days of weight inside years of beta cells: what flows, and the error of the exchange."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.coupled import exchange_error
from medtwin.physiology.exposures import MINUTE, Grid, inputs
from medtwin.physiology.metabolism import FASTING, MEALS, minutes_in_years
from medtwin.physiology.model import parameters_at, simulate

KNOWN = {"body_weight": 100.0, "body_height": 169.0, "age": 54.0, "type_2_diabetes": 1.0}
DAYS = 4


@pytest.fixture(scope="module")
def start():
    """A person of three years at this weight: parameters and state."""
    model = minutes_in_years()
    p = parameters_at(model, {}, KNOWN)
    state = model.initial(p)
    cells = model.models[-1]
    own = model._modulated(jnp.zeros(()), model._parts(state), p)[-1]

    @eqx.filter_jit
    def years(now):
        def day(held, _):
            return cells.step(jnp.zeros(()), jnp.ones(()), held, own, {"body_weight": jnp.asarray(100.0)}), None

        return jax.lax.scan(day, now, None, length=1095)[0]

    settled = years(model._parts(state)[-1])
    return p, dataclasses.replace(state, **vars(settled))


def lived(carbohydrate, days=DAYS):
    """Inputs of so many days of three meals of that size, g."""
    model = minutes_in_years()
    given = [
        dataclasses.replace(one, amount=carbohydrate) for one in MEALS.given if one.quantity == "carbohydrate_intake"
    ]
    grid = Grid(start=0.0, step=MINUTE, count=days * 1440)
    return {name: jnp.asarray(value) for name, value in inputs(given, model.accepts, grid, unit=MINUTE).items()}


@pytest.mark.slow
def test_what_is_eaten_by_the_minute_moves_weight_and_years(start):
    p, state = start
    model = minutes_in_years()
    run = eqx.filter_jit(lambda held: simulate(model, state, p, held, every=60))
    ends, seen = {}, {}
    for carbohydrate in (40.0, 140.0):
        ends[carbohydrate], seen[carbohydrate] = run(lived(carbohydrate))
    little, much = (seen[size] for size in (40.0, 140.0))
    assert float(much["body_weight"][-1]) > float(little["body_weight"][-1]) + 1.0
    assert float(much["liver_fat_fraction"][-1]) > float(little["liver_fat_fraction"][-1])
    assert float(much["blood_glucose"].max()) > float(little["blood_glucose"].max()) + 20.0
    # energy handed to weight is what was eaten: 8 kcal/g, less what still waits for the next exchange
    end = ends[40.0]
    assert float(end.body_weight_energy_intake_delivered + end.body_weight_energy_intake_pending) == pytest.approx(
        8.0 * 40.0 * 3 * DAYS, rel=1e-3
    )
    # the minutes rest where the years are
    own = model._modulated(jnp.zeros(()), model._parts(end), p)[0]
    cells = model._parts(end)[-1]
    assert float(own.fasting_glucose) == pytest.approx(FASTING * float(cells.glucose), rel=1e-5)


@pytest.mark.slow
def test_halving_the_exchange_changes_little(start):
    """Exchange once a day against twice, at midnight: mg/dL, kg, and % of the liver (measured: .24, .13, .05)."""
    p, state = start
    error = exchange_error(minutes_in_years(), p, lived(80.0), state=state, every=1440)
    assert 0 < error["body_weight"] < 0.3
    assert 0 < error["blood_glucose"] < 1.0
    assert error["liver_fat_fraction"] < 0.3
    assert np.isfinite(list(error.values())).all()
