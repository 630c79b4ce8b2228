"""R's rbmi 1.6.0.9000 on the antidepressant data: five strategies, conditional means and jackknife, every figure at 1e-4.

There ``THERAPY`` is a factor with DRUG as its first level, so its ``trt`` is PLACEBO less DRUG, ``lsm_ref`` the mean of
DRUG and ``lsm_alt`` that of PLACEBO; the imputation's reference arm is PLACEBO.
"""

import json

import numpy as np
import polars as pl
import pytest

from medtwin.trials.missing import STRATEGIES, Assumption, conditional_mean, jackknife, read_repeated

pytestmark = pytest.mark.shared
NAMES = {"trt": "DRUG - PLACEBO", "lsm_ref": "mean DRUG", "lsm_alt": "mean PLACEBO"}


@pytest.fixture(scope="module")
def trial(shared_data):
    table = pl.read_csv(shared_data / "trials" / "antidepressant_data.csv", null_values="NA", infer_schema_length=None)
    return read_repeated(
        table,
        outcome="CHANGE",
        subject="PATIENT",
        visit="VISIT",
        arm="THERAPY",
        control="PLACEBO",
        covariates=["BASVAL"],
    )


@pytest.fixture(scope="module")
def samples(trial):
    return jackknife(trial, Assumption.of(trial))


def test_the_data_are_those_of_the_reference(trial):
    assert trial.patients == {"PLACEBO": 88, "DRUG": 84}
    assert trial.imputed()[0] == "80 of 688 outcomes were imputed, of 44 patients, 42 PLACEBO, 38 DRUG"
    assert "1 gap or missing without an event" in trial.imputed()[2]  # patient 3618


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_figure_of_the_reference(trial, samples, strategy, shared_data):
    reference = json.loads((shared_data / "trials" / "reference_rbmi_antidepressant.json").read_text())[strategy]
    assert len(reference) == 12
    analysis = conditional_mean(trial, strategy=strategy, samples=samples)
    for row in reference:
        kind, visit = row["parameter"].rsplit("_", 1)
        mine, sign = analysis[f"{NAMES[kind]} at {visit}"], -1.0 if kind == "trt" else 1.0
        assert sign * mine.value == pytest.approx(row["est"], abs=1e-4)
        assert mine.standard_error == pytest.approx(row["se"], abs=1e-4)
        assert sorted(sign * x for x in mine.interval) == pytest.approx([row["lci"], row["uci"]], rel=1e-4, abs=1e-4)
        assert mine.p_value == pytest.approx(row["pval"], abs=1e-4)
    assert np.isinf(mine.df)
