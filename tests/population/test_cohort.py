"""The profile from counts is that of the readings; a comparison is paired and refuses strangers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.population.cohort import Cohort, compared, counted, described, profile_of
from medtwin.population.days import Scenario
from medtwin.statistics.glucose.profile import profile
from medtwin.statistics.glucose.trace import Trace


def test_profile_is_that_of_the_report():
    """Of one person and 40 days, against ``statistics.glucose.profile`` on the readings; within half a bin of 1 mg/dL."""
    random = np.random.default_rng(1)
    minute = 5.0 * np.arange(40 * 288)
    glucose = 140 + 50 * np.sin(2 * np.pi * minute / 1440) + random.normal(0, 25, minute.size)
    made = profile_of(counted(glucose[:, None]), 40)
    of_report = profile(Trace.of(60.0 * minute, glucose))
    np.testing.assert_array_equal(made.minute, of_report.minute)
    assert np.abs(made.glucose - of_report.glucose).max() <= 0.5 + 1e-9
    parts = counted(glucose[: 20 * 288, None]) + counted(glucose[20 * 288 :, None])
    np.testing.assert_array_equal(parts, counted(glucose[:, None]))


def of(people, values, **more):
    return Cohort(people, "x", 3, "sensor", Scenario(), {"in_range": np.asarray(values)}, None, **more)


def test_paired(people):
    """Against scipy's paired t interval."""
    random = np.random.default_rng(2)
    before = random.normal(70, 10, len(people))
    after = before + random.normal(3, 2, len(people))
    made = compared(of(people, after), of(people, before))["in_range"]
    expected = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert (made.lower, made.upper) == pytest.approx((expected.low, expected.high))
    assert made.rose == pytest.approx((after > before).mean())
    with pytest.raises(AnalysisError, match="other people or days"):
        compared(of(people, after), of(people.some(slice(0, 39)), before[:39]))
    of_other_model = replace(people, model=SimpleNamespace(name="another"))
    with pytest.raises(AnalysisError, match="other people or days"):
        compared(of(people, after), of(of_other_model, before))
    assert described(after).error == pytest.approx(stats.sem(after))
