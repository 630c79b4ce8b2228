"""fairlearn, AIF360, dcurves, statsmodels and conformal quantiles on ACTG175, reproduced; tolerances of the data's README."""

import json

import numpy as np
import polars as pl
import pytest

from medtwin.trials.fair import Rules, fair_use
from medtwin.trials.fair.conformal import conformal, scores
from medtwin.trials.fair.decision import decision_curve
from medtwin.trials.fair.discrimination import brier, delong
from medtwin.trials.fair.parity import counted, disparities, generalised_entropy
from medtwin.trials.fair.representativeness import stability_index, standardised_difference

pytestmark = pytest.mark.shared

COVARIATES = ["age", "wtkg", "karnof", "preanti", "symptom", "cd40", "cd80", "str2", "hemo", "drugs"]
METRIC, FIT = 1e-8, 1e-4


@pytest.fixture(scope="module")
def reference(shared_data):
    return json.loads((shared_data / "trials" / "reference_fairness_actg175.json").read_text())


@pytest.fixture(scope="module")
def scored(shared_data):
    return pl.read_csv(shared_data / "trials" / "fairness_actg175_test_predictions.csv")


@pytest.fixture(scope="module")
def patients(shared_data):
    return pl.read_csv(shared_data / "trials" / "actg175.csv", null_values="NA").sort("pidnum")


@pytest.fixture(scope="module")
def report(scored, reference):
    return fair_use(
        scored, outcome="y", prediction="p", groups=["gender", "race"], thresholds=[reference["threshold"]], subject="pidnum",
        draws=20,
    )  # fmt: skip


def test_calibration_and_discrimination(report, reference):
    wanted = [("all", "all", reference["calibration_all"])]
    wanted += [(c, level, row) for c, held in reference["calibration_by"].items() for level, row in held.items()]
    for column, level, theirs in wanted:
        ours = report.group(column, level)
        assert (ours.patients, ours.events) == (theirs["n"], theirs["events"])
        assert ours["O:E"].value == pytest.approx(theirs["OE"], rel=METRIC)
        assert ours["AUC"].value == pytest.approx(theirs["auc"], rel=METRIC)
        assert ours["Brier score"].value == pytest.approx(theirs["brier"], rel=METRIC)
        for name, key in (("calibration slope", "slope"), ("calibration in the large", "citl")):
            assert ours[name].value == pytest.approx(theirs[key], rel=FIT)
            assert ours[name].scaled_error == pytest.approx(theirs[f"{key}_se"], rel=FIT)
            assert ours[name].low < theirs[key] < ours[name].high


def test_whole_file(scored, reference):
    y, p = scored["y"].to_numpy().astype(float), scored["p"].to_numpy()
    assert delong(y, p)[0] == pytest.approx(reference["auc"], rel=METRIC)
    assert brier(y, p).value == pytest.approx(reference["brier"], rel=METRIC)
    assert ((p >= reference["threshold"]) == (scored["yhat"].to_numpy() == 1)).all()
    theirs = reference["aif360_0_6_1"]["generalized_entropy_error_alpha2"]
    assert generalised_entropy(y, scored["yhat"].to_numpy().astype(float)) == pytest.approx(theirs, rel=METRIC)


@pytest.mark.parametrize("column", ["gender", "race"])
def test_parity(report, scored, reference, column):
    at = f" at {reference['threshold']:g}"
    theirs = reference["fairlearn_0_15"][column]
    for short, name in (("sel", "selection rate"), ("tpr", "true positive rate"), ("fpr", "false positive rate")):
        for level, value in theirs["by_group"][short].items():  # printed with ten digits
            assert report.group(column, level)[name + at].value == pytest.approx(value, abs=1e-10)
    y, p = scored["y"].to_numpy().astype(float), scored["p"].to_numpy()
    groups = {
        str(level): counted(y[mine], p[mine], reference["threshold"])
        for level in (0, 1)
        if (mine := scored[column].to_numpy() == level).any()
    }
    # the privileged group of AIF360 was the larger one, which is ours where none is named
    ours = {d.number.name: d.number for d in disparities(groups, column, reference["threshold"], draws=100)}
    for key, name in (
        ("dpd", "demographic parity difference"), ("dpr", "demographic parity ratio"), ("eod", "equalised odds difference"),
        ("eor", "equalised odds ratio"), ("eopp", "equal opportunity difference"),
    ):  # fmt: skip
        assert ours[name].value == pytest.approx(theirs[key], rel=METRIC)
    theirs = reference["aif360_0_6_1"][column]
    for key, name in (
        ("spd", "statistical parity difference"), ("dir", "disparate impact ratio"), ("aod", "average odds difference"),
    ):  # fmt: skip
        assert ours[name].value == pytest.approx(theirs[key], rel=METRIC)
        assert ours[name].low < theirs[key] < ours[name].high


def test_net_benefit(scored, reference):
    grid = [row["t"] for row in reference["net_benefit"]]
    ours = decision_curve(scored["y"].to_numpy().astype(float), scored["p"].to_numpy(), grid)
    assert ours.model == pytest.approx([row["model"] for row in reference["net_benefit"]], rel=METRIC)
    assert ours.treat_all == pytest.approx([row["all"] for row in reference["net_benefit"]], rel=METRIC)
    for row in reference["dcurves_check"]:  # ten digits
        line = ours.model if row["model"] == "p" else ours.treat_all
        assert line[grid.index(row["threshold"])] == pytest.approx(row["net_benefit"], abs=1e-10)


def fitted(patients):
    """Least squares on ten covariates and treatment of the first third; outcome and prediction of the other two."""
    fold = np.arange(patients.height) % 3
    design = np.column_stack([np.ones(patients.height), patients[[*COVARIATES, "treat"]].to_numpy().astype(float)])
    y = patients["cd420"].to_numpy().astype(float)
    return y, design @ np.linalg.lstsq(design[fold == 0], y[fold == 0], rcond=None)[0], fold


@pytest.mark.parametrize("miss", ["0.1", "0.2"])
def test_conformal(patients, reference, miss):
    y, predicted, fold = fitted(patients)
    away = scores(y, predicted, binary=False)
    theirs = reference["conformal_cd420"][miss]
    target = 1.0 - float(miss)

    def ours(calibration, test):
        return conformal(away[calibration], away[test], name="coverage", target=target)

    whole = ours(fold == 1, fold == 2)
    assert whole.quantile == pytest.approx(theirs["q"], rel=METRIC)
    assert whole.coverage.value == pytest.approx(theirs["coverage"], rel=METRIC)
    for column in ("gender", "race"):
        for level, value in theirs[f"by_{column}"].items():
            mine = patients[column].to_numpy() == int(level)
            assert ours(fold == 1, (fold == 2) & mine).coverage.value == pytest.approx(value, rel=METRIC)
    for level, row in theirs["mondrian_gender"].items():
        mine = patients["gender"].to_numpy() == int(level)
        own = ours((fold == 1) & mine, (fold == 2) & mine)
        assert own.calibration_patients == row["n_cal"]
        assert own.quantile == pytest.approx(row["q"], rel=METRIC)
        assert own.coverage.value == pytest.approx(row["coverage"], rel=METRIC)


def test_conformal_through_the_verb(patients, reference):
    _, predicted, fold = fitted(patients)
    held = patients.with_columns(predicted=pl.Series(predicted), set=pl.Series((fold == 1).astype(int)))
    made = fair_use(
        held.filter(pl.Series(fold != 0)), outcome="cd420", prediction="predicted", groups=["gender"], calibration="set",
        baseline=["cd40"], treatment="treat", coverage=0.9, draws=0,
    )  # fmt: skip
    theirs = reference["conformal_cd420"]["0.1"]
    for level in ("0", "1"):
        row = made.group("gender", level)
        assert row["coverage, one width for all"].value == pytest.approx(theirs["by_gender"][level], rel=METRIC)
        own = theirs["mondrian_gender"][level]
        assert row["coverage, a width of its own"].value == pytest.approx(own["coverage"], rel=METRIC)
        assert row.own_width == pytest.approx(2.0 * own["q"], rel=METRIC)


def test_representativeness(patients, reference):
    trial, target = (patients.filter(pl.col("strat") == level) for level in (1, 3))
    theirs = reference["representativeness_strat1_vs_strat3"]
    assert [trial.height, target.height] == theirs["n"]
    for name, value in theirs["smd_pooled_sd"].items():
        ours = standardised_difference(trial[name].to_numpy().astype(float), target[name].to_numpy().astype(float))
        assert ours.value == pytest.approx(value, rel=METRIC)
        assert ours.low < value < ours.high
    for name, value in theirs["psi10"].items():
        ours = stability_index(trial[name].to_numpy().astype(float), target[name].to_numpy().astype(float))
        assert ours == pytest.approx(value, rel=METRIC)
    names = list(theirs["smd_pooled_sd"])
    scored = trial.with_columns(predicted=pl.col("cd40"))
    made = fair_use(
        scored, outcome="cd420", prediction="predicted", groups=["race"], target=target, covariates=names, draws=0,
        rules=Rules(min_patients=50),
    )  # fmt: skip
    rows = {row.name: row for row in made.representativeness.rows}
    assert {name: rows[name].smd.value for name in names} == pytest.approx(theirs["smd_pooled_sd"], rel=METRIC)
    assert rows["cd40"].psi == pytest.approx(theirs["psi10"]["cd40"], rel=METRIC)
    assert 0.5 < made.representativeness.generalisability < 1.0


def test_small_groups_are_what_decides(report):
    """Women have 17 events: their interval of the slope holds that of men, and no difference is flagged."""
    women, men = report.group("gender", "0")["calibration slope"], report.group("gender", "1")["calibration slope"]
    assert women.low < men.low < men.high < women.high
    assert not [flag for flag in report.flags if flag.kind in ("difference", "hint")]
    assert {flag.name for flag in report.flags if flag.kind == "fault" and flag.column == "all"} == {
        "calibration in the large", "calibration slope",
    }  # fmt: skip
    withheld = {(w.level, w.reason) for w in report.withheld}
    assert ("gender 0, race 0", "fewer than 10 patients with the event") in withheld
