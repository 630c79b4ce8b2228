"""Coupled models are models: merged on one clock, exchanging on two, and nothing is lost on a wire."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.physiology.body_weight import BodyWeight
from medtwin.physiology.coupled import Coupled, exchange_error
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import (
    MINUTES,
    Accepts,
    Model,
    draw,
    parameter,
    parameters_at,
    simulate,
    state,
    variables,
)
from medtwin.physiology.models import weight_and_glucose
from medtwin.physiology.prior import Fixed
from medtwin.physiology.wires import Wire


class DecayParameters(eqx.Module):
    rate: jax.Array = parameter(unit="/min", prior=Fixed(0.1), source="test", meaning="Rate of decay")


class DecayState(eqx.Module):
    content: jax.Array = state(unit="mg/dL", meaning="Content")


class Decay(Model):
    """x' = -a x, seen as creatinine."""

    name: ClassVar[str] = "decay"
    clock = MINUTES
    Parameters = DecayParameters
    State = DecayState
    accepts = ()
    observes = ("creatinine",)
    inferred = ()
    references = ()

    def initial(self, parameters):
        return DecayState(content=10.0 * jnp.ones_like(parameters.rate))

    def rates(self, t, state, parameters, inputs):
        return DecayState(content=-parameters.rate * state.content)

    def observe(self, t, state, parameters):
        return {"creatinine": state.content}


class FollowParameters(eqx.Module):
    gain: jax.Array = parameter(unit="/min", prior=Fixed(0.3), source="test", meaning="Gain")
    rate: jax.Array = parameter(unit="/min", prior=Fixed(0.05), source="test", meaning="Rate")


class FollowState(eqx.Module):
    content: jax.Array = state(unit="mg/dL", meaning="Content")


class Follow(Model):
    """y' = g u - b y, where u is creatinine given from outside; seen as urea nitrogen."""

    name: ClassVar[str] = "follow"
    clock = MINUTES
    Parameters = FollowParameters
    State = FollowState
    accepts = (Accepts(quantity="creatinine"),)
    observes = ("urea_nitrogen",)
    inferred = ()
    references = ()

    def initial(self, parameters):
        return FollowState(content=jnp.zeros_like(parameters.gain))

    def rates(self, t, state, parameters, inputs):
        return FollowState(content=parameters.gain * inputs["creatinine"] - parameters.rate * state.content)

    def observe(self, t, state, parameters):
        return {"urea_nitrogen": state.content}


INTO_INPUT = Wire(source="decay.creatinine", target="follow.creatinine", factor=2.0)


def test_models_on_one_clock_are_one_system():
    both = Coupled((Decay(), Follow()), (INTO_INPUT,))
    parameters = parameters_at(both, {})
    assert both.accepts == ()
    assert [v.name for v in variables(both.State)] == ["decay_content", "follow_content"]
    assert {v.name for v in variables(both.Parameters)} == {"decay_rate", "gain", "follow_rate"}
    _, seen = simulate(both, both.initial(parameters), parameters, {}, dt=0.25, every=4, steps=160)
    t, a, b, g = np.arange(1, 41), 0.1, 0.05, 0.3
    exact = 2.0 * g * 10.0 / (b - a) * (np.exp(-a * t) - np.exp(-b * t))
    assert np.asarray(seen["urea_nitrogen"]) == pytest.approx(exact, rel=1e-6)  # RK4 of the merged system


def test_merged_rates_keep_the_order_of_the_step():
    both = Coupled((Decay(), Follow()), (INTO_INPUT,))
    parameters = parameters_at(both, {})
    exact = 2.0 * 0.3 * 10.0 / (0.05 - 0.1) * (np.exp(-0.1 * 40) - np.exp(-0.05 * 40))
    errors = [
        abs(
            float(simulate(both, both.initial(parameters), parameters, {}, dt=dt, steps=n)[1]["urea_nitrogen"][-1])
            - exact
        )
        for dt, n in ((4.0, 10), (2.0, 20))
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.3)


def test_a_wire_sets_or_scales_a_parameter():
    given = {"creatinine": jnp.ones(3)}
    for scales, gain in ((False, 10.0), (True, 10.0 * 0.3)):
        wire = Wire(
            source="decay.creatinine",
            target="follow.gain",
            scales=scales,
            unit="dL/mg" if scales else "dL/mg/min",
        )
        both = Coupled((Decay(), Follow()), (wire,))
        parameters = parameters_at(both, {})
        rate = both.rates(jnp.asarray(0.0), both.initial(parameters), parameters, {k: v[0] for k, v in given.items()})
        assert float(rate.follow_content) == pytest.approx(gain)


@pytest.mark.parametrize(
    "wire, message",
    [
        (Wire(source="nobody.creatinine", target="follow.creatinine"), "nobody"),
        (Wire(source="decay.creatinine", target="follow.nothing"), "nothing"),
        (Wire(source="decay.glucose", target="follow.creatinine"), "glucose"),
        (Wire(source="decay.creatinine", target="follow.gain"), "equal dimensions"),
        (Wire(source="decay.creatinine", target="follow.creatinine", unit="kg"), "equal dimensions"),
    ],
)
def test_a_wrong_wire_is_refused(wire, message):
    with pytest.raises(ModelError, match=message):
        Coupled((Decay(), Follow()), (wire,))


def test_two_models_of_one_name_are_refused():
    with pytest.raises(ModelError, match="twice"):
        Coupled((Decay(), Decay()))
    with pytest.raises(ModelError, match="exchange"):
        Coupled((Decay(), Follow()), exchange=0.0)


DAYS = 6


def life(n=None, grams=260.0):
    """Three meals a day for ``DAYS`` days, by minute; basal at rest is added by the caller."""
    day = np.zeros(1440)
    for minute in (450, 750, 1140):
        day[minute : minute + 20] = grams / 3 / 20
    carbohydrate = np.tile(day, DAYS)
    bolus = np.tile(np.where(np.isin(np.arange(1440), (450, 750, 1140)), grams / 3 / 12, 0.0), DAYS)
    shape = (-1,) if n is None else (-1, 1)
    return {"carbohydrate_intake": carbohydrate.reshape(shape), "insulin_bolus": bolus.reshape(shape)}


def prepared(coupled, parameters, **more):
    held = {name: jnp.asarray(value) for name, value in life(**more).items()}
    rest = coupled.resting(parameters)["insulin_basal_rate"]
    return held | {"insulin_basal_rate": jnp.broadcast_to(rest, (DAYS * 1440, *rest.shape))}


@pytest.fixture(scope="module")
def coupled_run():
    coupled = weight_and_glucose()
    parameters = parameters_at(coupled, {})
    held = prepared(coupled, parameters)
    run = eqx.filter_jit(lambda m, p, h: simulate(m, m.initial(p), p, h, every=60))
    return coupled, parameters, held, run(coupled, parameters, held)


def test_carbohydrate_of_the_fast_day_feeds_the_slow_model(coupled_run):
    coupled, parameters, held, (final, seen) = coupled_run
    alone = BodyWeight()
    own = coupled._own(1, parameters)
    energy = 8.0 * held["carbohydrate_intake"].reshape(DAYS, 1440).sum(1)
    _, daily = simulate(alone, alone.initial(own), own, {"energy_intake": energy})
    weights = np.asarray(seen["body_weight"])[23::24]
    assert weights == pytest.approx(np.asarray(daily["body_weight"]), rel=1e-12)
    assert abs(weights[-1] - weights[0]) > 0.2
    assert float(final.body_weight_energy_intake_delivered) == pytest.approx(float(energy.sum()), rel=1e-12)
    assert float(final.body_weight_energy_intake_pending) == 0.0


def test_weight_sets_the_body_in_which_insulin_spreads(coupled_run):
    coupled, parameters, held, (_, seen) = coupled_run
    assert {one.quantity for one in coupled.accepts} == {"carbohydrate_intake", "insulin_bolus", "insulin_basal_rate"}
    glucose = GlucoseInsulin()
    own = coupled._own(0, parameters)
    heavy = eqx.tree_at(lambda p: p.body_weight, own, coupled._own(1, parameters).starting_weight)
    first = {name: value[:1440] for name, value in held.items()}
    _, alone = simulate(glucose, glucose.initial(heavy), heavy, first, every=60)
    # before the first exchange the weight is the starting weight, exactly
    assert np.asarray(seen["glucose"])[:23] == pytest.approx(np.asarray(alone["glucose"])[:23], rel=1e-12)
    assert abs(float(seen["glucose"][-1] - seen["glucose"][23])) > 1e-3


def test_what_is_given_is_pending_or_delivered_at_every_moment(coupled_run):
    coupled, parameters, held, _ = coupled_run
    ledger = next(one for one in coupled.ledgers if "on its way" in one.name)

    def amounts(carry, row):
        now, i = carry
        after = coupled.step(i, jnp.asarray(1.0), now, parameters, row)
        return (after, i + 1), ledger.amount(after, parameters)

    start = (coupled.initial(parameters), jnp.asarray(0.0))
    cut = {name: value[: 2 * 1440 + 700] for name, value in held.items()}
    _, amount = jax.jit(lambda s, h: jax.lax.scan(amounts, s, h))(start, cut)
    given = 8.0 * np.cumsum(np.asarray(cut["carbohydrate_intake"]))
    assert np.asarray(amount) == pytest.approx(given, rel=1e-12, abs=1e-9)


def test_a_run_that_is_cut_and_resumed_is_the_same_run(coupled_run):
    coupled, parameters, held, (final, _) = coupled_run
    cut = 3 * 1440 + 611
    first = {name: value[:cut] for name, value in held.items()}
    second = {name: value[cut:] for name, value in held.items()}
    middle, _ = simulate(coupled, coupled.initial(parameters), parameters, first, every=cut)
    end, _ = simulate(coupled, middle, parameters, second, t0=float(cut), every=len(held["insulin_bolus"]) - cut)
    for name in ("fat", "lean", "extracellular_fluid", "plasma_glucose", "sensor_glucose"):
        assert float(getattr(end, name)) == pytest.approx(float(getattr(final, name)), rel=1e-12), name


def test_the_exchange_error_is_reported(coupled_run):
    coupled, parameters, held, _ = coupled_run
    daily = exchange_error(coupled, parameters, held, every=1440)
    assert set(daily) == {"glucose", "blood_glucose", "insulin_concentration", "body_weight", "body_fat_fraction"}
    assert 0 < daily["body_weight"] < 0.5  # kg, of meals that a day's exchange takes as even
    assert 0 < daily["glucose"] < 1.0  # mg/dL


def test_the_exchange_error_halves_with_the_exchange(coupled_run):
    """Where intake is even, so that only the holding of weight is in error, its order is one."""
    coupled, parameters, held, _ = coupled_run
    even = {name: jnp.full_like(value, float(value.mean())) for name, value in held.items()}
    eighth, sixteenth = (
        exchange_error(Coupled(coupled.models, coupled.wires, exchange), parameters, even, every=60)
        for exchange in (1 / 8, 1 / 16)
    )
    for name, least in (("glucose", 1e-3), ("body_weight", 1e-3)):
        assert sixteenth[name] > least
        assert np.log2(eighth[name] / sixteenth[name]) == pytest.approx(1.0, abs=0.3), name


@pytest.mark.slow
def test_a_batch_of_people(coupled_run):
    coupled = coupled_run[0]
    parameters = draw(coupled, jax.random.key(2), 3)
    held = prepared(coupled, parameters, n=3)
    held = {name: jnp.broadcast_to(value, (DAYS * 1440, 3)) for name, value in held.items()}
    _, seen = simulate(coupled, coupled.initial(parameters), parameters, held, every=1440)
    assert seen["glucose"].shape == (DAYS, 3)
    assert np.isfinite(np.asarray(seen["body_weight"])).all()
    one = jax.tree.map(lambda x: x[1], parameters)
    _, alone = simulate(coupled, coupled.initial(one), one, {k: v[:, 1] for k, v in held.items()}, every=1440)
    assert np.asarray(seen["body_weight"])[:, 1] == pytest.approx(np.asarray(alone["body_weight"]), rel=1e-9)
