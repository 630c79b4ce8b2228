"""Whatever a trace looks like: no fault, and what must hold by definition holds. And what intervals say of themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.statistics.glucose import clarke, episodes, excursions, intervals, levels, parkes, profile, ranges, risk
from medtwin.statistics.glucose.trace import DAY, Trace

MIDNIGHT = 20_000 * DAY


@st.composite
def traces(draw):
    """Steps of a second to two days, in any order, values a sensor may state, offsets that jump."""
    count = draw(st.integers(1, 400))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    usual = draw(st.sampled_from([1.0, 5.0, 7.0, 15.0, 21.0, 60.0]))
    torn = rng.random(count) < draw(st.sampled_from([0.0, 0.05, 0.5]))
    apart = np.where(torn, rng.choice([0.02, 50.0, 400.0, 2900.0], count), usual)
    at = MIDNIGHT + 60.0 * np.cumsum(apart)
    value = rng.choice([39.0, 54.0, 69.0, 70.0, 100.0, 180.0, 181.0, 401.0], count)
    if draw(st.booleans()):
        value = np.full(count, value[0])
    shuffled = rng.permutation(count) if draw(st.booleans()) else np.arange(count)
    offset = np.where(at > np.median(at), 3600.0, draw(st.sampled_from([0.0, 7200.0, -34_200.0])))
    return Trace.of(at[shuffled], value[shuffled], offset[shuffled])


@given(traces())
def test_what_holds_by_definition(made):
    share = ranges.ranges(made.glucose)
    assert share.below_70 + share.in_range + share.above_180 == pytest.approx(100.0)
    assert share.below_54 <= share.below_70
    assert share.tight <= share.in_range
    assert 0.0 <= risk.risk_index(share).value <= 100.0
    assert risk.low_index(made.glucose) >= 0.0 <= risk.high_index(made.glucose)
    found = episodes.episodes(made)
    for name, (limit, below, least) in episodes.KINDS.items():
        for one in found[name].found:
            assert one.minutes >= least
            assert (one.worst < limit) if below else (one.worst > limit)
    assert len(found["hypo_extended"].found) <= len(found["hypo_1"].found)
    moved = excursions.excursions(made)
    if moved.count:
        # an excursion is of one SD of its stretch at the least, and no higher than the trace
        assert moved.average <= np.ptp(made.glucose) + 1e-9
    else:
        assert np.isnan(moved.average)
    line = made.grid.line[np.isfinite(made.grid.line)]
    if line.size:
        assert made.glucose.min() - 1e-9 <= line.min() <= line.max() <= made.glucose.max() + 1e-9
    whole = levels.active_of(made, made.seconds[0], made.seconds[-1] + 60.0 * made.step)
    assert 0.0 < whole <= 100.0
    assert sum(view.glucose.size for view in profile.daily(made)) == made.glucose.size
    middle = profile.profile(made).glucose
    assert (np.diff(middle[:, np.isfinite(middle[0])], axis=0) >= 0.0).all()
    for one in intervals.intervals(made, draws=20).values():
        assert np.isnan(one.low) or one.low <= one.high


@given(st.lists(st.tuples(st.floats(1, 1500), st.floats(1, 1500)), min_size=1, max_size=50))
def test_every_pair_has_one_zone(pairs):
    reference, estimate = np.array(pairs).T
    made = [clarke.clarke(reference, estimate), *(parkes.parkes(reference, estimate, kind) for kind in (1, 2))]
    assert all(set(zones.tolist()) <= set("ABCDE") for zones in made)


def correlated(rng, days, share):
    """Hourly glucose whose days' levels resemble the day before."""
    level = rng.normal(0.0, 25.0, days)
    for day in range(1, days):
        level[day] = share * level[day - 1] + (1.0 - share**2) ** 0.5 * level[day]
    return np.clip(165.0 + np.repeat(level, 24) + rng.normal(0.0, 30.0, days * 24), 40.0, 400.0)


@pytest.mark.parametrize(("share", "most"), [(0.0, 26), (0.3, 49)])
def test_intervals_of_a_change_leave_out_zero_as_rarely_as_the_page_says(share, most):
    """Of 300 people without a change: 5 % where days are independent, up to 11 % where they resemble each other; three
    standard errors more at the most."""
    rng, missed = np.random.default_rng(7), 0
    at = MIDNIGHT + 3600.0 * np.arange(14 * 24)
    for number in range(300):
        value = correlated(rng, 28, share)
        before = intervals.resampled(Trace.of(at, value[: 14 * 24]), 400, 2 * number)
        after = intervals.resampled(Trace.of(at + 14 * DAY, value[14 * 24 :]), 400, 2 * number + 1)
        moved = intervals.changes(before, after)["in_range"]
        missed += not moved.low <= 0.0 <= moved.high
    assert 4 <= missed <= most
