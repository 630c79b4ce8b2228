"""Bounds ("<5", "Low", "High") against quadrature, alone and through the filter."""

import numpy as np
import pytest
from scipy import integrate, stats

from inference import linear
from medtwin.inference import readings
from medtwin.inference import tape as tapes
from medtwin.inference.problem import problem
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start


def cut_moments(mean, variance, bound, kind):
    """Probability, mean and variance of a normal that is known to lie below or above ``bound``, by Gauss-Legendre."""
    sd = np.sqrt(variance)
    if kind == tapes.UPPER:
        low, high = min(bound, mean) - 12 * sd, bound
    else:
        low, high = bound, max(bound, mean) + 12 * sd
    place, weight = np.polynomial.legendre.leggauss(400)
    y = low + (high - low) * (place + 1) / 2
    density = stats.norm.pdf(y, mean, sd) * weight * (high - low) / 2
    mass = density.sum()
    first = (y * density).sum() / mass
    return mass, first, ((y - first) ** 2 * density).sum() / mass


@pytest.mark.parametrize("kind", [tapes.UPPER, tapes.LOWER])
@pytest.mark.parametrize("bound", [-6.0, 0.3, 1.0, 9.0])
def test_moments_of_a_bound(kind, bound):
    mean, variance = 1.0, 1.7
    met = readings.met(*(np.asarray(x) for x in (bound, kind, mean, variance)))
    mass, first, second = cut_moments(mean, variance, bound, kind)
    np.testing.assert_allclose(met.log_density, np.log(mass), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(met.shift, first - mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(met.ratio * variance, second, rtol=1e-7)
    ends = (-np.inf, bound) if kind == tapes.UPPER else (bound, np.inf)
    checked, _ = integrate.quad(stats.norm(mean, np.sqrt(variance)).pdf, *ends)
    np.testing.assert_allclose(mass, checked, rtol=1e-6, atol=1e-9)


def test_far_tails_stay_finite():
    met = readings.met(np.asarray(-400.0), np.asarray(tapes.UPPER), np.asarray(0.0), np.asarray(1.0))
    assert np.isfinite([met.log_density, met.shift, met.ratio]).all()
    assert -400.1 < met.shift < -400.0  # just below the bound
    assert 0.0 <= met.ratio < 1e-3


def test_an_exact_reading():
    met = readings.met(np.asarray(2.0), np.asarray(tapes.EXACT), np.asarray(1.0), np.asarray(4.0))
    np.testing.assert_allclose(met.log_density, stats.norm.logpdf(2.0, 1.0, 2.0))
    np.testing.assert_allclose([met.shift, met.ratio, met.below], [1.0, 0.0, stats.norm.cdf(0.5)])


@pytest.mark.parametrize("kind", [tapes.UPPER, tapes.LOWER])
def test_the_filter_meets_a_bound_exactly(kind):
    """Mean and covariance of state and parameter given one bound, against quadrature over the reading's value."""
    model = linear.Scalar()
    made = problem(model, walk=0.0, spread=0.8)
    tape = tapes.blank(model, 1)
    reading = tape.readings["level"]
    reading.value[0], reading.sd[0], reading.present[0], reading.kind[0] = -0.5, 0.6, True, kind
    update = Unscented(interval=1)
    belief, trace = run(update, made, start(update, made), tape)
    system, (mean, covariance) = linear.exact(made, model), linear.prior(made)
    mean, covariance = system.predict(mean, covariance, 0.0)
    row = system.rows[0]
    variance = row @ covariance @ row + 0.36
    predicted = row @ mean + system.offsets[0]
    mass, first, second = cut_moments(predicted, variance, -0.5, kind)
    gain = covariance @ row / variance
    expected = covariance - np.outer(gain, gain) * (variance - second)
    np.testing.assert_allclose(belief.moments()[0], mean + gain * (first - predicted), atol=1e-9)
    np.testing.assert_allclose(belief.moments()[1], expected, atol=1e-9)
    np.testing.assert_allclose(trace.surprise["level"].log_density[0], np.log(mass), atol=1e-10)
    assert np.isnan(trace.surprise["level"].rank[0])
