"""Results of R's survival, MatchIt and maicplus on public and simulated trials, reproduced."""

import json
import math

import numpy as np
import polars as pl
import pytest

from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.cox import cox
from medtwin.trials.external.balance import balance, effective_sample_size
from medtwin.trials.external.effect import weighted_effect, weighted_hazard_ratio
from medtwin.trials.external.maic import PublishedValue, anchored, maic_weights, unanchored
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.tilting import entropy_weights, tilt
from medtwin.trials.external.weighted_cox import weighted_cox_fit
from medtwin.trials.external.weighted_kaplan import weighted_kaplan_meier

pytestmark = pytest.mark.shared

COVARIATES = ["age", "meno", "sizec", "grade3", "l_nodes", "l_pgr", "l_er"]


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "trials"


@pytest.fixture(scope="module")
def breast(folder):
    """The hormone arm of the GBSG trial against the untreated, node-positive patients of Rotterdam."""
    table = pl.read_csv(folder / "gbsg_rotterdam.csv").with_columns(
        grade3=(pl.col("grade") == 3).cast(float), l_nodes=pl.col("nodes").log(), l_pgr=pl.col("pgr").log1p(),
        l_er=pl.col("er").log1p(),
    )  # fmt: skip
    gbsg = pl.col("src") == "gbsg"
    table = table.filter((gbsg & (pl.col("hormon") == 1)) | (~gbsg & (pl.col("hormon") == 0)))
    return TrialData.of(
        table["rfstime"].to_numpy(), table["src"].to_numpy(), control="rotterdam", event=table["status"].to_numpy(),
        covariates=table.select(COVARIATES).to_numpy().astype(float), covariate_names=COVARIATES,
    )  # fmt: skip


@pytest.fixture(scope="module")
def breast_reference(folder):
    return json.loads((folder / "reference_gbsg_rotterdam.json").read_text())


@pytest.fixture(scope="module")
def score(breast):
    return propensity_score(breast)


@pytest.fixture(scope="module")
def maic(folder):
    return json.loads((folder / "reference_maic.json").read_text())


def test_propensity_score(score, breast, breast_reference):
    assert breast.patients == {"rotterdam": 1207, "gbsg": 246}
    assert score.coefficients == pytest.approx(np.array(list(breast_reference["ps_coef"].values())), rel=1e-7)


@pytest.mark.parametrize(
    "name, target",
    [
        ("unweighted", None),
        ("iptw_att", "ATT"),
        ("iptw_ate", "ATE"),
        ("overlap", "overlap"),
        ("entropy_att", "entropy"),
    ],
)
def test_weighting(breast, score, breast_reference, name, target):
    theirs = breast_reference[f"ext_{name}"]
    weights = None
    if target == "entropy":
        weights = entropy_weights(breast, total="controls").weights
    elif target:
        weights = propensity_weights(score.score, breast.arm, target)
    ours = weighted_hazard_ratio(breast, weights)["hazard ratio"]
    assert ours.value == pytest.approx(theirs["coef"], abs=1e-8)
    assert ours.standard_error == pytest.approx(theirs["robust_se"], rel=1e-8)
    held = np.ones(len(breast.arm)) if weights is None else weights
    fitted = weighted_cox_fit(breast.outcome, breast.event, breast.arm[:, None].astype(float), held)
    assert fitted.naive_covariance[0, 0] ** 0.5 == pytest.approx(theirs["naive_se"], rel=1e-8)
    table = balance(breast, weights, scale="treated")
    assert table.effective_control == pytest.approx(theirs["ess_control"], rel=1e-8)
    assert table.effective_treated == pytest.approx(theirs["ess_treated"], rel=1e-8)
    for covariate in COVARIATES:
        assert table[covariate].difference_after == pytest.approx(theirs["smd"][covariate], abs=1e-8)


def test_adjusted_cox(breast, breast_reference):
    ours = cox(breast).estimates[0]
    assert ours.value == pytest.approx(breast_reference["ext_adjusted_cox"]["coef"]["T"], rel=1e-8)


def test_matching(breast, score, breast_reference):
    """The reference was made by a MatchIt that ignored the caliper and looked downwards only (see matching.py)."""
    theirs = breast_reference["ext_match_nn_caliper0.2"]
    made = nearest_neighbours(breast, score.score, caliper=None, scale="probability", side="below")
    assert (made.matched_set >= 0).sum() == 2 * theirs["n_matched"]
    ours = weighted_hazard_ratio(breast, made.weights, cluster=made.matched_set)["hazard ratio"]
    assert ours.value == pytest.approx(theirs["coef"], abs=1e-8)
    assert ours.standard_error == pytest.approx(theirs["robust_se"], rel=1e-8)
    table = balance(breast, made.weights, scale="treated")
    for covariate in COVARIATES:
        assert table[covariate].difference_after == pytest.approx(theirs["smd"][covariate], abs=1e-8)


def test_matching_with_the_caliper_kept(breast, score):
    """MatchIt 4.5.1 on the logit times a million, where its truncated differences do no harm: matchit(T ~ ..., caliper = 0.2)."""
    made = nearest_neighbours(breast, score.score, caliper=0.2)
    assert (made.matched_set >= 0).sum() == 2 * 243
    ours = weighted_hazard_ratio(breast, made.weights, cluster=made.matched_set)["hazard ratio"]
    assert ours.value == pytest.approx(-0.3974071, abs=1e-6)
    assert ours.standard_error == pytest.approx(0.1304468, abs=1e-6)


def test_maic_weights(folder, maic):
    own = pl.read_csv(folder / "maic_centered_ipd_sat.csv", null_values="NA")
    ours = tilt(own.select(maic["covariates"]).to_numpy(), np.zeros(6))
    assert ours.coefficients == pytest.approx(np.array(maic["opt_alpha"]), abs=1e-5)
    assert ours.weights.sum() == pytest.approx(maic["sum_w"], rel=1e-6)
    assert effective_sample_size(ours.weights) == pytest.approx(maic["ess"], rel=1e-6)
    assert ours.weights[:10] == pytest.approx(np.array(maic["weights_first10"]), abs=1e-6)
    assert np.quantile(ours.weights, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(
        list(maic["weights_quantile"].values()), abs=1e-5
    )
    other = pl.read_csv(folder / "maic_agd.csv", null_values="NA").row(0, named=True)
    named = maic_weights(
        {name: own[name].to_numpy() for name in ("AGE", "SEX_MALE", "ECOG0", "SMOKE", "N_PR_THER")},
        {
            "AGE": PublishedValue(mean=other["AGE_MEAN"], standard_deviation=other["AGE_SD"]),
            "SEX_MALE": PublishedValue(mean=other["SEX_MALE_COUNT"] / other["N"]),
            "ECOG0": PublishedValue(mean=other["ECOG0_COUNT"] / other["N"]),
            "SMOKE": PublishedValue(mean=other["SMOKE_COUNT"] / other["N"]),
            "N_PR_THER": PublishedValue(median=other["N_PR_THER_MEDIAN"]),
        },
    )
    assert named.weights / named.weights.sum() == pytest.approx(ours.weights / ours.weights.sum(), abs=1e-12)


@pytest.fixture(scope="module")
def own_weights(folder, maic):
    own = pl.read_csv(folder / "maic_centered_ipd_sat.csv", null_values="NA")
    return tilt(own.select(maic["covariates"]).to_numpy(), np.zeros(6)).weights


def test_maic_unanchored_survival(folder, maic, own_weights):
    both = pl.concat(
        pl.read_csv(folder / name).select("TIME", "EVENT", "ARM")
        for name in ("maic_adtte_sat.csv", "maic_pseudo_ipd_sat.csv")
    )
    trial = TrialData.of(both["TIME"].to_numpy(), both["ARM"].to_numpy(), control="B", event=both["EVENT"].to_numpy())
    for ours, theirs in zip(
        (cox(trial, variance="model").estimates[0], unanchored(trial, own_weights)["hazard ratio"]),
        maic["unanchored_tte"],
        strict=True,
    ):
        assert ours.reported == pytest.approx((theirs["HR"], theirs["LCL"], theirs["UCL"]), rel=1e-6)
        assert ours.p_value == pytest.approx(theirs["pval"], rel=1e-5)


def test_maic_survival_curves(folder, maic, own_weights):
    """survfit's tables: restricted means in months, with the interval of the median by log(-log S) and robust errors."""
    own, other = (pl.read_csv(folder / name) for name in ("maic_adtte_sat.csv", "maic_pseudo_ipd_sat.csv"))
    assert own["USUBJID"].to_list() == pl.read_csv(folder / "maic_centered_ipd_sat.csv")["USUBJID"].to_list()
    until = max(own["TIME"].max(), other["TIME"].max()) / 30.4375
    for theirs in maic["unanchored_km"]:
        table = own if theirs["treatment"] == "A" else other
        weights = (
            own_weights if (theirs["treatment"], theirs["type"]) == ("A", "After matching") else np.ones(len(table))
        )
        curve = weighted_kaplan_meier(table["TIME"].to_numpy() / 30.4375, table["EVENT"].to_numpy(), weights)
        assert (curve.events.sum(), weights.sum()) == pytest.approx((theirs["events"], theirs["n.max"]), rel=1e-6)
        assert curve.restricted_mean(until) == pytest.approx((theirs["rmean"], theirs["se(rmean)"]), rel=1e-6)
        limits = theirs["median"], theirs["0.95LCL"], theirs["0.95UCL"]
        assert curve.quantile() == pytest.approx(limits, rel=1e-9)


@pytest.mark.parametrize(
    "short, measure, scale", [("OR", "odds ratio", 1), ("RD", "difference", 100), ("RR", "ratio", 1)]
)
def test_maic_unanchored_binary(folder, maic, own_weights, short, measure, scale):
    own = pl.read_csv(folder / "maic_adrs_sat.csv")
    other = np.repeat([1.0, 0.0], [280, 120])
    trial = TrialData.of(np.append(own["AVAL"].to_numpy(), other), ["A"] * 500 + ["B"] * 400, control="B")
    before, after = maic["unanchored_binary"][short]
    for ours, theirs in (
        (weighted_effect(trial, variance="HC0", measures=(measure,))[measure], before),
        (unanchored(trial, own_weights)[measure], after),
    ):
        three = np.array(ours.reported) * scale
        assert three == pytest.approx((theirs[short], theirs["LCL"], theirs["UCL"]), rel=1e-6, abs=1e-6)
        assert ours.p_value == pytest.approx(theirs["pval"], rel=1e-5)


def test_maic_anchored_survival(folder, maic):
    covariates = pl.read_csv(folder / "maic_centered_ipd_twt.csv", null_values="NA")
    weights = tilt(covariates.select(maic["anchored_covariates"]).to_numpy(), np.zeros(6)).weights
    assert effective_sample_size(weights) == pytest.approx(maic["anchored_ess"], rel=1e-6)
    own = pl.read_csv(folder / "maic_adtte_twt.csv").join(
        covariates.select("USUBJID").with_columns(weight=weights), on="USUBJID", validate="1:1"
    )
    other = pl.read_csv(folder / "maic_pseudo_ipd_twt.csv")
    trial, published = (
        TrialData.of(table["TIME"].to_numpy(), table["ARM"].to_numpy(), control="C", event=table["EVENT"].to_numpy())
        for table in (own, other)
    )
    theirs = {case["case"]: case for case in maic["anchored_tte"]}
    raw, known = (cox(each, variance="model").estimates[0] for each in (trial, published))
    adjusted = weighted_hazard_ratio(trial, own["weight"].to_numpy())["hazard ratio"]
    both = {
        "AC": raw, "adjusted_AC": adjusted, "BC": known, "AB": anchored(raw, known).estimates[0],
        "adjusted_AB": anchored(adjusted, known, name="A / B").estimates[0],
    }  # fmt: skip
    for case, ours in both.items():
        expected = theirs[case]
        assert ours.reported == pytest.approx((expected["HR"], expected["LCL"], expected["UCL"]), rel=1e-6)
        assert math.isclose(ours.p_value, expected["pval"], rel_tol=1e-5)
