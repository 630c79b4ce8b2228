"""The Windkessel in closed form against an integrator, and what cuffs and scales make of it."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from medtwin.worlds import circulation
from medtwin.worlds.circulation import Haemodynamics


@pytest.mark.parametrize(("rate", "stroke", "resistance", "compliance"), [(66, 75, 1.1, 1.3), (95, 45, 1.4, 0.9)])
def test_the_closed_form_is_the_periodic_solution(rate, stroke, resistance, compliance):
    period = 60.0 / rate
    ejection = 0.32 * np.sqrt(period)

    def flow(t):
        return stroke * np.pi / (2 * ejection) * np.sin(np.pi * t / ejection) if t < ejection else 0.0

    p, beat = 80.0, None
    for _ in range(25):
        first = solve_ivp(
            lambda t, y: (flow(t) - y / resistance) / compliance, (0, ejection), [p], rtol=1e-9, max_step=1e-3
        )
        second = solve_ivp(lambda t, y: -y / (resistance * compliance), (ejection, period), first.y[:, -1], rtol=1e-9)
        beat, p = np.concatenate([first.y[0], second.y[0]]), second.y[0, -1]
        times = np.concatenate([first.t, second.t])
    ours = circulation.beat(rate, stroke, resistance, compliance)
    assert float(ours.systolic) == pytest.approx(beat.max(), abs=0.02)
    assert float(ours.diastolic) == pytest.approx(beat.min(), abs=0.02)
    assert float(ours.mean) == pytest.approx(np.trapezoid(beat, times) / period, rel=1e-3)
    assert float(ours.mean) == pytest.approx(resistance * stroke / period)


def test_an_ordinary_person_has_ordinary_pressure():
    h = Haemodynamics()
    b = circulation.beat(h.heart_rate, h.stroke_volume, h.resistance, h.compliance)
    assert 105 < float(b.systolic) < 135
    assert 60 < float(b.diastolic) < 85
    stiff = circulation.beat(h.heart_rate, h.stroke_volume, h.resistance, h.compliance * 0.6)
    assert float(stiff.systolic - stiff.diastolic) > float(b.systolic - b.diastolic) * 1.3
    assert float(stiff.mean) == pytest.approx(float(b.mean))


def test_cuff_errors_have_their_size():
    days = np.arange(300) / 10.0
    scatter, bias = [], []
    for k in range(80):
        rng = np.random.default_rng([4, k])
        read = circulation.pressures(rng, Haemodynamics(), days, np.full(300, 70.0), np.zeros(300, bool))
        error = read.systolic - read.truth.systolic
        scatter.append(error.std())
        bias.append(error.mean())
        assert (read.diastolic < read.mean).all()
        assert (read.mean < read.systolic).all()
    assert np.mean(scatter) == pytest.approx(4.0, rel=0.05)
    assert np.std(bias) == pytest.approx(2.0, rel=0.3)
    assert np.array_equal(read.systolic, np.round(read.systolic))


def test_sleep_dips_and_a_failing_heart_retains():
    days = np.arange(200) / 20.0
    rate = np.full(200, 66.0)
    awake = circulation.pressures(np.random.default_rng(1), Haemodynamics(), days, rate, np.zeros(200, bool))
    asleep = circulation.pressures(np.random.default_rng(1), Haemodynamics(), days, rate, np.ones(200, bool))
    np.testing.assert_allclose(asleep.truth.mean / awake.truth.mean, 0.88)
    failing = Haemodynamics(retention=0.4, onset_day=5.0)
    truth, shown = circulation.weights(np.random.default_rng(2), failing, days, np.full(200, 8.0))
    before, after = truth[days < 5].mean(), truth[days > 9].mean()
    assert after - before > 1.0
    assert np.std(shown - truth) == pytest.approx(0.104, rel=0.2)  # scatter and rounding


def test_daily_drift_depends_on_time_not_on_the_number_of_readings():
    ends = []
    for spacing in (0.1, 1.0):
        t = np.arange(0, 20, spacing)
        ends.append(np.std([circulation._daily(np.random.default_rng(k), t, 1.0, 2.0)[-1] for k in range(500)]))
    np.testing.assert_allclose(ends, 1.0, rtol=0.12)
