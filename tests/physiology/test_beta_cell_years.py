"""Years: the published healthy rest, eight reference scenarios, an independent integrator, and the window of remission."""

import csv

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from medtwin.physiology.beta_cell_years import BetaCellYears, BetaCellYearsState
from medtwin.physiology.model import draw, parameters_at

MODEL = BetaCellYears()
COLUMNS = ("G_mgdl", "I_uUml", "FFA_umoll", "SI", "sigma", "infl", "B_mg", "weight_kg")  # in the order of the states
SUSTAINED, DIET, AFTER = 3750.0, 1500.0, 2375.0  # kcal/d


def person(target=1.4):
    p = parameters_at(MODEL, {}, {"body_weight": 81.0, "body_height": 180.0, "age": 40.0})
    return eqx.tree_at(lambda q: q.target_sensitivity, p, jnp.asarray(target))


@eqx.filter_jit
def lived(p, start, intake):
    """The state after each day of the given intake (kcal/d)."""

    def day(state, now):
        after = MODEL.step(jnp.asarray(0.0), jnp.asarray(1.0), state, p, {"energy_intake": now})
        return after, after

    return jax.lax.scan(day, start, intake)[1]


def eaten(days, diet_start):
    """3750 kcal/d until the diet, 1500 for 120 days, then 2375."""
    day = np.arange(days)
    return np.where(day < diet_start, SUSTAINED, np.where(day < diet_start + 120, DIET, AFTER))


def table(states):
    return np.stack([np.asarray(leaf) for leaf in jax.tree.leaves(states)], axis=-1)


def test_the_healthy_person_rests_where_the_reference_does():
    """At 2500 kcal/d, 1.80 m, 40 years: the figures of the reference, to their print."""
    start = MODEL.initial(person())
    published = (94.91, 10.75, 429.1, 0.702, 531.8, None, 1098, 81)
    for value, stated in zip(jax.tree.leaves(start), published, strict=True):
        assert stated is None or float(value) == pytest.approx(stated, rel=7e-4)
    assert float(MODEL.resting(person())["energy_intake"]) == pytest.approx(2500.0)


@pytest.mark.slow
@pytest.mark.shared
def test_eight_reference_scenarios(shared_data):
    """From the reference's states on day 0, in steps of one day: within 1e-4 of every value of it."""
    path = shared_data / "metabolism" / "reference" / "obesity_t2d_yildirim2023_reference.csv"
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    cases = {(row["target_si"], row["diet_start_year"]) for row in rows}
    assert len(cases) == 8
    worst = 0.0
    for target, year in sorted(cases):
        own = [row for row in rows if (row["target_si"], row["diet_start_year"]) == (target, year)]
        days = np.array([int(float(row["day"])) for row in own])
        expected = np.array([[float(row[column]) for column in COLUMNS] for row in own])
        start = BetaCellYearsState(*[jnp.asarray(value) for value in expected[0]])
        p = person(float(target))
        states = table(lived(p, start, jnp.asarray(eaten(days[-1], 365 * int(float(year))))))
        worst = max(worst, np.abs(states[days[1:] - 1] / expected[1:] - 1).max())
    assert worst < 1e-4, worst


@pytest.mark.parametrize("target", [1.4, 0.7])
def test_steps_of_a_day_meet_an_adaptive_integrator_of_the_rates(target):
    """LSODA with tight tolerance on the model's own rates: overeating for two years, then the diet."""
    p = person(target)
    start = MODEL.initial(p)
    intake = eaten(1000, 730)

    @jax.jit
    def rates(x, now):
        state = BetaCellYearsState(*x)
        return jnp.stack(jax.tree.leaves(MODEL.rates(jnp.asarray(0.0), state, p, {"energy_intake": now})))

    x = np.array([float(leaf) for leaf in jax.tree.leaves(start)])
    for begin, end, now in ((0, 730, SUSTAINED), (730, 850, DIET), (850, 1000, AFTER)):
        x = solve_ivp(
            lambda _, y, now=now: np.asarray(rates(y, now)), (begin, end), x, method="LSODA", rtol=1e-7, atol=1e-7
        ).y[:, -1]
    ours = table(lived(p, start, jnp.asarray(intake)))[-1]
    assert ours == pytest.approx(x, rel=1e-4)


@pytest.mark.slow
def test_remission_has_a_window():
    """Target 0.7: fat years make diabetes (126 mg/dL and more); a diet early brings it back, a diet late does not.

    Target 1.4 gets as heavy and stays without diabetes.
    """
    robust, prone = person(1.4), person(0.7)
    heavy = table(lived(robust, MODEL.initial(robust), jnp.asarray(eaten(3650, 9999))))
    assert heavy[-1, 7] > 115
    assert heavy[:, 0].max() < 126
    fat = table(lived(prone, MODEL.initial(prone), jnp.asarray(eaten(5475, 3650))))
    assert fat[3649, 0] == pytest.approx(177, abs=2)  # the reference's figures after ten years
    assert fat[3649, 6] == pytest.approx(435, rel=0.02)
    assert fat[-1, 0] > 126  # no return within five years
    early = table(lived(prone, MODEL.initial(prone), jnp.asarray(eaten(2555, 365))))
    assert early[364, 0] > 105
    assert early[-1, 0] < fat[-1, 0] - 20


def test_every_draw_rests_and_the_healthiest_of_two_rests_is_taken():
    p = draw(MODEL, jax.random.key(2), 300)
    start = MODEL.initial(p)
    rates = MODEL.rates(jnp.asarray(0.0), start, p, MODEL.resting(p))
    for name in ("glucose", "insulin", "fatty_acids", "beta_mass"):
        moved = np.asarray(getattr(rates, name) / getattr(start, name))
        assert np.abs(moved).max() < 1e-8, name
    glucose = np.asarray(start.glucose)
    assert np.median(glucose) < 110
    assert glucose.max() > 126  # some are diabetic at rest


def test_the_gradient_of_the_state_at_rest_is_that_of_the_root():
    def glucose(target):
        return MODEL.initial(person(target)).glucose

    slope = float(jax.grad(glucose)(jnp.asarray(1.0)))
    numeric = float(glucose(jnp.asarray(1.0 + 1e-4)) - glucose(jnp.asarray(1.0 - 1e-4))) / 2e-4
    assert slope == pytest.approx(numeric, rel=1e-5)
    assert slope < 0
