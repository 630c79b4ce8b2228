"""Every method that a plan may name, from its words to the call that it stands for: same numbers, same notes."""

import math

import numpy as np
import polars as pl
import pytest

from medtwin.trials.analysis import read_trial
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects
from medtwin.trials.analysis_plan.carry_out import carry_out, one_analysis
from medtwin.trials.analysis_plan.methods import RUNS
from medtwin.trials.analysis_plan.plan import plan_of
from medtwin.trials.example.people import long
from medtwin.trials.example.write import make
from medtwin.trials.external.doubly_robust import aipw, tmle
from medtwin.trials.external.hybrid import hybrid_difference
from medtwin.trials.external.maic import PublishedValue, maic_weights, unanchored
from medtwin.trials.external.power_prior import power_prior
from medtwin.trials.missing import (
    Specification,
    binary,
    conditional_mean,
    count,
    multiple_imputation,
    read_repeated,
    survival,
)
from medtwin.trials.missing import complete as completed
from medtwin.trials.mmrm import fit_table
from medtwin.trials.tables import ReadTable, read_table

HEAD = {"title": "t", "subject": "patient", "arm": "arm", "control": "monotherapy"}
CD4 = {"endpoint": "continuous", "outcome": "cd4_week20", "covariates": ["cd4"]}
TIME = {"endpoint": "survival", "outcome": "days", "event": "progressed", "covariates": ["cd4"]}
YES = {"endpoint": "binary", "outcome": "progressed_2y", "covariates": ["cd4"]}


@pytest.fixture(scope="module")
def patients():
    _, trial, _ = make(3)
    rng = np.random.default_rng(3)
    return trial.with_columns(
        relapses=pl.Series(rng.poisson(2.0, trial.height)), years=pl.Series(rng.uniform(0.5, 2.0, trial.height)),
        two=pl.lit(2.0), three_years=pl.lit(1200.0),
    )  # fmt: skip


def planned(one, **head):
    return plan_of({**HEAD, **head, "analyses": [{"name": "a", "role": "primary", **one}]})


def carried(frame, one, **head):
    plan = planned(one, **head)
    found = one_analysis(frame, plan, plan.analyses[0])
    assert not found.failure, found.failure
    return found


def trial(frame, one, **more):
    named = {key: one[key] for key in ("outcome", "covariates", "event", "exposure") if key in one}
    return read_trial(frame, arm="arm", control="monotherapy", subject="patient", **named, **more)


def same(found, direct):
    got, wanted = found.analysis.estimates[0], direct
    assert got.name.startswith(wanted.name), "with its direction, where the verb leaves it to its caller"
    assert (got.value, got.standard_error, got.df) == pytest.approx((wanted.value, wanted.standard_error, wanted.df))
    assert got.method == wanted.method


def test_ancova(patients):
    found = carried(patients, {**CD4, "method": {"kind": "ancova", "variance": "HC3", "interactions": True}})
    same(found, ancova(trial(patients, CD4), variance="HC3", interactions=True).estimates[0])
    assert "patients left out, without cd4_week20" in " ".join(found.analysis.notes)


def test_strata_of_the_plan_and_of_the_analysis(patients):
    stratified = carried(patients, {**CD4, "method": "ancova"}, strata=["prior_treatment"])
    same(stratified, ancova(trial(patients, CD4, strata=["prior_treatment"])).estimates[0])
    same(carried(patients, {**CD4, "strata": [], "method": "ancova"}, strata=["prior_treatment"]),
         ancova(trial(patients, CD4)).estimates[0])  # fmt: skip


@pytest.mark.parametrize("measure", ["difference", "ratio", "odds ratio"])
def test_g_computation_of_risks(patients, measure):
    found = carried(patients, {**YES, "method": {"kind": "g-computation", "measures": [measure], "variance": "HC3"}})
    same(
        found,
        marginal_effects(trial(patients, YES), family="logistic", measures=[measure], variance="HC3").estimates[0],
    )


def test_g_computation_of_counts(patients):
    one = {"endpoint": "count", "outcome": "relapses", "exposure": "years", "covariates": ["age"]}
    found = carried(patients, {**one, "method": {"kind": "g-computation", "family": "poisson"}})
    same(found, marginal_effects(trial(patients, one), family="poisson", measures=("ratio",)).estimates[0])
    assert found.analysis.estimates[0].scale == "log"


def test_log_rank_and_cox(patients):
    found = carried(patients, {**TIME, "method": "log-rank"})
    direct = logrank(trial(patients, TIME))
    same(found, direct["hazard ratio combination / monotherapy"])
    assert found.analysis.estimates[1].name == "log-rank combination"
    tested = carried(patients, {**TIME, "method": {"kind": "log-rank", "test_first": True}})
    same(tested, direct["log-rank combination"])
    same(carried(patients, {**TIME, "method": "cox"}), cox(trial(patients, TIME)).estimates[0])
    assert list(found.curves) == ["monotherapy", "combination"]


def test_censored_is_the_event_the_other_way_round(patients):
    turned = patients.with_columns(cnsr=1 - pl.col("progressed"))
    one = {key: value for key, value in TIME.items() if key != "event"}
    same(carried(turned, {**one, "censored": "cnsr", "method": "cox"}), cox(trial(patients, TIME)).estimates[0])


def test_survival(patients):
    one = {**TIME, "covariates": [], "unit": "d"}
    asked = {"kind": "survival", "times": [365, 730], "tau": 700}
    found = carried(patients, {**one, "method": asked})
    direct = survival_effects(trial(patients, one), times=(365, 730), tau=700, unit="d")
    assert [e.value for e in found.analysis.estimates] == pytest.approx([e.value for e in direct.estimates])
    adjusted = carried(patients, {**one, "covariates": ["cd4"], "method": asked})
    same(adjusted, adjusted_survival_effects(trial(patients, TIME), times=(365, 730), tau=700, unit="d").estimates[0])
    assert adjusted.analysis.method != found.analysis.method
    plain = carried(patients, {**one, "covariates": ["cd4"], "method": {**asked, "adjusted": False}})
    assert plain.analysis.estimates[0].value == found.analysis.estimates[0].value


def test_mmrm(patients):
    visits = long(patients)
    one = {"endpoint": "repeated", "outcome": "cd4_count", "covariates": ["cd4", "sex"]}
    found = carried(
        visits, {**one, "method": {"kind": "mmrm", "visit": "visit", "at": "week 20", "degrees": "satterthwaite"}}
    )
    direct = fit_table(
        visits, outcome="cd4_count", subject="patient", visit="visit", arm="arm", covariates=["cd4"], factors=["sex"],
        by_visit=["cd4", "sex"], arms=("monotherapy", "combination"), degrees="satterthwaite",
    )  # fmt: skip
    same(found, direct.differences()["combination", "week 20"])
    assert [test.name for test in found.tests] == ["no difference between arms at any visit", "arm by visit"]
    seen = visits.drop_nulls("cd4_count").select("patient", "arm").unique()["arm"].value_counts()
    assert found.analysis.patients == dict(seen.iter_rows()), "those with an outcome somewhere"


def test_imputed(patients):
    few = patients.filter(pl.int_range(pl.len()) < 60)
    visits = long(few)
    one = {"endpoint": "repeated", "outcome": "cd4_count", "covariates": ["cd4"]}
    read = read_repeated(visits, outcome="cd4_count", subject="patient", visit="visit", arm="arm", control="monotherapy",
                         covariates=["cd4"])  # fmt: skip
    method = {"kind": "imputed", "visit": "visit", "at": "week 32", "strategy": "JR", "structure": "ar1"}
    chosen = Specification(structure="ar1")
    found = carried(visits, {**one, "method": method})
    direct = conditional_mean(read, strategy="JR", specification=chosen)
    same(found, direct["combination - monotherapy at week 32"])
    several = {
        **method,
        "way": "multiple",
        "sampling": "bootstrap",
        "sets": 5,
        "seed": 7,
        "tipping": {"combination": -20.0},
    }
    many = carried(visits, {**one, "method": several})
    sets = completed(read, strategy="JR", sets=5, seed=7, specification=chosen, parameters="bootstrap")
    same(many, multiple_imputation(sets)["combination - monotherapy at week 32"])
    assert many.tipping.estimate == many.analysis.estimates[0].name
    assert len(many.tipping.p_values) == 21


def test_the_estimand_names_the_strategy(patients):
    few = patients.filter(pl.int_range(pl.len()) < 60)
    visits = long(few)
    one = {"endpoint": "repeated", "outcome": "cd4_count", "covariates": ["cd4"]}
    method = {"kind": "imputed", "visit": "visit", "structure": "ar1"}
    plan = planned({**one, "method": method})
    assert "no strategy and no estimand" in one_analysis(visits, plan, plan.analyses[0]).failure
    estimand = {
        "treatment": {"treated": ["combination"], "control": "monotherapy"}, "population": {"description": "all"},
        "variable": {"name": "CD4", "kind": "continuous", "at": "week 48"},
        "events": [{"name": "dropout", "handling": "treatment policy", "imputation": "CR"}], "summary": "difference in means",
    }  # fmt: skip
    found = carried(visits, {**one, "method": method}, estimand=estimand)
    assert "CR" in found.analysis.method


def test_one_outcome_that_is_missing(patients):
    gone = patients["progressed_2y"].is_null()
    filled = patients.with_columns(pl.col("progressed_2y").fill_null(0))
    found = carried(patients, {**YES, "method": {"kind": "imputed-binary", "strategy": "JR", "sets": 10, "seed": 2}})
    direct = binary(trial(filled, YES), gone.to_numpy(), strategy="JR", measures=("difference", "ratio", "odds ratio"),
                    sets=10, seed=2)  # fmt: skip
    same(found, direct.estimates[0])
    assert sum(found.analysis.patients.values()) == patients.height
    counts = {"endpoint": "count", "outcome": "relapses", "exposure": "years", "covariates": ["age"]}
    found = carried(patients, {**counts, "method": {"kind": "imputed-count", "planned": "two", "sets": 10, "seed": 2}})
    same(found, count(trial(patients, counts), np.full(patients.height, 2.0), sets=10, seed=2).estimates[0])
    found = carried(
        patients, {**TIME, "method": {"kind": "imputed-survival", "planned": "three_years", "sets": 10, "seed": 2}}
    )
    same(found, survival(trial(patients, TIME), np.full(patients.height, 1200.0), sets=10, seed=2).estimates[0])


def test_tipping_of_one_outcome(patients):
    method = {"kind": "imputed-binary", "sets": 5, "seed": 2, "tipping": {"combination": 1.0}}
    found = carried(patients, {**YES, "method": method})
    assert found.tipping.estimate == found.analysis.estimates[0].name
    assert found.tipping.values[0] < found.tipping.values[-1], "risks that are worse among the missing treated"


def test_an_imputing_analysis_loses_nobody(patients):
    holed = patients.with_columns(cd4=pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col("cd4")))
    plan = planned({**YES, "missing_covariate": "drop", "method": {"kind": "imputed-binary"}})
    assert "1 patients left out" in one_analysis(holed, plan, plan.analyses[0]).failure
    kept = carried(holed, {**YES, "missing_covariate": "mean", "method": {"kind": "imputed-binary", "sets": 5}})
    assert "the mean over all arms was put in" in " ".join(kept.analysis.notes)


@pytest.fixture(scope="module")
def external():
    """Treated of the trial, against the historical controls."""
    history, trial, _ = make(4)
    treated = trial.filter(pl.col("arm") == "combination").drop("progressed_2y")
    control = history.with_columns(arm=pl.lit("history"))
    both = pl.concat([treated, control.select(treated.columns)])
    return both.with_columns(late=((pl.col("progressed") == 1) & (pl.col("days") <= 730)).cast(pl.Int64))


COVARIATES = ["age", "karnofsky", "symptoms", "cd4"]


@pytest.mark.parametrize("weights", ["none", "ATT", "ATE", "overlap", "entropy", "matching"])
@pytest.mark.parametrize("endpoint", ["continuous", "survival"])
def test_weighted(external, weights, endpoint):
    one = {**(CD4 if endpoint == "continuous" else TIME), "covariates": COVARIATES, "control": "history"}
    found = carried(external, {**one, "method": {"kind": "weighted", "weights": weights}})
    first = found.analysis.estimates[0]
    assert first.name == (
        "difference combination - history" if endpoint == "continuous" else "hazard ratio combination / history"
    )
    worst = max(abs(row.difference_after) for row in found.balance.rows)
    assert worst < {"entropy": 1e-6, "overlap": 1e-6, "none": 1.0}.get(weights, 0.2)
    assert 0.0 < found.further["effective controls"] <= 500.0
    if endpoint == "survival":
        assert found.further["E-value"] >= 1.0
        words = "" if weights == "none" else " (weighted)"
        assert set(found.curves) == {f"history{words}", f"combination{words}"}


def test_weighted_survival(external):
    one = {**TIME, "covariates": COVARIATES, "control": "history", "unit": "d"}
    found = carried(external, {**one, "method": {"kind": "weighted", "weights": "overlap", "times": [730], "tau": 700}})
    names = [e.name for e in found.analysis.estimates]
    assert names[0] == "survival at 730"
    assert "RMST to 700" in names


def test_matching_that_looks_downwards(external):
    one = {**CD4, "covariates": COVARIATES, "control": "history"}
    method = {"kind": "weighted", "weights": "matching", "caliper": None, "scale": "probability", "side": "below"}
    assert "224 treated" in " ".join(carried(external, {**one, "method": method}).analysis.notes)


@pytest.mark.parametrize(("kind", "function"), [("aipw", aipw), ("tmle", tmle)])
def test_doubly_robust(external, kind, function):
    one = {"endpoint": "binary", "outcome": "late", "covariates": COVARIATES, "control": "history"}
    found = carried(external, {**one, "method": {"kind": kind}})
    direct = read_trial(external, outcome="late", arm="arm", control="history", covariates=COVARIATES)
    same(found, function(direct, "logistic").estimates[0])


def test_maic(external):
    one = {**CD4, "covariates": COVARIATES, "control": "history"}
    targets = {"age": {"mean": 36.0, "standard_deviation": 8.0}, "cd4": {"mean": 340.0}}
    found = carried(external, {**one, "method": {"kind": "maic", "targets": targets}})
    whole = read_trial(external, outcome="cd4_week20", arm="arm", control="history", covariates=COVARIATES)
    own = whole.arm == 1
    held = {name: whole.covariates[own, k] for k, name in enumerate(whole.covariate_names)}
    weights = maic_weights(held, {name: PublishedValue(**value) for name, value in targets.items()}).weights
    same(found, unanchored(whole, weights, measures=("difference",)).estimates[0])
    anchored = carried(external, {**one, "method": {"kind": "maic", "targets": targets, "anchor": {
        "value": 5.0, "low": -5.0, "high": 15.0}}})  # fmt: skip
    indirect, mine = anchored.analysis.estimates
    assert indirect.value == pytest.approx(mine.value - 5.0)
    assert indirect.standard_error == pytest.approx(math.hypot(mine.standard_error, 10.0 / 1.959964), rel=1e-6)


def test_borrowed(patients, external):
    history = [{"name": "A", "patients": 100, "responders": 30}, {"name": "B", "patients": 80, "responders": 20}]
    own = trial(patients, {**YES, "covariates": []})
    hits = [(float(own.outcome[own.arm == k].sum()), float((own.arm == k).sum())) for k in (0, 1)]
    asked = {
        **YES,
        "covariates": [],
        "method": {"kind": "borrowed", "prior": "power", "discount": 0.4, "history": history},
    }
    found = carried(patients, asked)
    direct = hybrid_difference(hits[1], hits[0], power_prior(50.0, 180.0, 0.4))
    assert found.analysis.estimates[0].value == pytest.approx(direct.estimates[0].value)
    drift = found.further["by drift of the external patients"]
    assert drift[0]["estimate"] > drift[-1]["estimate"], "a control rate that is higher makes the effect smaller"
    for prior in ("normalised-power", "map", "commensurate", "leap"):
        other = carried(patients, {**asked, "method": {"kind": "borrowed", "prior": prior, "history": history}})
        assert other.analysis.estimates[0].standard_error > 0.0
        assert other.further["prior worth, in patients (moment)"] > 1.0
    none = carried(patients, {**asked, "method": {"kind": "borrowed", "prior": "none", "history": history}})
    assert len({row["estimate"] for row in none.further["by drift of the external patients"]}) == 1


@pytest.mark.slow
def test_borrowed_from_rows_of_the_table(patients, external):
    history = external.filter(pl.col("arm") == "history").drop("late")
    both = pl.concat([patients.select(history.columns), history])
    one = {**CD4, "covariates": []}
    none = carried(both, {**one, "method": {"kind": "borrowed", "prior": "none", "external": ["history"]}})
    plain = trial(patients, one)
    arms = [plain.outcome[plain.arm == k] for k in (0, 1)]
    assert none.analysis.estimates[0].value == pytest.approx(arms[1].mean() - arms[0].mean())
    power = carried(
        both, {**one, "method": {"kind": "borrowed", "prior": "power", "external": ["history"], "discount": 1.0}}
    )
    pooled = history["cd4_week20"].drop_nulls().to_numpy()
    precision = [len(x) / x.var(ddof=1) for x in (arms[0], pooled)]
    mean = (precision[0] * arms[0].mean() + precision[1] * pooled.mean()) / sum(precision)
    assert power.analysis.estimates[0].value == pytest.approx(arms[1].mean() - mean)
    assert power.analysis.patients == {"monotherapy": len(arms[0]), "combination": len(arms[1])}
    for prior, more in (("map", {"heterogeneity_scale": 30.0}), ("normalised-power", {}), ("commensurate", {"scale": 20.0}),
                        ("leap", {})):  # fmt: skip
        learnt = carried(both, {**one, "method": {"kind": "borrowed", "prior": prior, "external": ["history"], **more}})
        first = learnt.analysis.estimates[0]
        assert 0.0 < first.standard_error < none.analysis.estimates[0].standard_error, prior
        assert learnt.further["prior worth, in patients (moment)"] > 0.0
    published = [{"patients": 50, "mean": 300.0, "standard_error": 15.0}]
    plan = planned({**one, "method": {"kind": "borrowed", "prior": "leap", "history": published}})
    assert "LEAP weighs each patient" in one_analysis(patients, plan, plan.analyses[0]).failure
    assert (
        "not part of this analysis" in " ".join(none.analysis.notes)
        or none.analysis.patients == power.analysis.patients
    )


def test_every_method_is_tested_here():
    import pathlib

    words = pathlib.Path(__file__).read_text()
    tags = [method.__struct_config__.tag for method in RUNS]
    assert len(tags) == 15
    assert not [tag for tag in tags if f'"{tag}"' not in words]


def test_margin_is_the_null_of_the_first_estimate(patients):
    found = carried(patients, {**CD4, "margin": -20.0, "method": "ancova"})
    plain = carried(patients, {**CD4, "method": "ancova"})
    assert found.analysis.estimates[0].null == -20.0
    assert found.analysis.estimates[0].p_value < plain.analysis.estimates[0].p_value
    ratio = carried(patients, {**TIME, "margin": 1.3, "method": "cox"}).analysis.estimates[0]
    assert ratio.null == pytest.approx(math.log(1.3))
    plan = planned({**TIME, "margin": -1.0, "method": "cox"})
    assert "margin -1 of a ratio" in one_analysis(patients, plan, plan.analyses[0]).failure


def test_where_arms_and_subgroups(patients):
    plan = planned(
        {**CD4, "method": "ancova", "where": {"sex": "M"}, "subgroups": ["symptoms"]}, labels={"monotherapy": "mono"}
    )
    done = carry_out(plan, ReadTable(frame=patients, sha256="0" * 64, source="t"))
    men = patients.filter(pl.col("sex") == "M")
    assert done.results[0].analysis.estimates[0].name == "combination - mono"
    assert done.results[0].analysis.estimates[0].value == pytest.approx(ancova(trial(men, CD4)).estimates[0].value)
    assert [one.name for one in done.results[1:]] == ["a, symptoms = 0", "a, symptoms = 1"]
    assert done.patients == {"combination": 240, "mono": 120}


def test_a_missing_word_is_a_level_of_its_own(patients):
    holed = patients.with_columns(sex=pl.when(pl.int_range(pl.len()) < 5).then(None).otherwise(pl.col("sex")))
    kept = carried(holed, {**CD4, "covariates": ["cd4", "sex"], "method": "ancova"})
    assert sum(kept.analysis.patients.values()) == patients["cd4_week20"].drop_nulls().len()
    assert "a level of their own" in " ".join(kept.analysis.notes)


def test_subgroups_tell_whether_they_differ(patients):
    plan = planned({**CD4, "method": "ancova", "subgroups": ["sex"]})
    done = carry_out(plan, read_table(patients))
    told = done.results[0].further["heterogeneity over sex"]
    first, second = (one.analysis.estimates[0] for one in done.results[1:])
    z = (first.value - second.value) / math.hypot(first.standard_error, second.standard_error)
    assert told["Q"] == pytest.approx(z**2), "of two groups Cochran's Q is the square of their difference's z"
    assert told["df"] == 1.0


def test_what_is_the_outcome_is_no_covariate(patients):
    copied = patients.with_columns(leak=pl.col("cd4_week20") * 2 + 1, flat=pl.lit(3.0))
    plan = planned({**CD4, "covariates": ["leak"], "method": "ancova"})
    assert "correlates 1.000000 with the outcome" in one_analysis(copied, plan, plan.analyses[0]).failure
    plan = planned({**CD4, "outcome": "flat", "covariates": [], "method": "ancova"})
    assert "the same for every patient" in one_analysis(copied, plan, plan.analyses[0]).failure


def test_an_odds_ratio_that_cannot_be_leaves_the_difference(patients):
    certain = patients.with_columns(
        progressed_2y=pl.when(pl.col("arm") == "monotherapy").then(1).otherwise(pl.col("progressed_2y"))
    )
    found = carried(
        certain, {**YES, "covariates": [], "method": {"kind": "g-computation", "on_separation": "unadjusted"}}
    )
    assert found.analysis.estimates[0].name == "risk difference combination - monotherapy"
    assert "no odds ratio" in " ".join(found.analysis.notes)


def test_a_posterior_has_no_p_value_in_the_report(patients):
    from medtwin.trials.report.numbers import sentence

    history = [{"patients": 100, "responders": 30}]
    asked = {**YES, "covariates": [], "method": {"kind": "borrowed", "prior": "power", "history": history}}
    first = carried(patients, asked).analysis.estimates[0]
    assert first.name == "difference combination - monotherapy"
    assert "credible interval" in sentence(first)
    assert "p =" not in sentence(first)


def test_subgroups_keep_the_filter_and_say_who_is_unknown(patients):
    holed = patients.with_columns(sex=pl.when(pl.int_range(pl.len()) < 30).then(None).otherwise(pl.col("sex")))
    plan = planned(
        {
            **CD4,
            "method": "ancova",
            "where": {"prior_treatment": ["none", "longer"]},
            "subgroups": ["sex", "prior_treatment"],
        }
    )
    done = carry_out(plan, read_table(holed))
    names = [one.name for one in done.results]
    assert names[1:4] == ["a, sex = F", "a, sex = M", "a, sex = unknown"]
    whole = sum(done.results[0].analysis.patients.values())
    assert sum(sum(one.analysis.patients.values()) for one in done.results[1:4] if one.analysis) <= whole
    failed = next(one for one in done.results if one.name == "a, prior_treatment = up to a year")
    assert "no row with prior_treatment" in failed.failure, "the analysis's own filter holds within a subgroup"


def test_not_a_number_is_missing_and_no_arm():
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"patient": list(range(60)), "arm": [0.0, 1.0, float("nan")] * 20, "y": rng.normal(size=60)})
    plan = plan_of({**HEAD, "control": 0, "analyses": [{"name": "a", "role": "primary", "endpoint": "continuous",
                                                       "outcome": "y", "method": "ancova"}]})  # fmt: skip
    assert "20 rows without an arm" in carry_out(plan, read_table(frame)).results[0].failure


def test_strata_whose_words_hold_commas_stay_apart():
    frame = pl.DataFrame({"arm": [0, 1] * 20, "y": [float(k) for k in range(40)], "one": ["a, b", "a, b", "a", "a"] * 10,
                          "two": ["c", "c", "b, c", "b, c"] * 10})  # fmt: skip
    assert len(read_trial(frame, outcome="y", arm="arm", control=0, strata=["one", "two"]).strata_names) == 2


def test_repeated_measures_keep_the_rules_for_what_is_missing(patients):
    visits = long(patients)
    one = {"endpoint": "repeated", "outcome": "cd4_count", "covariates": ["cd4"]}
    method = {"kind": "mmrm", "visit": "visit"}
    refused = planned({**one, "missing_outcome": "refuse", "method": method})
    assert "rows without cd4_count" in one_analysis(visits, refused, refused.analyses[0]).failure
    holed = visits.with_columns(cd4=pl.when(pl.col("patient") == "T-0001").then(None).otherwise(pl.col("cd4")))
    kept = carried(holed, {**one, "method": method})
    dropped = carried(holed, {**one, "missing_covariate": "drop", "method": method})
    assert sum(kept.analysis.patients.values()) == sum(dropped.analysis.patients.values()) + 1
    assert "the mean over the patients" in " ".join(kept.analysis.notes)
    seen = visits.drop_nulls("cd4_count")["patient"].n_unique()
    assert sum(kept.analysis.patients.values()) == seen, "those who were used, and nobody else"


def test_external_patients_are_counted_once_and_named_when_left_out(patients, external):
    history = external.filter(pl.col("arm") == "history").drop("late")
    both = pl.concat([patients.select(history.columns), history])
    one = {**CD4, "covariates": []}
    method = {"kind": "borrowed", "prior": "power", "external": ["history"]}
    found = carried(both, {**one, "method": method})
    lost = history["cd4_week20"].null_count()
    assert f"{lost} external patients of history left out" in " ".join(found.analysis.notes)
    twice = planned({**one, "method": method})
    assert "nobody may count twice" in one_analysis(pl.concat([both, history]), twice, twice.analyses[0]).failure
    refused = planned({**one, "missing_outcome": "refuse", "method": method})
    assert "external patients without" in one_analysis(both, refused, refused.analyses[0]).failure


def test_a_fault_of_our_own_is_a_failure_without_words_of_the_table(patients, monkeypatch):
    from medtwin.trials.analysis_plan import carry_out as room

    def broken(method, asked):
        raise ValueError(f"cell {asked.frame['patient'][0]}")

    plan = planned({**CD4, "method": "ancova"})
    monkeypatch.setitem(room.RUNS, type(plan.analyses[0].method), broken)
    failure = one_analysis(patients, plan, plan.analyses[0]).failure
    assert "fault of medtwin's own (ValueError)" in failure
    assert "T-0001" not in failure


def test_a_table_from_any_kind_of_file_gives_the_same(patients, tmp_path):
    plan = planned({**CD4, "method": "ancova"})
    patients.write_csv(tmp_path / "t.csv")
    patients.write_parquet(tmp_path / "t.parquet")
    values = set()
    for source in (tmp_path / "t.csv", tmp_path / "t.parquet", patients):
        values.add(carry_out(plan, read_table(source)).results[0].analysis.estimates[0].value)
    assert len(values) == 1
