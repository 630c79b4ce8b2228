"""Beta cells under a given weight: the same years as ``beta_cell_years``, and glucose in urine."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.beta_cell_years import BetaCellYears
from medtwin.physiology.beta_cells import NAMES, BetaCells
from medtwin.physiology.model import parameters_at

MODEL, WHOLE = BetaCells(), BetaCellYears()
KNOWN = {"body_weight": 81.0, "body_height": 180.0, "age": 40.0}


def test_under_the_weight_of_the_whole_model_the_years_are_the_same():
    """1500 kcal/d more for two years; the weight of each day's middle is handed over."""
    p = parameters_at(WHOLE, {}, KNOWN)
    p = eqx.tree_at(lambda q: q.target_sensitivity, p, jnp.asarray(0.7))
    intake = WHOLE.resting(p)["energy_intake"] + 1250.0

    @eqx.filter_jit
    def lived(whole, part):
        def day(pair, _):
            a, b = pair
            after = WHOLE.step(jnp.asarray(0.0), jnp.asarray(1.0), a, p, {"energy_intake": intake})
            held = {"body_weight": 0.5 * (a.weight + after.weight)}
            return (after, MODEL.step(jnp.asarray(0.0), jnp.asarray(1.0), b, p, held)), None

        return jax.lax.scan(day, (whole, part), None, length=730)[0]

    whole, part = lived(WHOLE.initial(p), MODEL.initial(p))
    assert float(whole.weight) > 110.0
    for name in NAMES:
        assert float(getattr(part, name)) == pytest.approx(float(getattr(whole, name)), rel=2e-3)


def test_glucose_in_urine_is_the_clearance_times_what_is_above_the_threshold():
    p = parameters_at(MODEL, {}, KNOWN)
    p = eqx.tree_at(lambda q: (q.target_sensitivity, q.excretion_clearance), p, (jnp.asarray(0.5), jnp.asarray(0.01)))
    state = MODEL.initial(p)
    for _ in range(60):
        state = MODEL.step(jnp.asarray(0.0), jnp.asarray(1.0), state, p, {"body_weight": jnp.asarray(81.0)})
    lost = 0.01 * (float(state.glucose) - 90.0) * 81.0 * 1440.0 / 1000.0  # g/d
    assert lost > 30
    assert float(state.urine_glucose) == pytest.approx(lost, rel=0.02)
    assert np.isclose(float(MODEL.observe(0.0, state, p)["glucose_excretion"]), float(state.urine_glucose))
