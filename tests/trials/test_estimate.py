"""An estimate's interval, p value and report; nothing that is not a number is reported."""

import math

import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate


def made(**more):
    given = {"name": "treatment - control", "value": 2.0, "standard_error": 0.8, "method": "m"}
    return Estimate(**{**given, **more})


def test_interval_and_p_value_agree():
    estimate = made(df=17.3)
    low, high = estimate.interval
    assert (low + high) / 2 == pytest.approx(2.0)
    assert made(df=17.3, null=low).p_value == pytest.approx(0.05)
    assert estimate.p_value == pytest.approx(2 * stats.t.sf(2.5, 17.3))
    assert made().interval[1] == pytest.approx(2.0 + 1.959963984540054 * 0.8)


def test_a_ratio_is_reported_as_one():
    value, low, high = made(scale="log", value=math.log(0.7), standard_error=0.1).reported
    assert value == pytest.approx(0.7)
    assert low * high == pytest.approx(0.49)


def test_an_exact_estimate():
    assert made(standard_error=0.0).p_value == 0.0
    assert made(standard_error=0.0, null=2.0).p_value == 1.0


@pytest.mark.parametrize("wrong", [{"value": math.nan}, {"standard_error": math.inf}, {"df": 0.0}, {"scale": "logit"}])
def test_what_could_not_be_estimated_is_not_reported(wrong):
    with pytest.raises(AnalysisError):
        made(**wrong)
