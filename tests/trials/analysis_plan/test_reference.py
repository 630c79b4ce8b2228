"""From a plan file alone to the numbers of R's packages: what a statistician would write, read and carried out."""

import json
import textwrap

import pytest

from medtwin.trials.analysis_plan.carry_out import carry_out
from medtwin.trials.analysis_plan.plan import read_plan
from medtwin.trials.tables import ReadTable, read_table

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "trials"


def planned(tmp_path, text):
    file = tmp_path / "plan.yaml"
    file.write_text("dialect: medtwin-analysis-plan/1\n" + textwrap.dedent(text))
    return read_plan(file)


def by_name(done):
    assert not [one.failure for one in done.results if one.failure]
    return {one.name: one for one in done.results}


def reference(folder, name):
    return json.loads((folder / f"reference_{name}.json").read_text())


ACTG = """
title: ACTG175, zidovudine with and without didanosine
subject: pidnum
arm: A
control: 0
labels: {0: ZDV, 1: ZDV+ddI}
score: {column: score, baseline: cd40}
analyses:
  - {name: primary, role: primary, endpoint: continuous, outcome: cd420, covariates: [score], unit: cells/mm3,
     method: {kind: ancova, variance: HC3, df: residual}}
  - {name: unadjusted, endpoint: continuous, outcome: cd420, method: {kind: ancova, variance: classical}}
  - {name: ANHECOVA, endpoint: continuous, outcome: cd420, covariates: [score],
     method: {kind: g-computation, interactions: true, variance: robust}}
  - {name: risks, endpoint: binary, outcome: cens, covariates: [score, age, karnof, symptom],
     method: {kind: g-computation, variance: robust}}
  - {name: blocks, endpoint: binary, outcome: cens, covariates: [score], strata: [strat],
     method: {kind: g-computation, variance: robust, randomisation: permuted-block}}
  - {name: Cox, endpoint: survival, outcome: days, event: cens, method: cox}
  - {name: hazard, endpoint: survival, outcome: days, event: cens, covariates: [score],
     method: {kind: log-rank, small_sample: false}}
  - {name: women and men, endpoint: continuous, outcome: cd420, covariates: [cd40], method: ancova, subgroups: [gender]}
"""


def test_actg175(tmp_path, folder):
    table = read_table(folder / "actg175.csv")
    frame = table.frame.join(read_table(folder / "actg175_split_score.csv").frame, on="pidnum")
    done = carry_out(planned(tmp_path, ACTG), ReadTable(frame=frame, sha256=table.sha256, source=table.source))
    theirs, ours = reference(folder, "actg175"), by_name(done)
    assert done.patients == {"ZDV": theirs["n"]["control"], "ZDV+ddI": theirs["n"]["treated"]}
    first = ours["primary"].analysis.estimates[0]
    assert first.name == "ZDV+ddI - ZDV"
    assert first.value == pytest.approx(theirs["linear"]["procova_score"]["est"], rel=1e-9)
    assert first.standard_error == pytest.approx(theirs["linear"]["procova_score"]["se_HC3"], rel=1e-9)
    plain = ours["unadjusted"].analysis.estimates[0]
    assert plain.standard_error == pytest.approx(theirs["linear"]["unadjusted"]["se_classical"], rel=1e-9)
    two = ours["ANHECOVA"].analysis.estimates[0]
    assert two.standard_error == pytest.approx(theirs["anhecova"]["score"]["se"], rel=1e-9)
    risk = ours["risks"].analysis.estimates
    assert [one.scale for one in risk[:3]] == ["identity", "log", "log"]
    assert risk[0].value == pytest.approx(theirs["binary"]["adj_additive"]["difference"]["estimate"], rel=1e-7)
    assert risk[2].standard_error == pytest.approx(theirs["binary"]["adj_additive"]["log_odds_ratio"]["se"], rel=1e-7)
    blocks = ours["blocks"].analysis.estimates[0]
    assert blocks.standard_error == pytest.approx(theirs["binary"]["adj_pb_strat"]["difference"]["se"], rel=1e-7)
    cox = ours["Cox"].analysis.estimates[0]
    assert cox.value == pytest.approx(-0.781, abs=5e-4)
    assert ours["hazard"].analysis.estimates[0].value == pytest.approx(-0.818, abs=5e-4)
    assert ours["hazard"].analysis.estimates[0].standard_error == pytest.approx(0.1377, abs=5e-5)
    assert set(ours["hazard"].curves) == {"ZDV", "ZDV+ddI"}
    groups = [one for one in done.results if one.role == "subgroup"]
    assert [one.name for one in groups] == ["women and men, gender = 0", "women and men, gender = 1"]
    assert sum(sum(one.analysis.patients.values()) for one in groups) == sum(done.patients.values())


FEV = """
title: FEV1 over four visits
subject: USUBJID
arm: ARMCD
control: PBO
analyses:
  - {name: Satterthwaite, role: primary, endpoint: repeated, outcome: FEV1, covariates: [RACE, SEX],
     method: {kind: mmrm, visit: AVISIT, by_visit: [], degrees: satterthwaite}}
  - {name: KR, endpoint: repeated, outcome: FEV1, covariates: [RACE, SEX],
     method: {kind: mmrm, visit: AVISIT, by_visit: [], degrees: kenward-roger, at: VIS4, average: true}}
"""


def test_fev(tmp_path, folder):
    ours = by_name(carry_out(planned(tmp_path, FEV), read_table(folder / "fev_data.csv")))
    first = ours["Satterthwaite"].analysis.estimates[0]
    assert first.name == "TRT - PBO at VIS4"
    assert (first.value, first.standard_error, first.df) == pytest.approx((4.3985368, 1.6805502, 133.389), rel=3e-6)
    assert ours["Satterthwaite"].further["log likelihood"] == pytest.approx(-1693.22493558115, abs=1e-6)
    assert ours["KR"].analysis.estimates[0].standard_error == pytest.approx(1.6584826, rel=1e-5)
    assert any("mean over" in one.name for one in ours["KR"].analysis.estimates)
    assert len(ours["KR"].tests) == 2


RBMI = """
title: HAMD17 after weeks of treatment
subject: PATIENT
arm: THERAPY
control: PLACEBO
analyses:
  - {name: JR, role: primary, endpoint: repeated, outcome: CHANGE, covariates: [BASVAL],
     method: {kind: imputed, visit: VISIT, at: 7, strategy: JR, tipping: {DRUG: 1.0}}}
"""


def test_rbmi(tmp_path, folder):
    table = read_table(folder / "antidepressant_data.csv")
    ours = by_name(carry_out(planned(tmp_path, RBMI), table))["JR"]
    first = ours.analysis.estimates[0]
    assert first.name == "DRUG - PLACEBO at 7"
    theirs = next(row for row in reference(folder, "rbmi_antidepressant")["JR"] if row["parameter"] == "trt_7")
    assert (first.value, first.standard_error) == pytest.approx((-theirs["est"], theirs["se"]), abs=1e-4)
    assert ours.tipping.estimate == first.name
    assert ours.tipping.p_values[0] == pytest.approx(theirs["pval"], abs=1e-4)
    assert ours.tipping.tips, "a delta against the drug makes it lose at some amount"


GBSG = """
title: Hormone therapy against an external cohort
subject: id
arm: group
control: rotterdam
analyses:
  - {name: ATT, role: primary, endpoint: survival, outcome: rfstime, event: status,
     covariates: [age, meno, sizec, grade3, l_nodes, l_pgr, l_er], method: {kind: weighted, weights: ATT}}
  - {name: matched, endpoint: survival, outcome: rfstime, event: status,
     covariates: [age, meno, sizec, grade3, l_nodes, l_pgr, l_er],
     method: {kind: weighted, weights: matching, caliper: null, scale: probability, side: below}}
  - {name: entropy, endpoint: survival, outcome: rfstime, event: status,
     covariates: [age, meno, sizec, grade3, l_nodes, l_pgr, l_er],
     method: {kind: weighted, weights: entropy, total: controls}}
"""


def test_gbsg(tmp_path, folder):
    import polars as pl

    table = read_table(folder / "gbsg_rotterdam.csv")
    frame = table.frame.filter(
        ((pl.col("src") == "gbsg") & (pl.col("hormon") == 1)) | ((pl.col("src") != "gbsg") & (pl.col("hormon") == 0))
    ).with_columns(
        pl.when(pl.col("src") == "gbsg").then(pl.lit("hormone")).otherwise(pl.lit("rotterdam")).alias("group")
    )
    frame = frame.with_columns(
        grade3=(pl.col("grade") == 3).cast(float), l_nodes=pl.col("nodes").log(), l_pgr=pl.col("pgr").log1p(),
        l_er=pl.col("er").log1p(), id=pl.int_range(frame.height),
    )  # fmt: skip
    ours = by_name(carry_out(planned(tmp_path, GBSG), ReadTable(frame=frame, sha256="0" * 64, source="gbsg")))
    assert ours["ATT"].analysis.patients == {"rotterdam": 1207, "hormone": 246}
    assert max(abs(row.difference_after) for row in ours["entropy"].balance.rows) < 1e-6
    theirs = reference(folder, "gbsg_rotterdam")
    for name, their in (("ATT", "ext_iptw_att"), ("entropy", "ext_entropy_att")):
        first = ours[name].analysis.estimates[0]
        assert first.value == pytest.approx(theirs[their]["coef"], abs=1e-8)
        assert first.standard_error == pytest.approx(theirs[their]["robust_se"], rel=1e-8)
        assert ours[name].further["effective controls"] == pytest.approx(theirs[their]["ess_control"], rel=1e-8)
    matched = ours["matched"].analysis.estimates[0]
    assert (matched.value, matched.standard_error) == pytest.approx((-0.26614436, 0.13071736), abs=1e-7)
