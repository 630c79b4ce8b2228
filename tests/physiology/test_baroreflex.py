"""The baroreflex against what Ursino 1998 published, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology import baroreflex

#: Published basal values of the effectors, from which the public transcription starts, and how near. Of the last its own
#: gain gives 4 % less: -132.5 mL times what the other values divide to.
PUBLISHED = {
    "d_left_elastance": (0.558, 0.015),
    "d_right_elastance": (0.338, 0.03),
    "d_splanchnic_resistance": (0.817, 0.015),
    "d_other_resistance": (0.627, 0.015),
    "d_splanchnic_unstressed": (-314.4, 0.015),
    "d_other_unstressed": (-162.0, 0.05),
}


def at(pressure):
    return baroreflex.effectors(jnp.asarray(float(pressure)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_settled_effectors_are_the_published_ones(name):
    value, within = PUBLISHED[name]
    assert float(getattr(at(baroreflex.URSINO_SETTLED), name)) == pytest.approx(value, rel=within)


def test_the_settled_heart_beats_as_a_resting_adult():
    assert 68 < 60.0 / float(at(baroreflex.URSINO_SETTLED).period) < 75


def test_by_hand_at_the_middle_of_the_carotid_curve():
    """At the middle f_cs is the mean of its ends; the rest follows with logarithms and exponentials alone."""
    carotid = (2.52 + 47.78) / 2
    nerve = 2.1 + (16.11 - 2.1) * np.exp(-0.0675 * carotid)
    s = np.log(nerve - 2.66 + 1)
    g = np.exp((carotid - 25.0) / 7.06)
    period = 0.58 - 0.13 * s + 0.09 * (3.2 + 6.3 * g) / (1 + g)
    found = at(92.0)
    assert float(found.d_left_elastance) == pytest.approx(0.475 * s, rel=1e-9)
    assert float(found.period) == pytest.approx(period, rel=1e-9)


def test_less_pressure_raises_rate_resistance_and_muscle_and_empties_veins():
    low = baroreflex.answer(jnp.asarray([75.0]), jnp.asarray([90.0]), jnp.asarray([1.0]))
    assert float(low.heart_rate[0]) > 1.1
    assert float(low.systemic_resistance[0]) > 1.02
    assert float(low.left_elastance[0]) > 1.02
    assert float(low.stressed_volume[0]) > 50.0
    high = baroreflex.answer(jnp.asarray([105.0]), jnp.asarray([90.0]), jnp.asarray([1.0]))
    assert float(high.heart_rate[0]) < 0.95
    assert float(high.stressed_volume[0]) < 0.0


def test_no_answer_at_the_usual_pressure_or_without_strength():
    for pressure, strength in ((120.0, 1.0), (70.0, 0.0)):
        usual = 120.0
        found = baroreflex.answer(jnp.asarray([pressure]), jnp.asarray([usual]), jnp.asarray([strength]))
        assert [float(v[0]) for v in found] == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.0], abs=1e-12)


def test_the_strength_of_heart_failure_is_that_of_its_source():
    """3.9 ms/mm[Hg] of Mortara 1997 over the slope of this curve."""
    slope = 1000.0 * float(at(baroreflex.URSINO_SETTLED + 0.5).period - at(baroreflex.URSINO_SETTLED - 0.5).period)
    assert baroreflex.STRENGTH_IN_HEART_FAILURE.quantile(0.5) == pytest.approx(3.9 / slope, rel=0.05)
