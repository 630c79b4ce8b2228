"""The loop: what was given is what the body got, nobody depends on who is beside them, wrong parts are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.physiology.model import simulate as run_model
from medtwin.physiology.models import by_name
from medtwin.population.controllers import controller_of
from medtwin.population.controllers.python import PythonController
from medtwin.population.days import Exercise, Meal, Scenario
from medtwin.population.metrics import outcomes
from medtwin.population.people import virtual_people
from medtwin.population.sensor import Exact
from medtwin.population.simulate import course_of, simulate

PLAIN = Scenario(
    meals=(Meal(480.0, 50.0, time_sd=0.0, amount_sd=0.0),), count_sd=0.0, missed=0.0, sensitivity_sd=0.0, absorption_sd=0.0,
    settings_sd=0.0, rescue=0.0,
)  # fmt: skip


def lived(people, controller, days, block=512, keep=True, **more):
    return list(simulate(people, course_of(people, controller, **more), days, keep=keep, block=block))


@pytest.mark.slow
def test_nobody_depends_on_the_block(people):
    """Bit for bit, also where the last block is filled up."""
    few = people.some(slice(0, 11))
    whole = lived(few, controller_of("predictive"), 1)
    parts = lived(few, controller_of("predictive"), 1, block=4)
    assert [part.people for part in parts] == [slice(0, 4), slice(4, 8), slice(8, 11)]
    np.testing.assert_array_equal(np.concatenate([part.trace for part in parts], axis=1), whole[0].trace)
    apart = np.concatenate([part.tally.bolus for part in parts])
    np.testing.assert_array_equal(apart, whole[0].tally.bolus)


def test_the_body_gets_what_the_pump_gave(people):
    """Every dose as a controller sees it delivered, replayed through the model's own loop in 64 bit: the same glucose."""
    given = []

    def make(settings):
        mine = []
        given.append(mine)

        def decide(seen):
            mine.append(seen["delivered"])
            return settings["basal"] * (0.5 if seen["minute"] > 700 else 1.0), seen["carbohydrate"] / 10.0

        return decide

    few = people.some(slice(0, 3))
    (part,) = lived(few, PythonController(make), 2, scenario=PLAIN, sensor=Exact(), measured="blood_glucose")
    doses = np.array(given).T  # (slots, people): what was given in the slot before
    assert doses.shape == (576, 3)
    total = doses[1:].sum(0)
    tallied = np.asarray(part.tally.basal + part.tally.bolus)
    np.testing.assert_allclose(total, tallied, rtol=0.01)  # all but the last slot
    assert np.all(total < tallied)

    person = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), few.parameters)
    rate = np.repeat(doses[1:] / 5.0, 5, axis=0)  # U/min
    eaten = np.zeros_like(rate)
    grams = 50.0 * few.parameters.body_weight / 75.0
    for day in range(2):
        first = 1440 * day + 480
        minutes = np.arange(60)[:, None]
        whole = np.clip(grams / 5.0 - 5 * (minutes // 5), 0.0, 5.0)  # averaged over each slot, as the loop does
        eaten[first : first + 60] = whole
    held = {
        "carbohydrate_intake": jnp.asarray(eaten), "insulin_bolus": jnp.asarray(rate),
        "insulin_basal_rate": jnp.zeros(rate.shape),
    }  # fmt: skip
    _, seen = run_model(few.model, few.model.initial(person), person, held, every=5)
    np.testing.assert_allclose(np.asarray(seen["blood_glucose"]), part.trace[1:], atol=0.2)
    assert np.ptp(part.trace) > 50.0


def test_rest_stays_at_rest(people):
    quiet = Scenario(meals=(), count_sd=0.0, sensitivity_sd=0.0, absorption_sd=0.0, settings_sd=0.0, rescue=0.0)
    (part,) = lived(people, controller_of("open-loop"), 1, scenario=quiet)
    assert np.abs(part.trace - part.trace[:1]).max() < 1.0
    np.testing.assert_allclose(part.tally.basal, 24.0 * people.therapy.basal, rtol=1e-4)


@pytest.mark.slow
def test_exercise_lowers_glucose_where_the_model_knows_it():
    made = virtual_people("t1d", 12, seed=2, model=by_name("glucose_meals"))
    always = Exercise(chance=1.1)
    quiet, active = (
        lived(made, controller_of("open-loop"), 1, scenario=Scenario(rescue=0.0, exercise=one))[0].trace
        for one in (Exercise(chance=0.0), always)
    )
    hour = slice(int(always.at / 5), int(always.at / 5) + 24)
    np.testing.assert_array_equal(quiet[: hour.start], active[: hour.start])
    assert np.mean(active[hour] - quiet[hour]) < -1.0


def test_parts_that_do_not_fit(people):
    with pytest.raises(ModelError, match="glucose_meals"):
        course_of(people, controller_of("open-loop"), Scenario(exercise=Exercise()))
    with pytest.raises(ModelError, match="nothing that gives it"):
        course_of(people, None)
    with pytest.raises(ModelError, match="kind healthy"):
        course_of(virtual_people("healthy", 2), controller_of("pid"))
    with pytest.raises(ModelError, match="blood_glucose"):
        course_of(people, controller_of("pid"), measured="tears")


def test_people_without_insulin():
    """Without diabetes nearly all plasma glucose stays below 180; untreated type 2 does not."""
    share = {}
    for kind in ("healthy", "t2d"):
        (part,) = lived(virtual_people(kind, 30, seed=1), None, 2)
        share[kind] = outcomes(part.tally)["above_180"].mean()
        assert not part.tally.bolus.any()
    assert share["healthy"] < 5.0 < share["t2d"]
