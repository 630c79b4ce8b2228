"""Gymnasium's own checks, and that the environment is the loop of the cohort."""

import warnings

import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.population.controllers import controller_of
from medtwin.population.controllers.open_loop import OpenLoop
from medtwin.population.days import SLOTS, Scenario
from medtwin.population.people import keys_of, virtual_people
from medtwin.statistics.glucose.risk import risk_of

gymnasium = pytest.importorskip("gymnasium", reason="the extra `gym` (gymnasium) is not installed")

from medtwin.population.environment import CohortEnvironment, PersonEnvironment, register  # noqa: E402

QUIET = Scenario(meals=(), sensitivity_sd=0.0, absorption_sd=0.0)


@pytest.fixture(scope="module")
def person():
    return PersonEnvironment(days=1)


@pytest.mark.slow
def test_gymnasiums_own_check():
    from gymnasium.utils.env_checker import check_env

    register()
    register()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = gymnasium.make("medtwin/T1D-v0")
        with warnings.catch_warnings():  # it asks for actions between -1 and 1; insulin is in U/h
            warnings.filterwarnings("ignore", message=".*normalized.*")
            check_env(made.unwrapped, skip_render_check=True)


def test_a_day_ends_and_a_seed_repeats(person):
    basal = np.asarray(person.loop.therapy.basal)
    seen = []
    for _ in range(2):
        first, info = person.reset(seed=4)
        rewards, risk_at_first = [], info["lbgi"] + info["hbgi"]
        for i in range(SLOTS):
            observed, reward, terminated, truncated, info = person.step(basal)
            rewards.append(reward)
            assert not terminated
            assert truncated == (i == SLOTS - 1)
            assert info["insulin"] == pytest.approx(float(basal[0]) / 12, rel=1e-5)
        low, high = risk_of(np.array([info["bg"]]))
        assert info["lbgi"] + info["hbgi"] == pytest.approx(float(low[0] + high[0]), rel=1e-3, abs=1e-3)
        assert sum(rewards) == pytest.approx(risk_at_first - info["lbgi"] - info["hbgi"], abs=1e-2)
        seen.append((first[0], observed[0], sum(rewards)))
    assert seen[0] == seen[1]


def test_insulin_lowers_and_the_pump_limits(person):
    basal = float(person.loop.therapy.basal[0])
    weight = float(person.loop.therapy.body_weight[0])
    ends = {}
    for factor in (0.0, 1.0, 2.0):
        person.reset(seed=1)
        for _ in range(60):
            *_, info = person.step(np.array([factor * basal], np.float32))
        ends[factor] = info["bg"]
    assert ends[0.0] > ends[1.0] > ends[2.0]
    person.reset(seed=1)
    total = sum(person.step(np.array([30.0], np.float32))[-1]["insulin"] for _ in range(12))
    assert total <= 0.5 * weight * 2 + 1e-3  # 0.5 U/kg at any moment, and what has faded of it


@pytest.mark.slow
def test_many_people_are_each_of_them():
    """The first two of the vector are the single environments, reading by reading, with the same seed."""
    many = CohortEnvironment(num_envs=3, days=1)
    first, _ = many.reset(seed=9)
    alone = [PersonEnvironment(person=i) for i in range(2)]
    for i, one in enumerate(alone):
        assert one.reset(seed=9)[0][0] == pytest.approx(first[i, 0], rel=1e-5)
    for _ in range(40):
        actions = np.full((3, 1), 0.7, np.float32)
        observed, reward, *_ = many.step(actions)
        for i, one in enumerate(alone):
            seen, own, *_ = one.step(actions[i])
            assert seen[0] == pytest.approx(observed[i, 0], rel=1e-4)
            assert own == pytest.approx(reward[i], abs=1e-3)


def test_one_seed_or_equal_ones():
    many = CohortEnvironment(num_envs=2, days=1)
    first, _ = many.reset(seed=9)
    np.testing.assert_array_equal(many.reset(seed=[9, 9])[0], first)
    with pytest.raises(ModelError, match="2 different seeds"):
        many.reset(seed=[9, 10])


def test_ended_episodes_start_again():
    many = CohortEnvironment(num_envs=2, days=1, scenario=QUIET)
    many.reset(seed=0)
    basal = np.asarray(many.loop.therapy.basal)[:, None]
    for _ in range(SLOTS):
        *_, truncated, _ = many.step(0.7 * basal)
    assert truncated.all()
    fasting = np.asarray(many.loop.people.parameters.fasting_glucose)
    assert np.all(many.loop.told("bg") > fasting + 10.0)  # a day of too little insulin
    _, reward, _, truncated, info = many.step(basal)
    assert not truncated.any()
    assert not reward.any()
    assert not info["insulin"].any()  # the action of that step was given to nobody
    np.testing.assert_allclose(info["bg"], np.asarray(many.loop.people.parameters.fasting_glucose), rtol=1e-4)
    assert many.loop.slots.tolist() == [2 * SLOTS, 2 * SLOTS]


def test_it_is_the_loop_of_the_cohort():
    """Open-loop doses as actions: the plasma glucose of ``simulate`` under the open-loop controller."""
    import jax.numpy as jnp

    from medtwin.population.simulate import course_of, simulate

    scenario = Scenario(settings_sd=0.0)
    made = virtual_people("t1d", 2)
    (lived,) = simulate(made, course_of(made, OpenLoop(), scenario), 1, keep=True)
    env = CohortEnvironment(num_envs=2, scenario=scenario)
    env.reset(seed=0)
    import jax

    with jax.enable_x64(False):  # the days of seed 0, as the cohort lives them
        env.loop.start(0)
        assert jnp.array_equal(env.loop.keys, keys_of(0, jnp.asarray(made.number), 1))
    therapy = env.loop.therapy
    seen = [env.loop.told("bg")]
    for _ in range(SLOTS - 1):
        bolus = env.loop.told("meal") / np.asarray(therapy.carbohydrate_ratio)
        env.loop.step(np.asarray(therapy.basal) + 12.0 * bolus)
        seen.append(env.loop.told("bg"))
    np.testing.assert_allclose(np.array(seen), lived.trace, rtol=2e-3)
    assert controller_of("open-loop").name == "open-loop"
