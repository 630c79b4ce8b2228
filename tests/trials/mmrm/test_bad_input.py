"""What cannot be analysed is an error that says so, or a fall-back that is named; never a NaN."""

import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm import fit, fit_table
from trials.mmrm.data import trial

Y, X, S, V, A, C = trial(30, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: fit(Y, np.column_stack([X, np.ones(len(Y))]), S, V), "x9 is a combination"),
        (lambda: fit(Y, np.column_stack([X, 2 * C - 1]), S, V), "x9 is a combination"),
        (lambda: fit(Y, np.column_stack([X, 0 * C]), S, V), "x9 is zero"),
        (lambda: fit(np.append(Y, 3.0), np.vstack([X, X[:1]]), np.append(S, 0), np.append(V, 0)), "more than one row"),
        (lambda: fit(np.where(V == 2, np.nan, Y), X, S, V), "no usable measurement for visit .'2'"),
        (lambda: fit(np.where(A == 1, np.nan, Y), X, S, V, group=A), "no usable measurement for group .'1'"),
        (lambda: fit(np.where(A == 1, np.nan, Y), X, S, V), "zero in every usable row"),
        (lambda: fit(Y, X, S, np.where(V == 2, "?", "known"), visits=["known"]), "found visit"),
        (lambda: fit(Y, X, S, [None if k == 5 else v for k, v in enumerate(V)]), "1 rows without a visit"),
        (lambda: fit(Y, X, np.where(np.arange(len(Y)) == 2, np.nan, S), V), "1 rows without a subject"),
        (lambda: fit(Y[:4], np.ones((4, 1)), S[:4], V[:4]), "1 subject with 4 measurements"),
        (lambda: fit(Y[:8], X[:8], S[:8], V[:8]), "2 subjects with|zero in every"),
        (lambda: fit(np.full_like(Y, 3.0), X, S, V), "reproduces exactly"),
        (lambda: fit(np.full_like(Y, np.nan), X, S, V), "no usable measurement"),
        (lambda: fit(np.where(S == 3, np.inf, Y), X, S, V), "infinite"),
        (lambda: fit(Y, X, S, V, weights=np.where(S == 3, 0.0, 1.0)), "weights"),
        (lambda: fit(Y, X, S, V, weights=[1.0]), "weights"),
        (lambda: fit(Y, X, S, V, group=V % 2), "more than one group"),
        (lambda: fit(Y, X, S, V, structure="spatial exponential"), "coordinates"),
        (lambda: fit(Y, X, S, V, structure="spatial exponential", coordinates=np.full_like(Y, np.nan)), "coordinates"),
        (lambda: fit(Y, X, S[:-1], V), "one row for each"),
        (lambda: fit(Y, X, S, V, names=["a"] * 9), "names"),
        (lambda: fit(Y, X, S, V).coefficient("z"), "coefficient 'z'"),
    ],
)
def test_clear_errors(change, message):
    with pytest.raises(AnalysisError, match=message):
        change()


def test_dropped_rows_are_counted():
    x = X.copy()
    x[S == 4, 8] = np.nan
    own = fit(Y, x, S, V)
    lost = int(np.isnan(Y).sum())
    assert own.notes[0] == f"{lost} of 120 rows without an outcome are not used"
    assert (
        own.notes[1]
        == f"{int((~np.isnan(Y[S == 4])).sum())} of 120 rows with an outcome but without a covariate are not used"
    )
    assert own.notes[2] == "1 of 30 subjects have no row that can be used"
    assert own.subjects == 29


def never_together():
    """Half of the subjects were seen at visits 0 and 1, half at 1 and 2."""
    return np.where((S % 2 == 0) & (V >= 2) | (S % 2 == 1) & (V == 0) | (V == 3), np.nan, Y)


def test_a_pair_of_visits_that_nobody_had():
    y, seen = never_together(), V < 3
    x = np.column_stack([(k == V) for k in range(3)]).astype(float)
    with pytest.raises(AnalysisError, match="both visit '0' and '2'"):
        fit(y[seen], x[seen], S[seen], V[seen])
    own = fit(y[seen], x[seen], S[seen], V[seen], fallbacks=["toeplitz heterogeneous", "ar1 heterogeneous", "ar1"])
    given_up = [note for note in own.notes if "given up" in note]
    assert "unstructured covariance was given up" in given_up[0]
    assert own.structure in given_up[-1]
    assert np.isfinite(own.covariance).all()


def test_too_few_subjects_for_the_structure():
    few = S < 4
    x = np.column_stack([(k == V) for k in range(4)]).astype(float)[few]
    y = np.where(np.isnan(Y), 20.0 + V + np.sin(7 * S), Y)[few]
    with pytest.raises(AnalysisError, match=r"no maximum|no convergence"):
        fit(y, x, S[few], V[few])
    own = fit(y, x, S[few], V[few], fallbacks=["compound symmetry"])
    assert own.structure == "compound symmetry"
    assert "unstructured covariance was given up" in own.notes[-1]


def test_a_measurement_that_is_repeated_under_another_visit():
    y = Y.copy().reshape(30, 4)
    y[:, 3] = y[:, 2]
    with pytest.raises(AnalysisError, match=r"no maximum|no convergence|starting"):
        fit(y.ravel(), X, S, V)


def test_a_correlation_at_its_edge():
    """Independent of everything: the spatial correlation runs to zero, which has no standard error."""
    rng = np.random.default_rng(3)
    y = np.tile([1.0, -1.0, 1.0, -1.0], 30) * rng.normal(size=30).repeat(4) + 0.1 * rng.normal(size=120)
    with pytest.raises(AnalysisError, match=r"no maximum|no convergence"):
        fit(y, np.ones((120, 1)), S, V, structure="spatial exponential", coordinates=V)


TABLE = pl.DataFrame(
    {"y": Y, "id": S, "week": V, "arm": np.array(["pbo", "drug"])[A], "base": C, "site": S % 3}
).with_columns(pl.col("y").fill_nan(None))
PLAN = {"outcome": "y", "subject": "id", "visit": "week", "arm": "arm", "arms": ["pbo", "drug"]}


@pytest.mark.parametrize(
    ("table", "more", "message"),
    [
        (TABLE.drop("y"), {}, "no column 'y'"),
        (TABLE.with_columns(y=pl.lit("a")), {}, "expected numbers"),
        (TABLE.head(0), {}, "without rows"),
        (TABLE.with_columns(y=None), {}, "no row with an outcome"),
        (TABLE, {"visits": [0, 1, 2]}, "found week .'3'"),
        (TABLE, {"visits": [0, 1, 2, 3, 4]}, "no usable measurement for visit .'4'"),
        (TABLE, {"arms": ["pbo", "drug", "third"]}, "arm.third.* is zero in every usable row"),
        (TABLE, {"arms": ["pbo", "other"]}, "found arm .'drug'"),
        (TABLE.filter(pl.col("arm") == "pbo"), {"arms": None}, "at least two levels"),
        (TABLE.with_columns(week=pl.when(pl.col("id") == 1).then(None).otherwise("week")), {}, "rows without 'week'"),
        (TABLE.with_columns(base=pl.lit(3.0)), {"covariates": ["base"]}, "combination"),
        (TABLE.with_columns(site=pl.lit(3)), {"factors": ["site"]}, "at least two levels"),
        (TABLE, {"covariates": ["base"], "by_visit": ["site"]}, "by visit only"),
        (TABLE, {"covariates": ["base", "base"]}, "each once"),
        (TABLE, {"factors": {"site": [0, 1]}}, "found site .'2'"),
        (pl.concat([TABLE, TABLE.head(1)]), {}, "more than one row"),
    ],
)
def test_clear_errors_of_a_table(table, more, message):
    with pytest.raises(AnalysisError, match=message):
        fit_table(table, **{**PLAN, **more})


def test_a_subject_in_two_arms():
    mixed = TABLE.with_columns(arm=pl.when(pl.col("week") == 2).then(pl.lit("pbo")).otherwise("arm"))
    with pytest.raises(AnalysisError, match="more than one"):
        fit_table(mixed, **PLAN, grouped=True)
    with pytest.raises(AnalysisError, match="more than one arm"):
        fit_table(mixed, **PLAN)


def test_a_level_without_an_outcome_is_named():
    table = TABLE.with_columns(site=pl.when(pl.col("id") == 4).then(9).otherwise("site"))
    table = table.with_columns(y=pl.when(pl.col("id") == 4).then(None).otherwise("y"))
    own = fit_table(table, **PLAN, factors=["site"])
    assert any("levels ['9'] of site" in note for note in own.fit.notes)
    assert "site[9]" not in own.fit.names


def test_unequal_days_may_be_missing_where_the_outcome_is():
    table = TABLE.with_columns(
        day=pl.when(pl.col("y").is_null()).then(None).otherwise(pl.col("week") * 7.0 + pl.col("id") % 2)
    )
    own = fit_table(table, **PLAN, structure="spatial exponential", coordinates=["day"])
    assert 0.0 < own.fit.sigma["all"][0, 1] < own.fit.sigma["all"][0, 0]
