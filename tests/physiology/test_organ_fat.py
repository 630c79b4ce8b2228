"""Fat of liver and pancreas: values by hand, the course of a strict diet, and what it does to HbA1c when coupled."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.metabolism import metabolism
from medtwin.physiology.model import parameters_at, simulate
from medtwin.physiology.organ_fat import OrganFat, settled

FAT = OrganFat()
DIABETIC = {"body_weight": 100.0, "type_2_diabetes": 1.0}


def test_settled_values_by_hand():
    p = parameters_at(FAT, {}, DIABETIC)
    assert float(p.fat_threshold) == pytest.approx(85.0)
    far = settled(p, jnp.asarray(60.0))
    assert float(far.liver) == pytest.approx(2.2, abs=0.01)
    assert float(far.asleep) == pytest.approx(0.0, abs=1e-4)
    heavy = settled(p, jnp.asarray(100.0))
    liver = 2.2 + 0.86 * 3.0 * np.log1p(np.exp(15.0 / 3.0))
    assert float(heavy.liver) == pytest.approx(liver, rel=1e-6)
    assert float(heavy.pancreas) == pytest.approx(6.0 + 0.18 * (liver - 2.2), rel=1e-6)
    half = dataclasses.replace(p, half_fat=heavy.pancreas - 6.0)
    assert float(settled(half, jnp.asarray(100.0)).asleep) == pytest.approx(0.5)
    seen = FAT.observe(jnp.asarray(0.0), heavy, p)
    assert float(seen["hepatic_production_factor"]) == pytest.approx(1 + 0.026 * (liver - 2.2), rel=1e-6)
    assert float(seen["awake_beta_cells"]) == pytest.approx(1 - float(heavy.asleep))


def test_a_strict_diet_empties_the_liver_first_then_the_pancreas_then_wakes_cells():
    """Lim 2011: 15 kg in eight weeks; liver in days to weeks, pancreas over weeks, secretion after."""
    p = parameters_at(FAT, {}, DIABETIC)
    days = 168
    weight = 100.0 - 15.0 * jnp.minimum(jnp.linspace(1.0, days, days) / 56.0, 1.0)
    start = settled(p, jnp.asarray(100.0))
    seen = simulate(FAT, start, p, {"body_weight": weight})[1]
    gone = {
        name: np.asarray((values[0] - values) / (values[0] - values[-1]))
        for name, values in seen.items()
        if name in ("liver_fat_fraction", "pancreas_fat_fraction", "awake_beta_cells")
    }
    half = {name: int(np.argmax(share > 0.5)) for name, share in gone.items()}
    assert half["liver_fat_fraction"] < half["pancreas_fat_fraction"] < half["awake_beta_cells"] < 120
    assert float(seen["liver_fat_fraction"][55]) < 6.0
    assert float(seen["awake_beta_cells"][-1]) > float(seen["awake_beta_cells"][0]) + 0.3


def test_the_wires_carry_fat_to_the_years_of_beta_cells():
    """Parameters of ``beta_cells`` under a settled fat, by hand; a drug scales what fat has set."""
    model = metabolism()
    names = [one.name for one in model.models]
    p = parameters_at(model, {}, {**DIABETIC, "body_height": 169.0})
    p = dataclasses.replace(p, fat_threshold=jnp.asarray(85.0))
    state = model.initial(p)
    assert float(state.liver) == pytest.approx(2.2 + 0.86 * 3.0 * np.log1p(np.exp(5.0)), rel=1e-3)
    own = model._modulated(jnp.zeros(()), model._parts(state), p)[names.index("beta_cells")]
    bare = model._own(names.index("beta_cells"), p)
    assert float(own.production_factor) == pytest.approx(1 + 0.026 * (float(state.liver) - 2.2), rel=1e-5)
    assert float(own.secretion_factor) == pytest.approx(1 - float(state.asleep), rel=1e-5)
    assert float(own.function_loss) == 0.0
    assert float(own.death_of_work) == pytest.approx(0.87 * float(bare.death_of_work))
    treated = dataclasses.replace(state, metformin_acting=2000.0 / p.metformin_offset_rate)
    under = model._modulated(jnp.zeros(()), model._parts(treated), p)[names.index("beta_cells")]
    assert float(under.production_factor / own.production_factor) == pytest.approx(
        1 - float(p.production_fall), rel=1e-3
    )
