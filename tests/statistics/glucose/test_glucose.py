"""Metrics of traces whose answer is known beforehand."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.statistics.glucose import episodes, excursions, intervals, levels, profile, ranges, risk, variability
from medtwin.statistics.glucose.haemoglobin import glycation_gap
from medtwin.statistics.glucose.trace import DAY, Trace

MIDNIGHT = 20_000 * DAY


def trace(value, every=5.0, start=MIDNIGHT, offset=0.0):
    value = np.asarray(value, float)
    return Trace.of(start + 60.0 * every * np.arange(value.size), value, offset)


def wave(days, period=24.0, mean=150.0, height=50.0):
    hours = np.arange(days * 288) / 12.0
    return mean + height * np.sin(2.0 * np.pi * hours / period)


def test_of_a_sine_the_moments_and_differences_are_known():
    made = trace(wave(14))
    assert levels.mean(made.glucose) == pytest.approx(150.0, abs=1e-9)
    assert levels.standard_deviation(made.glucose) == pytest.approx(50.0 / 2**0.5, rel=1e-3)
    assert levels.management_indicator(150.0) == pytest.approx(6.898)
    assert variability.day_to_day(made) == pytest.approx(0.0, abs=1e-9)
    # G(t) - G(t - 6 h) of a 24 h sine: another sine, of height √2 times the first's
    assert variability.overlapping_action(made, 6) == pytest.approx(50.0, rel=1e-2)
    assert excursions.excursions(made).average == pytest.approx(100.0, abs=5.0)
    assert levels.active(made) == 100.0


def test_ranges_own_their_edges():
    share = ranges.ranges([53, 54, 69, 70, 140, 141, 180, 181, 250, 251])
    assert share == ranges.Ranges(below_54=10, below_70=30, tight=20, in_range=40, above_180=30, above_250=10)


@pytest.mark.parametrize(("value", "zone"), [(100.0, "A"), (50.0, "E"), (300.0, "E")])
def test_the_risk_index_at_its_ends(value, zone):
    found = risk.risk_index(ranges.ranges([value] * 10))
    assert found.zone == zone
    assert found.value == (0.0 if zone == "A" else 100.0)


def test_risk_is_zero_at_its_centre_and_kovatchev_s_scale_ends_at_a_hundred():
    centre = np.exp(5.381 ** (1 / 1.084))
    assert risk.low_index([centre]) + risk.high_index([centre]) == pytest.approx(0.0, abs=1e-12)
    assert risk.low_index([20.0]) == pytest.approx(100.0, abs=0.5)
    assert risk.high_index([600.0]) == pytest.approx(100.0, abs=0.5)


def test_episodes_need_fifteen_minutes_to_begin_and_to_end():
    low = [100] * 6 + [60] * 2 + [100] * 6 + [60] * 4 + [100] * 2 + [60] * 3 + [100] * 9 + [60] * 26 + [100] * 3
    found = episodes.episodes(trace(low))
    assert [round(one.minutes) for one in found["hypo_1"].found] == [
        45,
        130,
    ]  # two points low are none, two high no end
    assert [round(one.minutes) for one in found["hypo_extended"].found] == [130]
    assert not found["hypo_2"].found
    assert found["hypo_1"].found[0].worst == 60.0


def test_a_gap_is_never_bridged():
    value = np.concatenate([wave(1), wave(1)])
    made = trace(value)
    keep = (np.arange(value.size) < 100) | (np.arange(value.size) >= 120)
    torn = Trace.of(made.seconds[keep], made.glucose[keep])
    assert np.isnan(torn.grid.line[100:118]).all()
    assert np.isfinite(torn.grid.line[:98]).all()
    assert levels.active(torn) == pytest.approx(100.0 * 556 / 576)
    view = profile.daily(torn)[0]
    assert [len(minute) for minute, _ in view.pieces(45.0)] == [100, 168]


def test_a_clock_put_back_moves_the_profile_not_the_instants():
    """Breakfast stays at seven of the person's clock when that goes back by an hour."""
    value, seconds = [], MIDNIGHT + 300.0 * np.arange(14 * 288)
    offset = np.where(seconds < MIDNIGHT + 7 * DAY, 7200.0, 3600.0)
    hour = ((seconds + offset) % DAY) / 3600.0
    value = np.where((hour >= 7.0) & (hour < 8.0), 200.0, 100.0)
    made = Trace.of(seconds, value, offset)
    median = profile.profile(made, half_window=5.0).glucose[2]
    assert set(np.flatnonzero(median > 150.0).tolist()) <= set(range(28, 33))
    assert median[30] == 200.0
    assert median[26] == 100.0


def test_the_profile_is_silent_where_too_few_days_speak():
    made = trace(wave(2))
    assert np.isnan(profile.profile(made).glucose).all()
    assert np.isfinite(profile.profile(trace(wave(3))).glucose).all()


def test_a_day_bootstrap_knows_the_error_of_a_mean_of_days():
    """Of days that differ by N(0, 20²) around 150 the interval of the mean is that of 60 draws, and covers as it says."""
    rng, inside, widths = np.random.default_rng(1), 0, []
    for number in range(60):
        day = rng.normal(150.0, 20.0, 60)
        found = intervals.intervals(trace(np.repeat(day, 24), every=60.0), draws=400, seed=number)["mean"]
        inside += found.low <= 150.0 <= found.high
        widths.append(found.high - found.low)
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 20.0 / 60**0.5, rel=0.08)
    assert 50 <= inside <= 60


def test_interval_values_are_the_metrics_themselves():
    made = trace(np.random.default_rng(2).normal(160.0, 45.0, 14 * 288).clip(40.0, 400.0))
    found = intervals.intervals(made, draws=50)
    share = ranges.ranges(made.glucose)
    assert found["mean"].value == pytest.approx(levels.mean(made.glucose))
    assert found["standard_deviation"].value == pytest.approx(levels.standard_deviation(made.glucose))
    assert found["risk_index"].value == pytest.approx(risk.risk_index(share).value)
    assert found["low_index"].value == pytest.approx(risk.low_index(made.glucose))
    assert found["j_index"].value == pytest.approx(levels.j_index(made.glucose))
    assert found["day_to_day"].value == pytest.approx(variability.day_to_day(made))
    for name in ("below_54", "below_70", "tight", "in_range", "above_180", "above_250"):
        assert found[name].value == pytest.approx(getattr(share, name))


def test_a_change_is_seen_where_there_is_one():
    rng = np.random.default_rng(3)
    before = trace(np.repeat(rng.normal(180.0, 20.0, 14), 288))
    after = trace(np.repeat(rng.normal(140.0, 20.0, 14), 288), start=MIDNIGHT + 14 * DAY)
    assert intervals.changes(intervals.resampled(before), intervals.resampled(after, seed=2))["mean"].high < 0.0
    same = intervals.changes(intervals.resampled(before), intervals.resampled(before, seed=2))["mean"]
    assert same.low < 0.0 < same.high
    assert same.value == 0.0


def test_the_glycation_gap_is_the_laboratory_s_minus_the_trace_s():
    made = trace(wave(84))
    found = glycation_gap(made, 7.5, MIDNIGHT + 84 * DAY)
    assert found is not None
    assert found.gap.value == pytest.approx(7.5 - 6.898, abs=1e-6)
    assert found.enough
    assert glycation_gap(made, 7.5, MIDNIGHT - DAY) is None


def test_readings_are_sorted_and_of_one_instant_the_last_counts():
    made = Trace.of([300.0, 0.0, 300.0, np.nan], [100.0, 90.0, 110.0, 95.0])
    assert made.glucose.tolist() == [90.0, 110.0]
    assert made.repeated == 1
    with pytest.raises(AnalysisError, match="positive"):
        Trace.of([0.0], [0.0])


def test_readings_an_hour_apart_tell_of_levels_but_not_of_episodes():
    made = trace([60.0, 100.0] * 48, every=60.0)
    assert ranges.ranges(made.glucose).below_70 == 50.0
    assert not episodes.episodes(made)["hypo_1"].found
    assert np.isnan(excursions.excursions(made).average)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_next_to_nothing_gives_no_number_and_no_fault(count):
    made = trace([100.0, 110.0][:count])
    assert not np.isfinite(variability.day_to_day(made))
    assert not np.isfinite(excursions.excursions(made).average)
    assert all(not one.found for one in episodes.episodes(made).values())
    assert intervals.intervals(made) == {}
