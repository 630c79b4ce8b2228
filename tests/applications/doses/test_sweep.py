"""Doses side by side: chances by hand, and no dose named beyond the limit or where the forecast cannot carry it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pytest

from medtwin.applications.doses.sweep import DEEP, LIMIT, chance, chances, sweep
from medtwin.applications.glucose_report.unit import UNITS
from medtwin.errors import FormatError
from medtwin.twin.fit import LEAST_COVERAGE
from medtwin.twin.forecast import SHOWN, Effect, Forecast
from medtwin.twin.residual import LEVELS

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SD = 20.0
DEVIATES = np.array([NormalDist().inv_cdf(float(level)) for level in LEVELS])


def future(centres, hours=5.0, **more):
    """A normal forecast around ``centres``, spread evenly over ``hours``."""
    rows = np.asarray(centres, float)[:, None] + SD * DEVIATES[None]
    times = tuple(NOW + timedelta(hours=hours) * (i + 1) / len(rows) for i in range(len(rows)))
    made = Forecast("anna", "glucose", NOW, True, "a model", times, LEVELS, rows, coverage=(0.9, 500, 60.0))
    return replace(made, **more)


def asking(centres_of, **more):
    base = future(centres_of(0.0), **more)
    return lambda units: Effect(base, future(centres_of(units), **more), np.zeros((len(base.times), len(SHOWN))))


def meal(units):
    """Glucose rises by 120 mg/dL and ends 18 mg/dL lower for each unit."""
    return np.array([150.0, 220.0, 250.0, 240.0, 200.0]) - 18.0 * units


def test_chances_are_those_of_the_forecast():
    made = future([100.0, 160.0])
    normal = NormalDist(100.0, SD)
    assert chance(made, 70.0, below=True) == pytest.approx(normal.cdf(70.0), abs=0.003)
    assert chance(made, 54.0, below=True) == pytest.approx(normal.cdf(54.0), abs=0.003)
    np.testing.assert_allclose(
        chances(made, 180.0, below=False), [1 - normal.cdf(180.0), 1 - NormalDist(160.0, SD).cdf(180.0)], atol=0.005
    )
    assert chance(made, 300.0, below=False) == 0.0


def test_the_dose_with_least_time_above_within_the_limit_is_named():
    made = sweep([0, 2, 4, 8], asking(meal))
    by_units = {one.units: one for one in made.options}
    # 2 U leave 114, which is 2.2 sd above 70; 4 U leave 78, where a third lies below 70
    assert [by_units[u].within for u in (0.0, 2.0, 4.0, 8.0)] == [True, True, False, False]
    assert by_units[2.0].below_70 == pytest.approx(NormalDist(114.0, SD).cdf(70.0), abs=0.005)
    assert made.named == 2.0
    assert by_units[4.0].time_above_180 < by_units[2.0].time_above_180 < by_units[0.0].time_above_180


def test_who_is_high_now_is_not_told_that_no_insulin_is_as_good():
    """The chance above 180 at the worst moment is 1 whatever is given; the time above is not."""
    made = sweep(
        [0, 1, 2], asking(lambda units: np.array([300.0, 280.0 - 40 * units, 260.0 - 60 * units, 250.0 - 60 * units]))
    )
    assert {round(one.above_180, 3) for one in made.options} == {1.0}
    assert made.named == 2.0


def test_doses_that_do_equally_well_are_named_and_a_useless_one_is_not():
    flat = sweep([0, 1, 2], asking(lambda units: np.array([150.0, 140.0, 140.0])))
    assert flat.named == 0.0
    assert "1, 2 U would do as well, and the smaller dose is named" in flat.why
    high = sweep([1, 2], asking(lambda units: np.full(5, 420.0) - 5 * units))
    assert all(one.within for one in high.options)
    assert (high.named, "the best leaves 100% of the time above 180" in high.why) == (None, True)
    other = sweep([2, 8], asking(meal), unit=UNITS["mmol/L"])
    assert "below 3.9 mmol/L within 5%" in other.why
    assert other.options[1].words(UNITS["mmol/L"]) == "chance below 3.0 above 1%"


def test_what_is_withheld_says_why_and_when():
    made = sweep([2], asking(meal, withheld="the last reading is 5 h old"))
    assert (made.options, made.withheld, made.made_at) == ((), "the last reading is 5 h old", NOW)


@pytest.mark.parametrize("units", [0.0, 1.0, 5.0, 12.0])
def test_a_dose_beyond_the_limit_is_never_named(units):
    made = sweep([units, units + 1.0], asking(meal))
    named = [one for one in made.options if one.units == made.named]
    assert all(one.below_70 <= LIMIT and one.below_54 <= DEEP for one in named)
    if units == 12.0:
        assert made.named is None
        assert "none keeps the chance" in made.why


@pytest.mark.parametrize(
    ("more", "doubt", "words"),
    [
        ({"coverage": None}, None, "not calibrated"), ({"coverage": (0.55, 500, 60.0)}, None, "held 55% of readings"),
        ({"coverage": (LEAST_COVERAGE - 0.01, 500, 60.0)}, None, "not calibrated"),
        ({}, "the model does not fit this person", "does not fit"),
        ({"widened": "the last reading is 40 min old"}, None, "40 min old"), ({"hours": 3.0}, None, "futures end before 4 h"),
    ],
)  # fmt: skip
def test_nothing_is_named_where_the_forecast_cannot_carry_it(more, doubt, words):
    made = sweep([0, 2], asking(meal, **more), doubt)
    assert made.named is None
    assert words in made.why
    assert len(made.options) == 2  # the futures are shown all the same


def test_a_dose_is_named_from_the_least_coverage_on():
    assert sweep([0, 2], asking(meal, coverage=(LEAST_COVERAGE, 500, 60.0))).named == 2.0


def test_a_dose_that_is_given_late_needs_a_longer_look():
    assert sweep([0, 2], asking(meal), given_in=timedelta(minutes=30)).named == 2.0
    assert sweep([0, 2], asking(meal), given_in=timedelta(minutes=90)).named is None


def test_a_withheld_forecast_gives_no_options():
    made = sweep([1.0], asking(meal, withheld="the last reading is 4 h old"))
    assert made.options == ()
    assert made.named is None


@pytest.mark.parametrize("doses", [[], [-1.0], [31.0], [float("nan")], [1.0, float("nan"), 2.0], list(range(21))])
def test_doses_that_make_no_sense(doses):
    with pytest.raises(FormatError, match="1 to 20 doses"):
        sweep(doses, asking(meal))
