"""The sensor against the published numbers: calibration curve, autoregressions, accuracy, faults."""

import numpy as np
import pytest

from medtwin.worlds import sensor


def test_calibration_curve_by_hand():
    gain, offset = sensor.calibration(np.array([0.0, 5.0, 10.0]))
    np.testing.assert_allclose(gain, [1.048, 1.048 - 0.165 + 0.05, 1.048 - 0.33 + 0.2])
    np.testing.assert_allclose(offset, [-6.398, -6.398 + 30.895 - 11.2, -6.398 + 61.79 - 44.8])


@pytest.mark.parametrize("law", [sensor.OWN, sensor.COMMON])
def test_noise_has_the_analytic_stationary_variance_and_correlation(law):
    first, second, innovation = law
    many = np.stack([sensor.autoregression(np.random.default_rng([7, k]), 200, law) for k in range(600)])
    # the variance from the spectral density, by quadrature: another road than the closed form
    w = np.linspace(0, np.pi, 200001)
    spectrum = innovation / np.abs(1 - first * np.exp(-1j * w) - second * np.exp(-2j * w)) ** 2
    assert sensor.stationary_variance(law) == pytest.approx(np.trapezoid(spectrum, w) / np.pi, rel=1e-6)
    for at in (0, 1, 100, 199):  # stationary from the first sample on
        assert many[:, at].var() == pytest.approx(sensor.stationary_variance(law), rel=0.2)
    assert many.var() == pytest.approx(sensor.stationary_variance(law), rel=0.05)
    lag = np.mean(many[:, 1:] * many[:, :-1]) / np.mean(many**2)
    assert lag == pytest.approx(first / (1 - second), abs=0.01)


def test_together_the_noise_has_an_sd_of_eight():
    total = sensor.stationary_variance(sensor.OWN) + sensor.stationary_variance(sensor.COMMON)
    assert np.sqrt(total) == pytest.approx(7.96, abs=0.01)


def test_accuracy_is_that_of_a_good_sensor():
    hours = np.arange(2880) / 12.0
    truth = 150 + 60 * np.sin(2 * np.pi * hours / 7.3)
    differences = []
    for k in range(60):
        e = sensor.errors(np.random.default_rng([11, k]), len(truth))
        shown = (e.gain * truth + e.offset)[~e.lost]
        differences.append(np.mean(np.abs(shown - truth[~e.lost]) / truth[~e.lost]))
    assert 0.06 < np.mean(differences) < 0.12


def test_a_sensor_lives_ten_days_and_warms_up():
    e = sensor.errors(np.random.default_rng(1), 288 * 3, worn=9.0, missing=0.0)
    lost = np.flatnonzero(e.lost)
    assert lost[0] == 288
    assert len(lost) == 24
    assert np.ptp(e.gain[:288] - sensor.calibration(9.0 + np.arange(288) / 288)[0]) < 1e-12
    assert e.gain[289] - e.gain[287] == pytest.approx(1.048 - 0.918, abs=0.3)


def test_planted_faults_are_where_they_were_planted():
    faults = (
        sensor.Fault("compression", 600, 30, -50.0),
        sensor.Fault("bias", 1000, 200, 25.0),
        sensor.Fault("dropout", 60, 40),
    )
    plain = sensor.errors(np.random.default_rng(2), 288, worn=2.0)
    faulty = sensor.errors(np.random.default_rng(2), 288, faults, worn=2.0)
    extra = faulty.fault
    np.testing.assert_allclose(faulty.offset - plain.offset, extra, atol=1e-12)
    assert extra[120:127].tolist() == [-25, -50, -50, -50, -50, -50, -25]
    assert (extra[200:241] == 25.0).all()
    assert np.count_nonzero(extra) == 7 + 41
    assert faulty.lost[12:21].all()
    np.testing.assert_array_equal(plain.noise, faulty.noise)
    with pytest.raises(ValueError, match="compression, bias or dropout"):
        sensor.errors(np.random.default_rng(2), 288, (sensor.Fault("fire", 1, 1),))


def test_random_faults_have_the_asked_sizes_and_rates():
    nights = [(d * 1440 + 1000, d * 1440 + 1440) for d in range(400)]
    faults = sensor.random_faults(np.random.default_rng(3), nights, 400 * 1440, compression=0.3, bias=0.1, dropout=0.2)
    by = {k: [f for f in faults if f.kind == k] for k in ("compression", "bias", "dropout")}
    assert 90 < len(by["compression"]) < 150
    assert 20 < len(by["bias"]) < 60
    assert 55 < len(by["dropout"]) < 105
    assert all(-60 <= f.size <= -35 and 20 <= f.minutes <= 35 for f in by["compression"])
    assert all(any(a < f.start < b for a, b in nights) for f in by["compression"])


def test_display_says_low_and_high():
    assert sensor.display(39.9) == (40.0, "Low")
    assert sensor.display(401.0) == (400.0, "High")
    assert sensor.display(101.4) == (101.0, "101")


def test_same_seed_same_errors():
    a, b = (sensor.errors(np.random.default_rng(9), 300) for _ in range(2))
    np.testing.assert_array_equal(a.offset, b.offset)
    np.testing.assert_array_equal(a.lost, b.lost)
