"""The adult model of body weight: its reference runs, its energy balance, its direction."""

import csv
from dataclasses import fields

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.body_weight import BodyWeight, expenditure
from medtwin.physiology.model import draw, parameters_at

CASES = ("M100", "F80", "F95", "M70up")


def person(row):
    """The person of a reference case: the regressions' medians, its own activity and sodium."""
    known = {
        "body_weight": float(row["bw0"]),
        "body_height": 100 * float(row["height_m"]),
        "age": float(row["age"]),
        "female": float(row["sex"] == "female"),
    }
    parameters = parameters_at(BodyWeight(), {}, known)
    return eqx.tree_at(
        lambda p: (p.physical_activity_level, p.sodium_change),
        parameters,
        (jnp.asarray(float(row["PAL"])), jnp.asarray(float(row["dNa_mg_d"]))),
    )


@eqx.filter_jit
def run(model, parameters, intake, days):
    """Every state and observation from day 0 to ``days``."""

    def advance(now, _):
        state, day = now
        after = model.step(day, jnp.asarray(1.0), state, parameters, {"energy_intake": intake})
        return (after, day + 1), after

    start = model.initial(parameters)
    _, states = jax.lax.scan(advance, (start, jnp.asarray(0.0)), None, length=days)
    states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, states)
    return states, jax.vmap(lambda s: model.observe(jnp.asarray(0.0), s, parameters))(states)


def reference(shared_data, case):
    with (shared_data / "metabolism" / "reference" / "hall_bw_reference.csv").open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["case"] == case]


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("slip, tolerance", [(True, 0.001), (False, 0.05)])
def test_reference_runs(shared_data, case, slip, tolerance):
    rows = reference(shared_data, case)
    parameters, intake = person(rows[0]), float(rows[1]["EI"])
    days = np.array([int(row["day"]) for row in rows])
    expected = np.array([float(row["body_weight"]) for row in rows])
    states, seen = run(BodyWeight(unscaled_glycogen=slip), parameters, jnp.asarray(intake), int(days[-1]))
    assert days[-1] == 729
    assert np.ptp(expected) > 3  # the case moves
    assert np.abs(np.asarray(seen["body_weight"])[days] - expected).max() <= tolerance
    if slip:
        for column, state in (("fat", "fat"), ("lean", "lean"), ("ecf", "extracellular_fluid")):
            stated = np.array([float(row[column]) for row in rows])
            assert np.asarray(getattr(states, state))[days] == pytest.approx(stated, abs=0.001), column


@pytest.mark.shared
def test_baseline_follows_the_regressions(shared_data):
    for case in CASES:
        row = reference(shared_data, case)[0]
        start = BodyWeight().initial(person(row))
        assert float(start.fat) == pytest.approx(float(row["fat"]), rel=1e-9)
        assert float(start.lean) == pytest.approx(float(row["lean"]), rel=1e-9)
        assert float(start.extracellular_fluid) == pytest.approx(float(row["ecf"]), rel=1e-9)
        assert float(BodyWeight().resting(person(row))["energy_intake"]) == pytest.approx(float(row["EI"]), rel=1e-9)


def test_energy_is_conserved():
    """What is stored in fat, lean and glycogen equals intake less expenditure, to 1e-9, at any state of 500 people."""
    model = BodyWeight()
    p = draw(model, jax.random.key(1), 500)
    start = model.initial(p)
    shake = jax.random.uniform(jax.random.key(2), (5, 500), minval=0.7, maxval=1.3)
    state = type(start)(*[getattr(start, f.name) * shake[i] for i, f in enumerate(fields(start))])
    intake = model.resting(p)["energy_intake"] * jnp.linspace(0.4, 1.8, 500)
    rates = model.rates(jnp.asarray(0.0), state, p, {"energy_intake": intake})
    eaten = intake + p.unrecorded_intake
    stored = p.fat_energy * rates.fat + p.lean_energy * rates.lean + p.glycogen_energy * rates.glycogen
    spent = expenditure(state, p, eaten) + p.fat_building * rates.fat + p.lean_building * rates.lean
    assert np.abs(np.asarray(rates.fat)).max() > 0.05
    assert np.asarray(stored + spent) == pytest.approx(np.asarray(eaten), rel=1e-9)
    slipped = BodyWeight(unscaled_glycogen=True).rates(jnp.asarray(0.0), state, p, {"energy_intake": intake})
    broken = p.fat_energy * slipped.fat + p.lean_energy * slipped.lean + p.glycogen_energy * slipped.glycogen
    spent = expenditure(state, p, eaten) + p.fat_building * slipped.fat + p.lean_building * slipped.lean
    assert np.abs(np.asarray(broken + spent - eaten)).max() > 10  # the slip does break it


def test_a_person_in_balance_keeps_the_weight_and_one_who_eats_less_loses_it():
    model = BodyWeight()
    p = draw(model, jax.random.key(3), 200)
    resting = model.resting(p)["energy_intake"]
    _, kept = run(model, p, resting, 365)
    assert np.asarray(kept["body_weight"][-1]) == pytest.approx(np.asarray(p.starting_weight), rel=1e-9)
    _, less = run(model, p, resting - 500.0, 365)
    lost = np.asarray(p.starting_weight - less["body_weight"][-1])
    assert lost.min() > 5  # 500 kcal a day for a year
    assert lost.max() < 500 * 365 / 7700  # less than the static rule of 7700 kcal per kg promises
    assert np.asarray(less["body_fat_fraction"][-1] < kept["body_fat_fraction"][-1]).all()


def test_priors_follow_the_person():
    light = parameters_at(BodyWeight(), {}, {"body_weight": 60.0, "female": 1.0, "age": 30.0, "body_height": 165.0})
    heavy = parameters_at(BodyWeight(), {}, {"body_weight": 110.0, "female": 1.0, "age": 30.0, "body_height": 165.0})
    assert float(light.starting_weight) == 60.0
    assert float(light.starting_fat_share) == pytest.approx((0.14 * 30 + 39.96 * np.log(60 / 1.65**2) - 102.01) / 100)
    assert float(heavy.starting_fat_share) > float(light.starting_fat_share)
    assert float(heavy.resting_expenditure) < float(light.resting_expenditure)  # per kilogram
