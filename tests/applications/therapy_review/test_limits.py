"""Which step is suggested, by hand-made steps: never more insulin beyond the limit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.applications.therapy_review import write
from medtwin.applications.therapy_review.review import (
    MORE_WITH_MEALS,
    RISK,
    Setting,
    Shares,
    Step,
    _chosen,
    _drawn,
    _interval_shares,
    _notes,
    _risk,
    _spread,
    _step,
    _together,
    shares,
)  # fmt: skip

SHARES = Shares((60.0, 65.0, 70.0), (0.0, 1.0, 2.0), (0.0, 0.0, 0.1))


def step(factor, change, risk=0.0, risk_now=0.0, low=(-1.0, 0.0, 1.0)):
    return Step(factor, SHARES, change, low, risk, factor < 1 or (risk <= RISK and risk_now <= RISK))


def test_the_surest_gain_within_the_limit():
    steps = [step(0.8, (-8, -5, -2)), step(1.1, (0.5, 2, 4), 0.02), step(1.2, (1.0, 4, 7), 0.09)]
    assert _chosen(steps, 0.0)[0].factor == 1.2
    assert _chosen([*steps[:2], replace(steps[2], risk=0.11, allowed=False)], 0.0)[0].factor == 1.1


def test_nothing_where_the_gain_is_unsure_or_worth_nothing():
    assert _chosen([step(1.1, (-0.1, 2, 4)), step(1.2, (0.2, 0.9, 2))], 0.0)[0] is None


def test_more_insulin_with_meals_is_not_suggested_before_its_study_is_there():
    page = Path(__file__).parents[3] / "docs/evidence/therapy-review.md"
    assert f"`MORE_WITH_MEALS` {'may be true' if MORE_WITH_MEALS else 'stays false'}" in page.read_text()
    more = step(1.2, (1, 4, 7))
    chosen, why = _chosen([step(1.1, (1, 2, 4)), more], 0.0, "meal bolus")
    assert chosen is None
    assert "see the notes" in why
    assert any("promised too small" in note for note in _notes([], [], 0, 14))
    less = step(0.9, (1, 2, 3))
    assert _chosen([more, less], 0.0, "meal bolus")[0] is less
    assert _chosen([more], 0.0, "basal")[0] is more


def test_the_stricter_limit_that_is_not_applied_is_said():
    assert any("older people" in note and "1 % below 70" in note for note in _notes([], [], 0, 14))


def test_a_step_of_less_insulin_beyond_the_limit_is_not_called_within_it():
    less = step(0.8, (-1, 0.2, 1), risk=0.97, risk_now=1.0)
    assert less.allowed  # it may be suggested
    shown = write._steps(Setting("basal", "basal", "1 U/h", 24.0, (less, step(0.9, (0, 1, 2), risk=0.05)), None, ""))
    assert [row[-1] for row in shown.rows] == ["beyond the limit", "within the limit"]
    assert write._step(less)["within_limit"] is False


def test_where_only_more_insulin_helps_and_lows_forbid_it():
    chosen, why = _chosen([step(1.1, (1, 2, 4), 0.4, 0.3), step(0.9, (-4, -3, -2), 0.2, 0.3, low=(-2, -1, -0.5))], 0.3)
    assert chosen is None
    assert "30%" in why
    assert "40%" in why


def test_beyond_the_limit_less_insulin_that_surely_lessens_lows_is_suggested():
    lessens = step(0.9, (-1, 0.2, 1), 0.1, 0.5, low=(-3, -2, -1))
    assert _chosen([lessens, step(1.1, (1, 2, 4), 0.6, 0.5)], 0.5)[0] is lessens
    assert _chosen([lessens], 0.0)[0] is None  # where lows are few it must earn its place by time in range


INTERVALS = st.tuples(*[st.floats(-20, 20)] * 3).map(lambda three: tuple(sorted(three)))


@given(st.lists(st.tuples(st.sampled_from([0.8, 0.9, 1.1, 1.2]), INTERVALS, INTERVALS, st.floats(0, 1)), max_size=4),
       st.floats(0, 1))  # fmt: skip
def test_more_insulin_is_never_chosen_beyond_the_limit(made, risk_now):
    chosen, _ = _chosen([step(f, c, r, risk_now, low) for f, c, low, r in made], risk_now)
    if chosen is not None and chosen.factor > 1.0:
        assert chosen.risk <= RISK
        assert risk_now <= RISK


def setting(name, factor, gain):
    suggested = step(factor, (0.5, gain, 2 * gain))
    return Setting(name, "basal", "1 U/h", 6.0, (suggested,), suggested, "")


def test_of_several_increases_the_weakest_goes_until_all_together_stay_within_the_limit():
    settings = [setting("a", 1.2, 5.0), setting("b", 1.1, 2.0), setting("c", 0.9, 1.0), setting("d", 1.1, 3.0)]

    def joint(sets):
        counted = [sum(one.suggested is not None and one.suggested.factor > 1.0 for one in chosen) for chosen in sets]
        return [step(1.2, (1, 3, 6), risk=0.03 * more**2) for more in counted]

    kept, together = _together(settings, joint)
    assert [one.suggested is not None for one in kept] == [True, False, True, False]
    assert together.risk == 0.03
    assert "not together" in kept[1].why
    assert _together([setting("a", 1.2, 5.0)], joint)[1] is None
    alone, together = _together(settings[:2], lambda sets: [step(1.2, (1, 3, 6), risk=0.5) for _ in sets])
    assert [one.suggested is not None for one in alone] == [True, False]
    assert together is None


def test_shares_of_readings_and_their_intervals():
    one = np.array([50.0, 60.0, 69.9, 70.0, 100.0, 180.0, 180.1, 250.0])[:, None]
    np.testing.assert_allclose(shares(one)[:, 0], [37.5, 37.5, 12.5])
    days = [shares(np.full((10, 1), glucose)) for glucose in (100.0, 200.0) * 10]
    low, middle, high = _interval_shares(days, _drawn(20)).in_range
    # the mean of 20 fair days: sd 50 / sqrt(20)
    assert middle == pytest.approx(50.0, abs=1.0)
    assert (high - low) / 2 == pytest.approx(1.645 * 50 / 20**0.5, rel=0.2)


def test_risk_and_paired_change():
    """Each day one reading of ten is low with the change, none without; the pairing leaves no doubt though days differ."""
    rng = np.random.default_rng(5)
    before = rng.choice([110.0, 250.0], (14, 10))
    before[:, 0] = 100.0
    after = before.copy()
    after[:, 0] = 60.0
    drawn = _drawn(14)
    measured = [shares(np.repeat(day[:, None], 2, 1)) for day in before]
    assert _risk(_spread(measured, drawn)) == 0.0
    made = _step(1.1, measured, [shares(np.repeat(day[:, None], 3, 1)) for day in after], drawn, 0.0)
    assert made.change == pytest.approx((-10.0, -10.0, -10.0))
    assert made.change_low == pytest.approx((10.0, 10.0, 10.0))
    assert made.risk == 1.0
    assert not made.allowed
    assert _step(0.9, measured, measured, drawn, 1.0).allowed
    assert not _step(1.1, measured, measured, drawn, 0.2).allowed  # lows are too many already
