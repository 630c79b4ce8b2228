"""HbA1c: the published relation to mean glucose, exact steps, red cells that live exactly as long, and a coupled person."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from medtwin.physiology.coupled import Coupled
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.haemoglobin import Haemoglobin, settled
from medtwin.physiology.model import draw, parameters_at, simulate
from medtwin.physiology.wires import Wire

MODEL = Haemoglobin()


def hba1c(p, glucose):
    return float(MODEL.observe(jnp.asarray(0.0), settled(p, jnp.asarray(glucose)), p)["hba1c"])


def stepped(p, glucose):
    """HbA1c on each day of the given glucose."""
    return np.asarray(simulate(MODEL, MODEL.initial(p), p, {"blood_glucose": jnp.asarray(glucose)})[1]["hba1c"])


def person(**values):
    p = parameters_at(MODEL, {})
    for name, value in values.items():
        p = eqx.tree_at(lambda q, name=name: getattr(q, name), p, jnp.asarray(value))
    return p


def test_the_relation_of_hba1c_and_mean_glucose_is_the_published_one():
    """Nathan 2008: mean = 28.7 HbA1c - 46.7. The rate of glycation is from another source: nothing here is fitted to it."""
    p = person()
    for glucose in (110.0, 126.0, 154.0, 183.0, 212.0, 240.0):
        published = (glucose + 46.7) / 28.7
        assert hba1c(p, glucose) == pytest.approx(published, abs=0.35 if glucose < 240 else 0.5), glucose
    assert hba1c(p, 154.0) == pytest.approx(7.0, abs=0.2)
    slope = (hba1c(p, 200.0) - hba1c(p, 120.0)) / 80.0
    assert slope == pytest.approx(1 / 28.7, rel=0.15)


def test_people_differ_as_much_as_published():
    """At one mean glucose of 154 mg/dL: rate (16.7 %) and life span together give a gap of about half a point and more."""
    p = draw(MODEL, jax.random.key(1), 2000)
    shares = settled(p, jnp.full(2000, 154.0))
    seen = np.asarray(MODEL.observe(jnp.asarray(0.0), shares, p)["hba1c"])
    assert 0.5 < seen.std() < 1.2
    assert np.median(seen) == pytest.approx(7.0, abs=0.2)


def test_a_step_of_glucose_is_the_matrix_exponential():
    """The chain is linear at constant glucose: its exact answer, from settled at 115 to 220 mg/dL, over 200 days."""
    p = person(life_span=100.0)
    rate, glycation = 13 / 100.0, float(p.glycation_rate) * 220.0
    matrix = np.diag(np.full(12, -rate - glycation)) + np.diag(np.full(11, rate), -1)
    drive = np.full(12, glycation)
    end = -np.linalg.solve(matrix, drive)
    start = np.array([float(leaf) for leaf in jax.tree.leaves(MODEL.initial(p))])
    seen = stepped(p, np.full(200, 220.0))
    for day in (1, 10, 40, 100, 200):
        exact = end + expm(matrix * day) @ (start - end)
        assert seen[day - 1] == pytest.approx(91.48 * exact.mean() + 2.152, abs=1e-6), day


def test_half_of_a_step_has_come_in_a_month_and_most_of_it_in_three():
    """In cells that live exactly L days a share 1 - (1 - t/L)^2 of a small step has come by day t: half by .29 L."""
    p = person()
    seen = stepped(p, np.full(300, 125.0))
    start, end = hba1c(p, 115.0), hba1c(p, 125.0)
    share = (seen - start) / (end - start)
    days = np.arange(1, 301)
    exact = 1 - np.clip(1 - days / 120.0, 0.0, 1.0) ** 2
    assert np.abs(share - exact).max() < 0.06
    assert np.interp(0.5, share, days) == pytest.approx(0.29 * 120.0, abs=5)
    assert share[89] > 0.85


def test_the_life_span_is_told_by_how_fast_hba1c_follows():
    """Two people with the same settled HbA1c, one with cells that live longer and glycate more slowly."""
    short = person(life_span=90.0)
    long = person(life_span=150.0, glycation_rate=float(short.glycation_rate) * 90.0 / 150.0)
    assert hba1c(short, 160.0) == pytest.approx(hba1c(long, 160.0), abs=1e-6)
    days = np.full(40, 220.0)
    assert stepped(short, days)[-1] > stepped(long, days)[-1] + 0.3


def test_a_persons_glucose_minutes_reach_the_haemoglobin_of_days():
    """Coupled: at rest the HbA1c is that of the resting glucose, and a day too much of it raises HbA1c as stepping does."""
    pair = Coupled(
        models=(GlucoseInsulin(), MODEL),
        wires=(Wire(source="glucose_insulin.blood_glucose", target="haemoglobin.blood_glucose"),),
    )
    p = parameters_at(pair, {})
    resting = pair.resting(p)
    steps = 3 * 1440
    held = {name: jnp.full(steps, float(value)) for name, value in resting.items()}
    held["insulin_basal_rate"] = held["insulin_basal_rate"] * 0.5
    run = eqx.filter_jit(simulate)
    _, seen = run(pair, pair.initial(p), p, held, every=60)
    daily = np.asarray(seen["blood_glucose"]).reshape(3, 24).mean(1)
    own = person()
    alone = stepped(own, daily)
    assert daily[-1] > daily[0] + 20
    assert np.asarray(seen["hba1c"])[-1] == pytest.approx(alone[-1], abs=0.01)
