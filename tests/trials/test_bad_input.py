"""Every analysis on every bad table of the list: a clear error, or numbers with all patients accounted for; never a NaN.

Warnings are errors here, so that a division by zero or an overflow inside a method counts as a failure.
"""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials import missing
from medtwin.trials.analysis import Analysis, TrialData, read_trial
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects
from medtwin.trials.external.balance import balance
from medtwin.trials.external.doubly_robust import aipw, tmle
from medtwin.trials.external.effect import weighted_effect, weighted_hazard_ratio
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.tilting import entropy_weights
from medtwin.trials.external.weighted_kaplan import weighted_survival_effects
from medtwin.trials.mmrm import fit_table

N = 60


def good(kind, random, strata=False):
    """60 patients, two covariates. ``kind`` of outcome."""
    x = random.standard_normal((N, 2))
    arm = random.permutation(np.arange(N) % 2)
    eta = 0.6 * x[:, 0] + 0.4 * arm
    more = {"covariates": x, "covariate_names": ("age", "severity")}
    if strata:
        more["strata"] = random.integers(0, 2, N)
    if kind == "continuous":
        return TrialData.of(eta + random.standard_normal(N), arm, **more)
    if kind == "binary":
        return TrialData.of((random.random(N) < 1.0 / (1.0 + np.exp(-eta))).astype(float), arm, **more)
    if kind == "count":
        return TrialData.of(random.poisson(np.exp(0.5 + eta)).astype(float), arm, **more)
    time, ends = random.exponential(np.exp(-eta)), 0.3 + random.exponential(3.0, N)
    return TrialData.of(np.minimum(time, ends), arm, event=(time <= ends).astype(float), **more)


def with_column(trial, column, name="bad"):
    return replace(
        trial, covariates=np.column_stack([trial.covariates, column]), covariate_names=(*trial.covariate_names, name)
    )


def lone(trial):
    return (np.arange(N) == np.flatnonzero(trial.arm == 1)[0]).astype(float)


def rows(trial, keep):
    return replace(
        trial, outcome=trial.outcome[keep], arm=trial.arm[keep], covariates=trial.covariates[keep],
        event=None if trial.event is None else trial.event[keep], strata=None if trial.strata is None else trial.strata[keep],
    )  # fmt: skip


def small(trial):
    """Three patients an arm."""
    return rows(trial, np.concatenate([np.flatnonzero(trial.arm == arm)[:3] for arm in (0, 1)]))


def only(trial, arm, patients):
    """``patients`` of one arm, all of the other."""
    return rows(trial, np.concatenate([np.flatnonzero(trial.arm == arm)[:patients], np.flatnonzero(trial.arm != arm)]))


def events(trial, event):
    return replace(trial, event=np.asarray(event, dtype=bool)) if trial.event is not None else trial


BAD = {
    "as it should be": lambda t: t,
    "a constant covariate": lambda t: with_column(t, np.full(N, 7.0)),
    "a covariate twice": lambda t: with_column(t, t.covariates[:, 0]),
    "a covariate that is a sum of others": lambda t: with_column(t, t.covariates.sum(axis=1) * 3.0 + 5.0),
    "a covariate that is nearly another": lambda t: with_column(t, t.covariates[:, 0] * (1.0 + 1e-13)),
    "a covariate that is the arm": lambda t: with_column(t, t.arm.astype(float)),
    "a covariate constant in one arm": lambda t: with_column(t, np.where(t.arm == 1, 0.0, t.covariates[:, 0] ** 2)),
    "a level of one patient": lambda t: with_column(t, lone(t)),
    "a covariate far from zero": lambda t: with_column(t, 1e9 + np.arange(N) % 7),
    "a covariate in tiny units": lambda t: with_column(t, 1e-12 * (np.arange(N) % 7)),
    "a covariate that is the outcome": lambda t: with_column(t, t.outcome),
    "an outlier": lambda t: with_column(t, np.where(np.arange(N) == 3, 1e6, 0.0) + np.arange(N) % 5),
    "no covariate": lambda t: replace(t, covariates=t.covariates[:, :0], covariate_names=()),
    "more covariates than patients": lambda t: replace(
        t, covariates=np.random.default_rng(1).standard_normal((N, 70)), covariate_names=tuple(f"x{k}" for k in range(70))
    ),
    "three patients an arm": small,
    "one control": lambda t: only(t, 0, 1),
    "one treated": lambda t: only(t, 1, 1),
    "two treated": lambda t: only(t, 1, 2),
    "every outcome the same": lambda t: replace(t, outcome=np.ones(N)),
    "every outcome zero": lambda t: replace(t, outcome=np.zeros(N)),
    "the same outcome within each arm": lambda t: replace(t, outcome=t.arm.astype(float)),
    "an outcome of huge numbers": lambda t: replace(t, outcome=t.outcome * 1e12),
    "no event": lambda t: events(t, np.zeros(N)),
    "every one an event": lambda t: events(t, np.ones(N)),
    "no event in the control arm": lambda t: events(t, t.arm == 1),
    "no event in the treated arm": lambda t: events(t, t.arm == 0),
    "one event": lambda t: events(t, np.arange(N) == 5),
    "events told by a covariate": lambda t: with_column(
        t, (t.outcome > np.median(t.outcome)).astype(float) if t.event is None else t.event.astype(float)
    ),
    "strata of one patient": lambda t: replace(
        t, strata=np.arange(N) // 2 * 0 + np.where(np.arange(N) == 4, 1, 0), strata_names=("a", "b")
    ),
    "as many strata as patients": lambda t: replace(
        t, strata=np.arange(N), strata_names=tuple(str(k) for k in range(N))
    ),
}  # fmt: skip


def reach(trial):
    """A time that both arms have reached, where there is one."""
    return float(min(trial.outcome[trial.arm == arm].max() for arm in (0, 1))) / 2.0


def matched(trial):
    made = nearest_neighbours(trial, propensity_score(trial).score, caliper=1.0)
    return weighted_hazard_ratio(trial, made.weights, cluster=made.matched_set)


def weighted(trial, target):
    return propensity_weights(propensity_score(trial).score, trial.arm, target)


def halves(trial):
    return np.arange(len(trial.arm)) % 4 == 1


METHODS = {
    "ANCOVA I": ("continuous", ancova),
    "ANCOVA II, HC3": ("continuous", lambda t: ancova(t, interactions=True, variance="HC3")),
    "ANCOVA, classical": ("continuous", lambda t: ancova(t, variance="classical")),
    "linear g-computation": ("continuous", lambda t: marginal_effects(t, family="gaussian")),
    "logistic": ("binary", lambda t: marginal_effects(t, family="logistic")),
    "logistic or unadjusted": ("binary", lambda t: marginal_effects(t, family="logistic", on_separation="unadjusted")),
    "logistic, robust": (
        "binary", lambda t: marginal_effects(t, family="logistic", variance="robust", measures=("ratio", "odds ratio"))
    ),
    "Poisson": ("count", lambda t: marginal_effects(t, family="poisson", measures=("ratio",))),
    "negative binomial": ("count", lambda t: marginal_effects(t, family="negative-binomial", measures=("ratio",))),
    "log-rank": ("time", logrank),
    "log-rank, unadjusted": ("time", lambda t: logrank(t, adjusted=False, stratified=False)),
    "Cox": ("time", cox),
    "Kaplan-Meier": ("time", lambda t: survival_effects(t, times=(reach(t),), tau=reach(t))),
    "adjusted survival": ("time", lambda t: adjusted_survival_effects(t, times=(reach(t),), tau=reach(t))),
    "adjusted survival within strata": (
        "time", lambda t: adjusted_survival_effects(t, times=(reach(t),), tau=reach(t), strata="within")
    ),
    "ATT-weighted mean": ("continuous", lambda t: weighted_effect(t, weighted(t, "ATT"))),
    "overlap-weighted odds": (
        "binary", lambda t: weighted_effect(t, weighted(t, "overlap"), measures=("odds ratio", "ratio"), variance="HC0")
    ),
    "ATE-weighted hazard": ("time", lambda t: weighted_hazard_ratio(t, weighted(t, "ATE"))),
    "entropy-weighted hazard": ("time", lambda t: weighted_hazard_ratio(t, entropy_weights(t).weights)),
    "entropy-weighted survival": (
        "time", lambda t: weighted_survival_effects(t, entropy_weights(t).weights, times=(reach(t),), tau=reach(t))
    ),
    "matched hazard": ("time", matched),
    "AIPW": ("continuous", lambda t: aipw(t, "gaussian")),
    "AIPW of a risk": ("binary", lambda t: aipw(t, "logistic")),
    "TMLE": ("continuous", lambda t: tmle(t, "gaussian")),
    "TMLE of a risk": ("binary", lambda t: tmle(t, "logistic")),
    "missing risk": ("binary", lambda t: missing.binary(t, halves(t), sets=4, seed=1)),
    "missing count": (
        "count",
        lambda t: missing.count(
            replace(t, exposure=np.ones(len(t.arm))), np.where(halves(t), 2.0, 1.0), sets=4, seed=1, strategy="JR"
        ),
    ),
    "missing time": (
        "time", lambda t: missing.survival(t, t.outcome + np.where(halves(t), 1.0, 0.0), sets=4, seed=1, strategy="JR")
    ),
}  # fmt: skip


def sound(found, trial):
    assert isinstance(found, Analysis)
    assert found.estimates
    for one in found.estimates:
        assert math.isfinite(one.value)
        assert math.isfinite(one.standard_error)
        assert one.standard_error >= 0.0
        assert not any(math.isnan(x) for x in (*one.interval, one.p_value, one.statistic))
    counted = {name: int((trial.arm == code).sum()) for code, name in enumerate(trial.arm_names)}
    assert found.patients == counted
    assert found.method


def clear(error):
    """Says what was found and what was expected."""
    words = str(error)
    assert "found" in words
    assert "expected" in words or "found no" in words
    assert "nan" not in words.lower().replace("covariance", "").replace("nanda", "")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("method", METHODS)
def test_an_answer_or_a_clear_error(method, bad):
    kind, analyse = METHODS[method]
    trial = BAD[bad](good(kind, np.random.default_rng(41)))
    try:
        found = analyse(trial)
    except AnalysisError as error:
        assert bad != "as it should be"
        clear(error)
    else:
        sound(found, trial)


@pytest.mark.parametrize("bad", BAD)
def test_balance_tables(bad):
    trial = BAD[bad](good("continuous", np.random.default_rng(41)))
    try:
        table = balance(trial)
    except AnalysisError as error:
        clear(error)
    else:
        assert len(table.rows) == trial.covariates.shape[1]
        assert all(math.isfinite(row.difference_before) and math.isfinite(row.difference_after) for row in table.rows)


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("negative times", lambda: TrialData.of([1.0, -1.0, 2.0, 3.0], [0, 1, 0, 1], event=[1, 1, 0, 0])),
        ("who have a row already", lambda: TrialData.of([1.0, 2.0, 3.0], [0, 1, 0], subject=["a", "b", "a"])),
        ("expected patients both in", lambda: TrialData.of([1.0, 2.0, 3.0], [1, 1, 1])),
        ("missing or not finite", lambda: TrialData.of([1.0, np.nan, 3.0], [0, 1, 0])),
        ("missing or not finite", lambda: TrialData.of([1.0, 2.0], [0, 1], covariates=[[1.0], [np.inf]])),
        ("event indicators", lambda: TrialData.of([1.0, 2.0], [0, 1], event=[2, 0])),
        ("without time at risk", lambda: TrialData.of([1.0, 2.0], [0, 1], exposure=[0.0, 1.0])),
        ("a label is missing", lambda: TrialData.of([1.0, 2.0, 3.0], [0.0, 1.0, np.nan])),
    ],
)
def test_a_table_that_is_no_trial(message, make):
    with pytest.raises(AnalysisError, match=message):
        make()


def test_whoever_is_left_out_is_named():
    frame = pl.DataFrame({"y": [1.0, None, 3.0, 4.0], "a": ["p", "p", "q", "q"], "x": [1.0, 2.0, None, 4.0]})
    trial = read_trial(frame, outcome="y", arm="a", control="p", covariates=["x"])
    assert trial.patients == {"p": 1, "q": 1}
    assert trial.notes == ("1 patients left out, without y: 1 of arm p", "1 patients left out, without x: 1 of arm q")


def visits(change):
    """40 patients at 3 visits, then spoiled."""
    random = np.random.default_rng(42)
    arm, base = np.arange(40) % 2, random.standard_normal(40)
    y = (
        base[:, None]
        + arm[:, None] * 0.3 * np.arange(3)
        + random.standard_normal((40, 3))
        + random.standard_normal((40, 1))
    )
    table = pl.DataFrame({
        "id": np.repeat(np.arange(40), 3), "visit": np.tile([1, 2, 3], 40), "arm": np.repeat(arm, 3),
        "base": np.repeat(base, 3), "y": y.ravel(),
    })  # fmt: skip
    return change(table)


REPEATED = {
    "as it should be": lambda t: t,
    "a visit without outcomes": lambda t: t.with_columns(y=pl.when(pl.col("visit") == 3).then(None).otherwise(pl.col("y"))),
    "an arm without outcomes at a visit": lambda t: t.with_columns(
        y=pl.when((pl.col("visit") == 3) & (pl.col("arm") == 1)).then(None).otherwise(pl.col("y"))
    ),
    "an arm without outcomes": lambda t: t.with_columns(y=pl.when(pl.col("arm") == 1).then(None).otherwise(pl.col("y"))),
    "one arm": lambda t: t.filter(arm=0),
    "one visit": lambda t: t.filter(visit=1),
    "a constant covariate": lambda t: t.with_columns(base=pl.lit(2.0)),
    "a covariate that is the arm": lambda t: t.with_columns(base=pl.col("arm").cast(float)),
    "an outcome that is constant": lambda t: t.with_columns(y=pl.lit(2.0)),
    "an outcome that is the covariate": lambda t: t.with_columns(y=pl.col("base")),
    "visits that repeat each other": lambda t: t.with_columns(y=pl.col("y").first().over("id")),
    "patients twice": lambda t: pl.concat([t, t.head(2)]),
    "four patients": lambda t: t.filter(pl.col("id") < 4),
    "two patients": lambda t: t.filter(pl.col("id") < 2),
    "no rows": lambda t: t.clear(),
    "a patient in both arms": lambda t: t.with_columns(
        arm=pl.when((pl.col("id") == 0) & (pl.col("visit") == 2)).then(1).otherwise(pl.col("arm"))
    ),
    "baselines missing": lambda t: t.with_columns(base=pl.when(pl.col("id") < 5).then(None).otherwise(pl.col("base"))),
    "huge numbers": lambda t: t.with_columns(y=pl.col("y") * 1e12),
    "nobody with two visits": lambda t: t.filter(pl.col("id") % 3 + 1 == pl.col("visit")),
}  # fmt: skip
STRUCTURED = ("unstructured", "ar1", "compound symmetry heterogeneous", "toeplitz", "ante-dependence")


@pytest.mark.parametrize("structure", STRUCTURED)
@pytest.mark.parametrize("bad", REPEATED)
def test_repeated_measures(bad, structure):
    table = visits(REPEATED[bad])
    try:
        made = fit_table(
            table, outcome="y", subject="id", visit="visit", arm="arm", covariates=["base"], structure=structure
        )
        found = [*made.means().values(), *made.differences().values()]
    except AnalysisError as error:
        assert bad != "as it should be"
        clear(error)
    else:
        assert made.fit.converged
        for one in found:
            assert one.standard_error > 0.0
            assert not any(math.isnan(x) for x in (one.value, *one.interval, one.p_value))
        used = table.filter(pl.col("y").is_not_null() & pl.col("base").is_not_null())
        assert made.fit.observations == len(used)
        assert made.fit.subjects == used["id"].n_unique()
        assert bool(made.fit.notes) >= (len(used) < len(table))


def imputed(table, way):
    trial = missing.read_repeated(
        table, outcome="y", subject="id", visit="visit", arm="arm", control="0", covariates=["base"]
    )
    if way == "conditional means":
        assumption = missing.Assumption.of(trial, "JR", None)
        return missing.conditional_mean(trial, strategy="JR", samples=missing.jackknife(trial, assumption))
    return missing.multiple_imputation(missing.complete(trial, strategy="CR", sets=3, seed=1))


@pytest.mark.parametrize("way", ["conditional means", "multiple"])
@pytest.mark.parametrize("bad", REPEATED)
def test_missing_visits(bad, way):
    table = visits(REPEATED[bad]).with_columns(
        y=pl.when((pl.col("id") % 7 == 3) & (pl.col("visit") == 3)).then(None).otherwise(pl.col("y"))
    )
    try:
        found = imputed(table, way)
    except AnalysisError as error:
        assert bad != "as it should be"
        clear(error)
    else:
        for one in found.estimates:
            assert not any(math.isnan(x) for x in (one.value, one.standard_error, *one.interval, one.p_value))
        assert sum(found.patients.values()) == table["id"].n_unique()
