"""Days: everything that is on the plate is eaten, each meal is said once, people differ and a seed repeats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.population.days import SLOT, SLOTS, Scenario, day_of, eaten_in, said_in
from medtwin.population.people import keys_of

SCENARIO = Scenario()


@pytest.fixture(scope="module")
def day():
    keys = keys_of(3, jnp.arange(4000), stream=1)
    return day_of(SCENARIO, keys, jnp.asarray(2), jnp.full(4000, 75.0))


def test_nothing_is_lost(day):
    minutes = SLOT * jnp.arange(float(SLOTS))
    eaten = SLOT * jax.vmap(lambda minute: eaten_in(day, minute))(minutes)
    np.testing.assert_allclose(eaten.sum(0), day.grams.sum(0), rtol=1e-9)
    assert float(eaten.max()) <= 4 * 5.0 * SLOT  # 5 g/min each
    said = jax.vmap(lambda minute: said_in(day, minute))(minutes)
    np.testing.assert_allclose(said.sum(0), day.said.sum(0), rtol=1e-9)


def test_days_are_as_the_scenario_says(day):
    """Each against its own expectation, within four standard errors of 4000 people."""
    for i, meal in enumerate(SCENARIO.meals):
        eats = np.asarray(day.grams[i]) > 0
        assert eats.mean() == pytest.approx(meal.chance, abs=4 * 0.5 / 4000**0.5 + 1e-12)
        amount = np.asarray(day.grams[i])[eats]
        assert np.median(amount) == pytest.approx(meal.grams, rel=4 * 1.25 * meal.amount_sd / eats.sum() ** 0.5)
        at = np.asarray(day.begins[i])
        assert np.all(at % SLOT == 0)
        assert at.mean() + SLOT / 2 == pytest.approx(meal.at, abs=4 * meal.time_sd / 4000**0.5)
    eats = np.asarray(day.grams) > 0
    forgotten = (np.asarray(day.said) == 0) & eats
    assert forgotten.sum() / eats.sum() == pytest.approx(SCENARIO.missed, abs=4 * (SCENARIO.missed / eats.sum()) ** 0.5)
    wrong = np.log(np.asarray(day.said)[eats & ~forgotten] / np.asarray(day.grams)[eats & ~forgotten])
    assert wrong.std() == pytest.approx(SCENARIO.count_sd, rel=0.05)  # cut off at 2.5 sd


def test_a_day_is_a_persons_own():
    keys = keys_of(3, jnp.arange(7, 9), stream=1)
    both = day_of(SCENARIO, keys, jnp.asarray(0), jnp.full(2, 75.0))
    one = day_of(SCENARIO, keys[1:], jnp.asarray(0), jnp.full(1, 75.0))
    np.testing.assert_array_equal(both.grams[:, 1:], one.grams)
    np.testing.assert_array_equal(both.noise[:, 1:], one.noise)
    other = day_of(SCENARIO, keys[1:], jnp.asarray(1), jnp.full(1, 75.0))
    assert not np.array_equal(other.grams, one.grams)
