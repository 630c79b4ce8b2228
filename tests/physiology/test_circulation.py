"""The closed loop: volume, order, analytic circuits, an independent program, gradients."""

from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology import draw, parameters_at, simulate, variables
from medtwin.physiology.circulation import (
    Circulation,
    CirculationState,
    chambers,
    stressed_blood_volume,
)
from medtwin.physiology.circulation_activation import ATRIAL_SHARE, FOURIER, HIGHEST, LOWEST, atrial, ventricular
from medtwin.physiology.cycle import settle, stride, table, trace

MODEL = Circulation()
FIELDS = [variable.name for variable in variables(CirculationState)]


@pytest.fixture(scope="module")
def reference():
    """The published person's parameters and a settled state at phase 0."""
    parameters = parameters_at(MODEL, {})
    settled = jax.jit(partial(settle, MODEL, cycles=20, steps=1000))
    return parameters, settled(MODEL.initial(parameters), parameters).state


# --- an independent program: the same equations, written again on a plain vector, adaptive and event-free ---------


def _elastance(t, period):
    """The published sum of 25 modes, term by term."""
    total = FOURIER[0, 0]
    for i in range(1, 25):
        angle = 2 * jnp.pi * i * t / period
        total = total + FOURIER[i, 0] * jnp.cos(angle) - FOURIER[i, 1] * jnp.sin(angle)
    return total


def _wrapping_cosine(t, period):
    """The published atrial activation, in its two published pieces (t within one beat)."""
    wave, contraction = period / 8.976868, 0.40742 * period
    first = 0.5 * (1 - jnp.cos(2 * jnp.pi * (t - wave + contraction) / contraction))
    last = 0.5 * (1 - jnp.cos(2 * jnp.pi * (t - wave - (period - contraction)) / contraction))
    return jnp.where(t <= wave, first, jnp.where(t >= period - contraction + wave, last, 0.0))


def _published(t, y, args):
    """Right-hand side of the published loop with its own numbers; the lungs' flow, not the valve's, enters the LA."""
    del args
    period = 1.0169
    v_ra, v_rv, v_la, v_lv, q_tv, q_pv, q_mv, q_av, p_pul, p_ao, q_v, p_c = y
    phase = jnp.mod(t, period)
    e, a = _elastance(phase, period), _wrapping_cosine(phase, period)
    p_ra = a * 0.208858 * (v_ra - 4.848742) + (1 - a) * 9.22244 * (jnp.exp(0.004837 * (v_ra - 4.848742)) - 1)
    p_la = a * 0.303119 * (v_la - 9.355754) + (1 - a) * 9.194992 * (jnp.exp(0.008067 * (v_la - 9.355754)) - 1)
    p_rv, p_lv = 2.125279 * e * (v_rv - 9.424629), 3.125202 * e * (v_lv - 5.606007)

    def valve(up, down, q, resistance, inertance):
        return jnp.where((up <= down) & (q <= 0), 0.0, (up - down - resistance * q) / inertance)

    q_lungs, q_back = (p_pul - p_la) / 0.098865401, (p_c - p_ra) / 1.356472458
    return jnp.stack([
        q_back - q_tv, q_tv - q_pv, q_lungs - q_mv, q_mv - q_av,
        valve(p_ra, p_rv, q_tv, 7.887459e-3, 2.17032e-4), valve(p_rv, p_pul, q_pv, 3.5061704e-2, 1.86865e-4),
        valve(p_la, p_lv, q_mv, 5.310825e-3, 3.51787e-4), valve(p_lv, p_ao, q_av, 3.4320234e-2, 1.10776e-4),
        (q_pv - q_lungs) / 1.090989, (q_av - q_v) / 0.556854,
        (p_ao - p_c - (0.003348073 + 0.134156617) * q_v) / 0.004, (q_v - q_back) / 0.238401833,
    ])  # fmt: skip


@pytest.fixture(scope="module")
def independent(reference):
    """One beat of diffrax's Dopri8 at 1e-9 from the settled state: 1000 samples of each state."""
    _, start = reference
    y0 = jnp.stack([getattr(start, name) for name in FIELDS])
    times = jnp.asarray(1.0169 * np.arange(1, 1001) / 1000)
    solution = jax.jit(
        lambda y: diffrax.diffeqsolve(
            diffrax.ODETerm(_published), diffrax.Dopri8(), 0.0, 1.0169, 1e-4, y, max_steps=200_000,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-8, dtmax=1e-3),
        ).ys
    )(y0)  # fmt: skip
    return np.asarray(solution)


def _apart(ours, theirs):
    """Greatest difference of each variable over the beat, as a share of its greatest value."""
    return {
        name: np.abs(np.asarray(getattr(ours, name)) - theirs[:, i]).max() / np.abs(theirs[:, i]).max()
        for i, name in enumerate(FIELDS)
    }


def test_every_instant_agrees_with_an_independent_program(reference, independent):
    parameters, start = reference
    ours = jax.jit(partial(trace, MODEL, steps=1000))(start, parameters)
    apart = _apart(ours, independent)
    print({name: f"{value:.1e}" for name, value in apart.items()})
    assert max(apart.values()) < 1e-3, apart


def test_beat_means_and_extremes_agree_at_the_usual_step(reference, independent):
    parameters, start = reference
    ours = jax.jit(partial(trace, MODEL, steps=250))(start, parameters)
    for i, name in enumerate(FIELDS):
        values, theirs = np.asarray(getattr(ours, name)), independent[3::4, i]
        scale = np.abs(theirs).max()
        assert abs(values.mean() - theirs.mean()) < 1e-3 * scale, name
        assert abs(values.max() - theirs.max()) < 1e-3 * scale, name
        assert abs(values.min() - theirs.min()) < 1e-3 * scale, name


def test_the_default_step_of_the_model_is_the_same_solution(reference, independent):
    """``simulate`` at 1 ms, activation evaluated at each stage, against the independent program at the same times."""
    parameters, start = reference
    final, _ = jax.jit(lambda s: simulate(MODEL, s, parameters, {}, dt=1.0169 / 1000, steps=1000, every=1000))(start)
    theirs = independent[-1]
    for i, name in enumerate(FIELDS):
        scale = np.abs(independent[:, i]).max()
        assert abs(float(getattr(final, name)) - theirs[i]) < 1e-3 * scale, name


# --- what must hold exactly ---------------------------------------------------------------------------------------


def test_blood_volume_is_conserved_each_beat():
    parameters = draw(MODEL, jax.random.PRNGKey(1), 64)
    run = jax.jit(partial(settle, MODEL, cycles=1, steps=250))
    state = MODEL.initial(parameters)
    for _ in range(5):
        before = stressed_blood_volume(state, parameters)
        state = run(state, parameters).state
        drift = np.abs(stressed_blood_volume(state, parameters) / before - 1)
        assert drift.max() < 1e-9
    np.testing.assert_allclose(stressed_blood_volume(state, parameters), parameters.stressed_blood_volume, rtol=1e-9)


def test_the_rates_create_no_blood():
    """The conserved amount's derivative along the rates is zero for any state, valves open or shut."""
    parameters = draw(MODEL, jax.random.PRNGKey(2), 32)
    key = jax.random.split(jax.random.PRNGKey(3), len(FIELDS))
    start = MODEL.initial(parameters)
    shaken = jax.tree.unflatten(
        jax.tree.structure(start),
        [
            leaf * (1 + 0.5 * jax.random.normal(k, (32,))) + 1
            for leaf, k in zip(jax.tree.leaves(start), key, strict=True)
        ],
    )
    rates = MODEL.rates(jnp.asarray(0.31), shaken, parameters, {})
    _, change = jax.jvp(lambda s: stressed_blood_volume(s, parameters), (shaken,), (rates,))
    assert np.abs(change).max() < 1e-10 * np.abs(rates.left_ventricular_volume).max() + 1e-10


def test_the_flow_is_the_same_everywhere_in_a_settled_beat(reference):
    parameters, start = reference
    run = jax.jit(
        partial(settle, MODEL, cycles=1, steps=1000,
                watch=lambda s: {n: getattr(s, n) for n in FIELDS if "flow" in n})
    )(start, parameters)  # fmt: skip
    flows = np.array(list(run.mean.values()))
    assert len(flows) == 5
    assert np.ptp(flows) < 1e-3 * flows.mean()


# --- order of accuracy --------------------------------------------------------------------------------------------


def _order(errors):
    return np.log2(errors[:-1] / errors[1:])


def test_order_is_four_while_no_valve_moves(reference):
    """From phase 0.75 on (semilunar valves shut, both inflow valves open) over a tenth of a beat."""
    parameters, start = reference
    beat = jax.jit(partial(trace, MODEL, steps=1000))(start, parameters)
    smooth = jax.tree.map(lambda value: value[749], beat)
    step = jax.jit(lambda drive, h, state: stride(MODEL, drive, h, state, parameters))

    def run(n):
        h = 0.1 * MODEL.period(parameters) / n
        state = smooth
        for i in range(n):
            phases = jnp.asarray(0.75 + 0.1 * np.array([i, i + 0.5, i + 1.0]) / n)
            state = step(MODEL.drive(phases), h, state)
        return np.array(jax.tree.leaves(state))

    fine = run(512)
    errors = np.array([np.abs(run(n) - fine)[:4].max() for n in (32, 64, 128)])
    assert abs(_order(errors) - 4.0).max() < 0.3, errors


@pytest.mark.slow
def test_order_over_a_whole_beat_with_its_kinks(reference):
    """Valves open and shut within steps: the step is continuous there, not smooth. Reported; bounded from below."""
    parameters, start = reference

    def after(n):
        state = jax.jit(partial(settle, MODEL, cycles=1, steps=n))(start, parameters).state
        return np.array([state.left_ventricular_volume, state.aortic_pressure, state.pulmonary_artery_pressure])

    fine = after(8000)
    steps = (125, 250, 500, 1000)
    errors = np.array([np.abs(after(n) / fine - 1).max() for n in steps])
    order = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    print(f"observed order over a whole beat: {order:.2f}; errors {errors}")
    assert order > 2.0, errors
    assert errors[1] < 2e-4


# --- circuits with a closed solution ------------------------------------------------------------------------------


def _alone(parameters, **values):
    return eqx.tree_at(
        lambda p: [getattr(p, name) for name in values], parameters, [jnp.asarray(v) for v in values.values()]
    )


def test_a_shut_heart_leaves_an_rc_circuit(reference):
    """No ejection and empty, slack chambers: the small arteries' pressure falls as exp(-t/(R C))."""
    parameters, _ = reference
    parameters = _alone(
        parameters, arterial_inertance=1e9, right_atrial_passive_pressure=0.0, right_atrial_elastance=0.0
    )
    zero = jnp.zeros(())
    state = CirculationState(zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero + 80.0)
    final, _ = simulate(MODEL, state, parameters, {}, dt=0.001, steps=500, every=500)
    exact = 80.0 * np.exp(-0.5 / (1.356472458 * 0.238401833))
    assert float(final.small_artery_pressure) == pytest.approx(exact, rel=1e-6)


def test_aorta_and_arteries_ring_as_an_rlc_circuit(reference):
    """Aorta discharging through R and L into arteries held at zero: the damped oscillation in closed form."""
    parameters, _ = reference
    resistance, inertance, compliance = 0.1, 0.02, 0.5
    parameters = _alone(
        parameters, arterial_resistance=resistance, arterial_inertance=inertance, aortic_compliance=compliance,
        peripheral_compliance=1e12, peripheral_resistance=1e12, right_atrial_elastance=0.0,
        right_atrial_passive_pressure=0.0,
    )  # fmt: skip
    zero = jnp.zeros(())
    state = CirculationState(zero, zero, zero, zero, zero, zero, zero, zero, zero, zero + 100.0, zero, zero)
    final, _ = simulate(MODEL, state, parameters, {}, dt=0.001, steps=100, every=100)
    decay, t = resistance / (2 * inertance), 0.1
    omega = np.sqrt(1 / (inertance * compliance) - decay**2)
    exact = 100 * np.exp(-decay * t) * (np.cos(omega * t) + decay / omega * np.sin(omega * t))
    assert float(final.aortic_pressure) == pytest.approx(exact, rel=1e-6)


def test_an_open_valve_is_an_rl_circuit(reference):
    """Constant pressures across the mitral valve: q = dp/R (1 - exp(-R t/L))."""
    parameters, _ = reference
    parameters = _alone(
        parameters, left_atrial_elastance=1e-9, left_atrial_passive_pressure=1e9, left_atrial_stiffness=0.0,
        left_ventricular_elastance=0.0, left_ventricular_diastolic_elastance=0.0,
    )  # fmt: skip
    # a stiff column of 10 mm[Hg] before the valve: huge volume at a tiny active elastance
    zero = jnp.zeros(())
    state = CirculationState(zero, zero, zero + 1e10, zero, zero, zero, zero, zero, zero, zero, zero, zero)
    parameters = _alone(parameters, pulmonary_resistance=1e12)
    h, start = 1e-4, 0.905  # about the peak of the atrium, where its activation is flat to 1e-4 over 2 ms
    for i in range(20):
        phases = jnp.asarray([start] * 3)
        state = stride(MODEL, MODEL.drive(phases), jnp.asarray(h), state, parameters)
        del i
    dp = float(chambers(MODEL.drive(jnp.asarray(start)), state, parameters).left_atrium)
    exact = dp / 5.310825e-3 * (1 - np.exp(-5.310825e-3 * 0.002 / 3.51787e-4))
    assert float(state.mitral_flow) == pytest.approx(exact, rel=1e-6)


# --- activation ---------------------------------------------------------------------------------------------------


def test_activation_is_the_published_curve_scaled_to_one():
    phase = jnp.asarray(np.arange(0, 1, 1e-3))
    ours = ventricular(phase) * (HIGHEST - LOWEST) + LOWEST
    np.testing.assert_allclose(ours, _elastance(phase, 1.0), atol=1e-12)
    assert float(ventricular(phase).min()) > -1e-6
    assert float(ventricular(phase).max()) < 1 + 1e-6
    np.testing.assert_allclose(3.0857692 * (1 - 0), 3.125202 * HIGHEST, rtol=1e-7)
    np.testing.assert_allclose(0.15965617, 3.125202 * LOWEST, rtol=1e-7)


def test_atrial_activation_is_the_published_wrapping_cosine():
    phase = jnp.asarray(np.arange(0, 1, 1e-3))
    np.testing.assert_allclose(atrial(phase), _wrapping_cosine(phase, 1.0), atol=1e-12)
    assert float((atrial(phase) > 0).mean()) == pytest.approx(ATRIAL_SHARE, abs=2e-3)


def test_the_table_is_the_drive_at_start_middle_and_end():
    atria, ventricles = table(MODEL, 10, jnp.float64)
    assert atria.shape == ventricles.shape == (10, 3)
    np.testing.assert_allclose(ventricles[3], ventricular(jnp.array([0.3, 0.35, 0.4])), rtol=1e-12)
    np.testing.assert_allclose(ventricles[9, 2], ventricular(jnp.array(0.0)), rtol=1e-12)


# --- the settled beat ---------------------------------------------------------------------------------------------


def test_repetition_closes_the_beat_and_says_how_far_it_is_open(reference):
    parameters, settled = reference
    run = jax.jit(partial(settle, MODEL, cycles=1, steps=1000))
    state, open_by = MODEL.initial(parameters), []
    for _ in range(10):
        before = state
        cycle = run(state, parameters)
        state = cycle.state
        changes = [
            abs(float(getattr(state, v.name) - getattr(before, v.name))) / v.scale for v in variables(CirculationState)
        ]
        assert float(cycle.open_by) == pytest.approx(max(changes), rel=1e-9)
        open_by.append(float(cycle.open_by))
    assert open_by[5] < 1e-3
    assert open_by[9] < 1e-5
    for name in FIELDS:
        assert float(getattr(state, name)) == pytest.approx(float(getattr(settled, name)), rel=1e-4, abs=1e-4), name


@pytest.mark.slow
def test_gradients_of_a_beat_equal_central_differences(reference):
    parameters, start = reference

    def pressure(resistance):
        p = eqx.tree_at(lambda q: q.peripheral_resistance, parameters, resistance)
        return settle(MODEL, start, p, cycles=3, steps=250, watch=lambda s: {"p": s.aortic_pressure}).mean["p"]

    at, step = parameters.peripheral_resistance, 1e-4
    difference = (jax.jit(pressure)(at + step) - jax.jit(pressure)(at - step)) / (2 * step)
    assert float(jax.jit(jax.grad(pressure))(at)) == pytest.approx(float(difference), rel=1e-3)
    assert float(jax.jit(jax.jacfwd(pressure))(at)) == pytest.approx(float(difference), rel=1e-3)


def test_single_precision_gives_the_same_beat(reference):
    parameters, start = reference
    narrow = jax.tree.map(lambda value: value.astype(jnp.float32), (start, parameters))
    run = jax.jit(partial(settle, MODEL, cycles=5, steps=250, watch=lambda s: {"p": s.aortic_pressure}))
    wide, small = run(start, parameters), run(*narrow)
    assert small.high["p"].dtype == jnp.float32
    assert float(small.high["p"]) == pytest.approx(float(wide.high["p"]), rel=1e-4)
    assert float(small.low["p"]) == pytest.approx(float(wide.low["p"]), rel=1e-4)
