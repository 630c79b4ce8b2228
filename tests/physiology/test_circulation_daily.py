"""The settled beat as a cuff sees it: plausible people, accuracy, cost, and what data tell of each parameter."""

import time
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology import circulation_daily, draw, parameters_at, simulate
from medtwin.physiology.circulation import stressed_blood_volume
from medtwin.physiology.circulation_daily import CirculationDaily, beat, loop_parameters, seen
from medtwin.quantities.registry import get

MODEL = CirculationDaily()
NOW = jnp.zeros(())


@pytest.fixture(scope="module")
def observe():
    return jax.jit(lambda state, parameters: MODEL.observe(NOW, state, parameters))


@pytest.fixture(scope="module")
def population(observe):
    """1,000 people of the prior, and what would be seen of them."""
    parameters = draw(MODEL, jax.random.PRNGKey(0), 1000)
    return parameters, observe(MODEL.initial(parameters), parameters)


# --- plausible people ---------------------------------------------------------------------------------------------


def test_prior_draws_have_the_pressures_of_people(population):
    """Means and spreads of adults: cuff (Wright 2011), flow (Carlsson 2012), lungs (Kovacs 2009: 14.0 +- 3.3)."""
    _, observed = population
    expected = {  # mean, its tolerance; sd from, to
        "systolic_pressure": (120, 5, 15, 22),
        "diastolic_pressure": (71, 5, 8, 14),
        "mean_arterial_pressure": (93, 4, 10, 15),
        "heart_rate": (71, 3, 8, 13),
        "cardiac_output": (5.8, 0.4, 0.8, 1.3),
        "stroke_volume": (83, 7, 12, 20),
        "left_ventricular_ejection_fraction": (59, 4, 5, 9),
        "left_ventricular_end_diastolic_volume": (145, 10, 18, 32),
        "left_atrial_mean_pressure": (8, 1, 1.2, 3),
        "right_atrial_mean_pressure": (4, 1, 0.4, 2),
        "pulmonary_artery_mean_pressure": (14, 1, 2, 4),
    }
    for name, (mean, tolerance, narrow, wide) in expected.items():
        values = np.asarray(observed[name])
        assert abs(values.mean() - mean) < tolerance, (name, values.mean())
        assert narrow < values.std() < wide, (name, values.std())


def test_every_draw_is_finite_and_possible(population):
    _, observed = population
    assert set(observed) == set(MODEL.observes)
    for name, values in observed.items():
        quantity = get(name)
        assert np.isfinite(values).all(), name
        assert quantity.low <= float(values.min()) <= float(values.max()) <= quantity.high, name
    assert (observed["systolic_pressure"] > observed["mean_arterial_pressure"] + 5).all()
    assert (observed["mean_arterial_pressure"] > observed["diastolic_pressure"] + 5).all()
    flow = observed["stroke_volume"] * observed["heart_rate"] / 1000
    np.testing.assert_allclose(flow, observed["cardiac_output"], rtol=1e-9)


def test_body_and_age_move_the_prior(observe):
    """A larger body has more flow at the same pressure; an older one a wider pulse pressure."""

    def median(**known):
        parameters = parameters_at(MODEL, {}, known)
        return {name: float(value) for name, value in observe(MODEL.initial(parameters), parameters).items()}

    small, large = median(body_weight=50.0, body_height=155.0), median(body_weight=105.0, body_height=190.0)
    assert large["cardiac_output"] / small["cardiac_output"] == pytest.approx((105 * 190 / (50 * 155)) ** 0.5, rel=0.1)
    assert large["mean_arterial_pressure"] == pytest.approx(small["mean_arterial_pressure"], abs=5)
    young, old = median(age=25.0), median(age=80.0)
    assert (
        old["systolic_pressure"] - old["diastolic_pressure"]
        > young["systolic_pressure"] - young["diastolic_pressure"] + 8
    )
    assert old["mean_arterial_pressure"] > young["mean_arterial_pressure"] + 2
    assert old["cardiac_output"] < young["cardiac_output"]


@pytest.mark.parametrize(
    "parameter, rises, falls",
    [
        ("systemic_resistance", "mean_arterial_pressure", "cardiac_output"),
        ("arterial_compliance", "diastolic_pressure", "systolic_pressure"),
        ("stressed_blood_volume", "left_atrial_mean_pressure", None),
        ("stressed_blood_volume", "systolic_pressure", None),
        ("left_ventricular_elastance", "left_ventricular_ejection_fraction", "left_ventricular_end_diastolic_volume"),
        ("left_ventricular_diastolic_elastance", "left_atrial_mean_pressure", "stroke_volume"),
        ("heart_rate", "cardiac_output", "stroke_volume"),
        ("pulmonary_resistance", "pulmonary_artery_mean_pressure", "left_atrial_mean_pressure"),
    ],
)
def test_directions(observe, parameter, rises, falls):
    parameters = parameters_at(MODEL, {parameter: jnp.array([-1.0, 1.0])})
    parameters = jax.tree.map(lambda value: jnp.broadcast_to(value, (2,)), parameters)
    observed = observe(MODEL.initial(parameters), parameters)
    assert observed[rises][1] > observed[rises][0]
    if falls:
        assert observed[falls][1] < observed[falls][0]


# --- accuracy and cost --------------------------------------------------------------------------------------------


def test_seven_beats_of_two_hundred_steps_are_enough():
    """Against 25 beats of 1000 steps, over prior draws: the residual that the model's page states."""
    parameters = draw(MODEL, jax.random.PRNGKey(5), 100)
    loop = loop_parameters(MODEL.initial(parameters), parameters)
    usual = jax.jit(beat)(loop)
    assert float(usual.open_by.max()) < 1e-3
    np.testing.assert_allclose(stressed_blood_volume(usual.state, loop), loop.stressed_blood_volume, rtol=1e-9)
    fine = seen(jax.jit(partial(beat, cycles=25, steps=1000))(loop), loop)
    for name, value in seen(usual, loop).items():
        apart = np.abs(np.asarray(value - fine[name]))
        if name in ("systolic_pressure", "diastolic_pressure", "mean_arterial_pressure"):
            assert apart.max() < 0.15, (name, apart.max())
        elif get(name).unit == "mm[Hg]":
            assert apart.max() < 0.02, (name, apart.max())
        else:
            assert (apart / fine[name]).max() < 5e-4, (name, (apart / fine[name]).max())


def test_atrial_means_from_the_mean_flow_are_the_means_of_their_pressure():
    """left atrium = pulmonary artery - resistance x flow, against the mean of the chamber's own pressure."""
    from medtwin.physiology.circulation import chambers
    from medtwin.physiology.circulation_daily import LOOP
    from medtwin.physiology.cycle import trace

    parameters = draw(MODEL, jax.random.PRNGKey(6), 16)
    loop = loop_parameters(MODEL.initial(parameters), parameters)
    settled = jax.jit(partial(beat, cycles=20))(loop)
    states = jax.jit(partial(trace, LOOP, steps=200))(settled.state, loop)
    drive = LOOP.drive(jnp.asarray(np.arange(1, 201) / 200 % 1.0))
    pressures = jax.vmap(lambda now, state: chambers(now, state, loop))(drive, states)
    observed = seen(settled, loop)
    np.testing.assert_allclose(observed["left_atrial_mean_pressure"], pressures.left_atrium.mean(0), atol=0.02)
    np.testing.assert_allclose(observed["right_atrial_mean_pressure"], pressures.right_atrium.mean(0), atol=0.02)


def test_single_precision_sees_the_same(population):
    parameters, observed = population
    narrow = jax.tree.map(lambda value: value[:50].astype(jnp.float32), parameters)
    small = jax.jit(lambda p: MODEL.observe(NOW, MODEL.initial(p), p))(narrow)
    for name, value in small.items():
        assert value.dtype == jnp.float32
        np.testing.assert_allclose(value, observed[name][:50], rtol=2e-3, err_msg=name)


def test_any_batch_shape_and_constants_that_broadcast(observe):
    """As filters call it: points x hypotheses x patients, constants with single axes."""
    deviates = 0.5 * jax.random.normal(jax.random.PRNGKey(7), (5, 2, 3))
    parameters = parameters_at(MODEL, {"systemic_resistance": deviates})
    parameters = jax.tree.map(
        lambda value: value if value is parameters.systemic_resistance else value[:1, :1, :1], parameters
    )
    zero = jnp.zeros((5, 2, 3))
    observed = observe(circulation_daily.CirculationDailyState(zero, zero), parameters)
    assert observed["systolic_pressure"].shape == (5, 2, 3)
    flat = parameters_at(MODEL, {"systemic_resistance": deviates.reshape(-1)})
    again = observe(MODEL.initial(flat), flat)
    np.testing.assert_allclose(observed["systolic_pressure"].reshape(-1), again["systolic_pressure"], rtol=1e-9)


def test_forty_points_cost_less_than_fifty_milliseconds_and_one_trace():
    parameters = draw(MODEL, jax.random.PRNGKey(8), 40)
    state = MODEL.initial(parameters)
    call = jax.jit(eqx.debug.assert_max_traces(lambda s, p: MODEL.observe(NOW, s, p), max_traces=1))
    jax.block_until_ready(call(state, parameters))
    costs = []
    for _ in range(8):
        begun = time.process_time()
        jax.block_until_ready(call(state, parameters))
        costs.append(time.process_time() - begun)
    assert min(costs) < 0.050, costs


@pytest.mark.slow
def test_gradients_equal_central_differences():
    deviates = jnp.array([0.3, -0.4, 0.2, 0.5, -0.3, 0.4, 0.1])

    def look(z):
        parameters = parameters_at(MODEL, {name: z[i] for i, name in enumerate(MODEL.inferred)})
        observed = MODEL.observe(NOW, MODEL.initial(parameters), parameters)
        return jnp.stack(
            [observed[n] for n in ("mean_arterial_pressure", "stroke_volume", "left_atrial_mean_pressure")]
        )

    call = jax.jit(look)
    forward = np.asarray(jax.jit(jax.jacfwd(look))(deviates))
    step = 0.01
    for i in range(len(MODEL.inferred)):
        ahead, behind = call(deviates.at[i].add(step)), call(deviates.at[i].add(-step))
        np.testing.assert_allclose(forward[:, i], (ahead - behind) / (2 * step), rtol=0.01, atol=0.01)
    backward = np.asarray(jax.jit(jax.grad(lambda z: look(z)[0]))(deviates))
    np.testing.assert_allclose(backward, forward[0], rtol=1e-6)


# --- days ---------------------------------------------------------------------------------------------------------


def test_tone_and_pulse_return_exponentially_and_act():
    parameters = parameters_at(MODEL, {})
    state = circulation_daily.CirculationDailyState(tone=jnp.asarray(0.2), pulse=jnp.asarray(-0.1))
    other = circulation_daily.CirculationDailyState(tone=jnp.asarray(0.0), pulse=jnp.asarray(-0.1))
    high = MODEL.observe(NOW, state, parameters)
    final, _ = jax.jit(lambda s: simulate(MODEL, s, parameters, {}, steps=24, every=24))(state)
    assert float(final.tone) == pytest.approx(0.2 * np.exp(-0.5), rel=1e-6)
    assert float(final.pulse) == pytest.approx(-0.1 * np.exp(-2.0), rel=1e-6)
    low = MODEL.observe(NOW, other, parameters)
    assert float(high["heart_rate"]) == pytest.approx(70.0 * np.exp(-0.1), rel=1e-9)
    assert high["diastolic_pressure"] > low["diastolic_pressure"]


def test_process_noise_keeps_the_stated_spread():
    """Euler-Maruyama of the model's own rates and noise over 400 people and 20 days."""
    parameters = parameters_at(MODEL, {"heart_rate": jnp.zeros(400)})
    dt, rng = 0.02, np.random.default_rng(0)
    state = MODEL.initial(parameters)
    for _ in range(1000):
        rates, noise = MODEL.rates(NOW, state, parameters, {}), MODEL.noise(state, parameters)
        state = jax.tree.map(
            lambda x, r, s: x + dt * r + s * np.sqrt(dt) * rng.standard_normal(400), state, rates, noise
        )
    assert float(state.tone.std()) == pytest.approx(0.06, rel=0.12)
    assert float(state.pulse.std()) == pytest.approx(0.08, rel=0.12)


# --- what data tell -----------------------------------------------------------------------------------------------

READINGS = 20
CUFF = {
    "systolic_pressure": 8 / READINGS**0.5,
    "diastolic_pressure": 8 / READINGS**0.5,
    "mean_arterial_pressure": 5 / READINGS**0.5,
    "heart_rate": 3 / READINGS**0.5,
}
ECHO = CUFF | {"stroke_volume": 8.0, "left_ventricular_ejection_fraction": 5.0}
CATHETER = ECHO | {
    "left_atrial_mean_pressure": 2.0,
    "pulmonary_artery_mean_pressure": 3.0,
    "right_atrial_mean_pressure": 1.5,
}


def _correlation():
    names = list(MODEL.inferred)
    matrix = np.eye(len(names))
    for a, b, rho in MODEL.correlations:
        matrix[names.index(a), names.index(b)] = matrix[names.index(b), names.index(a)] = rho
    return matrix


def _look(z):
    parameters = parameters_at(MODEL, {name: z[i] for i, name in enumerate(MODEL.inferred)})
    return MODEL.observe(NOW, MODEL.initial(parameters), parameters)


@pytest.fixture(scope="module")
def laplace():
    """Posterior over prior sd of each deviate, at the median person, for the three sets of data."""
    slopes = jax.jit(jax.jacfwd(_look))(jnp.zeros(len(MODEL.inferred)))
    ratios = []
    for errors in (CUFF, ECHO, CATHETER):
        rows = np.stack([np.asarray(slopes[name]) / sd for name, sd in errors.items()])
        ratios.append(np.sqrt(np.diag(np.linalg.inv(np.linalg.inv(_correlation()) + rows.T @ rows))))
    return np.array(ratios)


def test_the_page_states_what_data_tell(laplace):
    """The table in the module's docstring holds the computed ratios, to 0.02."""
    rows = {
        line.split()[0]: line.split()[1:] for line in circulation_daily.__doc__.splitlines() if len(line.split()) == 4
    }
    for i, name in enumerate(MODEL.inferred):
        stated = np.array([float(word) for word in rows[name]])
        np.testing.assert_allclose(stated, laplace[:, i], atol=0.02, err_msg=name)


def test_a_cuff_knows_resistance_and_compliance_only(laplace):
    known = {name for i, name in enumerate(MODEL.inferred) if laplace[0, i] < 0.8}
    assert known == {"heart_rate", "systemic_resistance", "arterial_compliance"}
    with_echo = {name for i, name in enumerate(MODEL.inferred) if laplace[1, i] < 0.8}
    assert with_echo == known | {"left_ventricular_elastance", "stressed_blood_volume"}


@pytest.mark.slow
def test_importance_sampling_agrees_with_laplace(laplace):
    """Heart rate known; 12,000 draws of the prior, weighted by the readings of the median person."""
    keep = [i for i, name in enumerate(MODEL.inferred) if name != "heart_rate"]
    correlation = _correlation()
    rest = correlation[np.ix_(keep, keep)] - np.outer(correlation[keep, 0], correlation[0, keep])
    draws = np.linalg.cholesky(rest) @ np.random.default_rng(1).standard_normal((len(keep), 12_000))
    deviates = jnp.asarray(np.concatenate([np.zeros((1, 12_000)), draws]))
    look = jax.jit(_look)
    seen_of_draws = [look(part) for part in jnp.split(deviates, 12, axis=1)]
    truth = look(jnp.zeros((len(MODEL.inferred), 1)))
    misfit = sum(
        ((np.concatenate([part[name] for part in seen_of_draws]) - np.asarray(truth[name])) / sd) ** 2
        for name, sd in CUFF.items()
    )
    weight = np.exp(-0.5 * (misfit - misfit.min()))
    weight = weight / weight.sum()
    assert 1 / (weight**2).sum() > 200
    mean = draws @ weight
    spread = np.sqrt(((draws - mean[:, None]) ** 2) @ weight)
    np.testing.assert_allclose(spread, laplace[0, keep], atol=0.12)
