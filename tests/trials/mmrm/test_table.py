"""Marginal means and differences from a tidy table; levels, their order, and averages."""

import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm import fit, fit_table
from trials.mmrm.data import trial

Y, X, S, V, A, C = trial(45, 3, arms=3, seed=4)
WEEKS = np.array([2.0, 10.0, 24.0])
TABLE = pl.DataFrame(
    {
        "y": Y,
        "id": S,
        "week": WEEKS[V],
        "arm": np.array(["A", "B", "C"])[A],
        "base": C,
        "sex": np.array(["f", "m"])[S % 5 // 3],
    }
).with_columns(pl.col("y").fill_nan(None))
PLAN = {"outcome": "y", "subject": "id", "visit": "week", "arm": "arm"}


def test_it_is_the_model_on_arrays():
    own = fit_table(TABLE, **PLAN, covariates=["base"])
    same = fit(Y, X, S, V)  # cell means
    assert own.fit.log_likelihood == pytest.approx(same.log_likelihood, abs=1e-9)
    assert own.fit.names[:3] == ("(intercept)", "base", "arm[B]")
    assert own.fit.names[-1] == "arm[C]:week[24]"
    assert own.visits == ("2", "10", "24")
    mean = C[~np.isnan(Y)].mean()
    for k, ((arm, visit), estimate) in enumerate(own.means().items()):
        row = np.append(np.eye(9)[k], mean)
        theirs = same.estimate(row, f"{arm} at {visit}")
        assert estimate.name == theirs.name
        assert (estimate.value, estimate.standard_error, estimate.df) == pytest.approx(
            (theirs.value, theirs.standard_error, theirs.df), rel=1e-7
        )  # fmt: skip
    together = np.hstack([np.kron([[-1, 1, 0], [-1, 0, 1]], np.eye(3)), np.zeros((6, 1))])
    assert own.any_difference().p_value == pytest.approx(same.test(together, "t").p_value, rel=1e-6)
    change = np.array([[-1, 1, 0], [-1, 0, 1]])
    apart = np.hstack([np.kron(change, change), np.zeros((4, 1))])
    assert own.interaction().p_value == pytest.approx(same.test(apart, "t").p_value, rel=1e-6)
    assert own.interaction().numerator == 4


def test_coding_does_not_matter():
    own = fit_table(TABLE, **PLAN, factors=["sex"])
    other = fit_table(TABLE, **PLAN, factors={"sex": ["m", "f"]}, arms=["B", "C", "A"], visits=[24, 2, 10])
    assert other.differences("A").keys() == {(a, v) for a in "BC" for v in ("24", "2", "10")}
    for key, estimate in own.differences().items():
        theirs = other.differences("A")[key]
        assert (estimate.value, estimate.standard_error, estimate.df) == pytest.approx(
            (theirs.value, theirs.standard_error, theirs.df), rel=1e-6
        )  # fmt: skip
    for key, estimate in own.means().items():
        assert estimate.value == pytest.approx(other.means()[key].value, rel=1e-8)


def test_a_factor_counts_each_level_the_same_and_may_change_with_the_visit():
    own = fit_table(TABLE, **PLAN, factors=["sex"], by_visit=["sex"])
    low, high = (
        own.fit.coefficients[own.fit.names.index("(intercept)")],
        own.fit.coefficients[own.fit.names.index("sex[m]")],
    )  # fmt: skip
    assert own.means()["A", "2"].value == pytest.approx(low + 0.5 * high)
    assert {"sex[m]:week[10]", "sex[m]:week[24]"} <= set(own.fit.names)


def test_mean_over_visits():
    own = fit_table(TABLE, **PLAN, covariates=["base"])
    each = own.differences()
    mean = own.average_differences()["B"]
    assert mean.value == pytest.approx(np.mean([each["B", v].value for v in own.visits]))
    last = own.average_differences(weights={"24": 3.0})["C"]
    assert (last.value, last.standard_error) == pytest.approx((each["C", "24"].value, each["C", "24"].standard_error))
    for wrong in ({"3": 1.0}, {"24": 0.0}, {"24": -1.0, "2": 3.0}):
        with pytest.raises(AnalysisError, match="weights"):
            own.average_differences(weights=wrong)
    with pytest.raises(AnalysisError, match="one of the arms"):
        own.differences("D")


def test_an_enum_keeps_its_order():
    kind = pl.Enum(["C", "unused", "B", "A"])
    own = fit_table(TABLE.with_columns(pl.col("arm").cast(kind)), **PLAN)
    assert own.arms == ("C", "B", "A")


def test_a_confidence_and_a_unit():
    own = fit_table(TABLE, **PLAN, unit="mmol/L")
    narrow, wide = (own.differences(confidence=c)["B", "24"] for c in (0.5, 0.99))
    assert wide.interval[0] < narrow.interval[0]
    assert wide.unit == "mmol/L"


def test_grouped_by_arm():
    own = fit_table(TABLE, **PLAN, grouped=True)
    assert set(own.fit.sigma) == {"A", "B", "C"}
    alone = fit(Y[A == 1], X[A == 1][:, 3:6], S[A == 1], V[A == 1])
    np.testing.assert_allclose(own.fit.sigma["B"], alone.sigma["all"], rtol=1e-6)  # saturated means: arms apart
