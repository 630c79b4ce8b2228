"""Running metrics against those of ``statistics/glucose``, which are held to iglu's tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.population.metrics import add, begin, outcomes, risk
from medtwin.statistics.glucose.episodes import episodes
from medtwin.statistics.glucose.levels import standard_deviation, variation
from medtwin.statistics.glucose.ranges import ranges
from medtwin.statistics.glucose.risk import high_index, low_index, risk_index, risk_of
from medtwin.statistics.glucose.trace import Trace

PEOPLE, READINGS = 12, 5 * 288


@pytest.fixture(scope="module")
def walks():
    """Glucose that wanders from very low to very high, jumps about the limits, and ends within an episode."""
    random = np.random.default_rng(4)
    walk = 120 + np.cumsum(random.normal(0, 9, (READINGS, PEOPLE)), axis=0)
    glucose = 45 + np.abs(walk - 45) % 300
    glucose[-4:, 0] = 50.0
    return glucose


def test_metrics_are_those_of_the_report(walks):
    zero = jnp.zeros(PEOPLE)

    def one(tally, value):
        return add(tally, value, zero + 0.1, zero + 0.2, zero, zero), None

    tally, _ = jax.lax.scan(one, begin(zero), jnp.asarray(walks))
    made = outcomes(tally)
    for i in range(PEOPLE):
        value = walks[:, i]
        share = ranges(value)
        for name in ("below_54", "below_70", "tight", "in_range", "above_180", "above_250"):
            assert made[name][i] == pytest.approx(getattr(share, name), abs=1e-9)
        assert made["mean"][i] == pytest.approx(value.mean())
        assert made["standard_deviation"][i] == pytest.approx(standard_deviation(value))
        assert made["variation"][i] == pytest.approx(variation(value))
        assert made["low_index"][i] == pytest.approx(low_index(value))
        assert made["high_index"][i] == pytest.approx(high_index(value))
        assert made["risk_index"][i] == pytest.approx(risk_index(share).value)
        found = episodes(Trace.of(300.0 * np.arange(1, READINGS + 1), value))
        for name, kind in found.items():
            assert made[f"{name}_a_day"][i] * 5 == pytest.approx(len(kind.found)), (i, name)
    assert made["hypo_1_a_day"].min() > 0
    assert made["hyper_2_a_day"].max() > made["hyper_2_a_day"].min()
    np.testing.assert_allclose(made["insulin_a_day"], 288 * 0.3)


def test_one_law_of_risk():
    glucose = np.linspace(20.0, 600.0, 200)
    for made, expected in zip(risk(jnp.asarray(glucose)), risk_of(glucose), strict=True):
        np.testing.assert_allclose(made, expected, atol=1e-9)
