"""Every fit of the reference files: R's mmrm 0.3.18 on its FEV data, tightly converged at 1e-6, by default at 2e-4.

The default optimiser of the reference stops early, so a coefficient is compared with it against the larger of itself and
its standard error (interactions near zero have no digits of their own).
"""

import json

import numpy as np
import polars as pl
import pytest
from scipy import stats

from medtwin.trials.mmrm import fit_table

pytestmark = pytest.mark.shared

SATTERTHWAITE = {"degrees": "satterthwaite"}
TIGHT = {
    "us_Satterthwaite": SATTERTHWAITE,
    "us_KR": {"degrees": "kenward-roger"},
    "us_baseline_by_visit_KR": {"degrees": "kenward-roger", "covariates": ["FEV1_BL"], "by_visit": ["FEV1_BL"]},
}
DEFAULT = {
    "us_Satterthwaite": SATTERTHWAITE,
    "us_Kenward-Roger": {"degrees": "kenward-roger"},
    "us_KR_linear": {"degrees": "kenward-roger linear"},
    "us_Residual": {"degrees": "residual", "covariance": "CR0"},  # the reference's default with residual df
    "us_Between-Within": {"degrees": "between-within"},
    "us_Empirical": {**SATTERTHWAITE, "covariance": "CR0"},
    "us_Empirical-Bias-Reduced": {**SATTERTHWAITE, "covariance": "CR2"},
    "us_Empirical-Jackknife": {**SATTERTHWAITE, "covariance": "CR3"},
    "us_ML": {**SATTERTHWAITE, "reml": False},
    "ar1": {**SATTERTHWAITE, "structure": "ar1"},
    "ar1h": {**SATTERTHWAITE, "structure": "ar1 heterogeneous"},
    "cs": {**SATTERTHWAITE, "structure": "compound symmetry"},
    "csh": {**SATTERTHWAITE, "structure": "compound symmetry heterogeneous"},
    "toep": {**SATTERTHWAITE, "structure": "toeplitz"},
    "toeph": {**SATTERTHWAITE, "structure": "toeplitz heterogeneous"},
    "ad": {**SATTERTHWAITE, "structure": "ante-dependence"},
    "adh": {**SATTERTHWAITE, "structure": "ante-dependence heterogeneous"},
    "sp_exp": {**SATTERTHWAITE, "structure": "spatial exponential", "coordinates": ["VISITN", "VISITN2"]},
    "us_grouped_by_arm": {**SATTERTHWAITE, "grouped": True},
    "us_weighted": {**SATTERTHWAITE, "weights": "WEIGHT"},
    "us_baseline_by_visit_KR": {"degrees": "kenward-roger", "covariates": ["FEV1_BL"], "by_visit": ["FEV1_BL"]},
}


@pytest.fixture(scope="module")
def read(shared_data):
    folder = shared_data / "trials"
    table = pl.read_csv(folder / "fev_data.csv", null_values="NA")
    return table, *(json.loads((folder / f"reference_mmrm_fev{which}.json").read_text()) for which in ("_tight", ""))


def fitted(table, more):
    return fit_table(
        table, outcome="FEV1", subject="USUBJID", visit="AVISIT", arm="ARMCD", unit="L",
        factors={"RACE": ["Asian", "Black or African American", "White"], "SEX": ["Male", "Female"]}, **more,
    )  # fmt: skip


def in_r(name):
    """Our name of a coefficient as R writes it; the reference has one with the factors of a product turned."""
    plain = name.replace("[", "").replace("]", "").replace("(intercept)", "(Intercept)")
    return {plain, ":".join(reversed(plain.split(":")))}


def columns(own, reference, key):
    """The reference's values in our order."""
    return np.array([next(v for k, v in reference[key].items() if k in in_r(name)) for name in own.fit.names])


def test_every_reference_is_asked_for(read):
    _, tight, default = read
    assert set(TIGHT) == {k for k, v in tight.items() if isinstance(v, dict)}
    assert set(DEFAULT) == {k for k, v in default.items() if isinstance(v, dict)}


@pytest.mark.parametrize("name", TIGHT)
def test_tight(read, name):
    table, reference = read[0], read[1][name]
    own = fitted(table, TIGHT[name])
    assert own.fit.log_likelihood == pytest.approx(reference["loglik"], abs=1e-8)
    np.testing.assert_allclose(own.fit.coefficients, columns(own, reference, "coef"), rtol=1e-6)
    np.testing.assert_allclose(own.fit.standard_errors, columns(own, reference, "se"), rtol=1e-6)
    np.testing.assert_allclose(own.fit.sigma["all"], reference["varcor"], rtol=1e-6)
    compare(own.differences(), reference["contrasts"], 1e-6, lambda row: ("TRT", row["AVISIT"]), "estimate")
    assert (own.fit.subjects, own.fit.observations) == (197, 537)
    assert own.fit.notes == (
        "263 of 800 rows without an outcome are not used",
        "3 of 200 subjects have no row that can be used",
    )


@pytest.mark.parametrize("name", DEFAULT)
def test_default(read, name):
    table, reference = read[0], read[2][name]
    own, tolerance = fitted(table, DEFAULT[name]), 2e-4
    assert own.fit.log_likelihood >= reference["loglik"] - 1e-8  # it stopped short of ours
    assert own.fit.log_likelihood == pytest.approx(reference["loglik"], abs=1e-5)
    assert own.fit.aic == pytest.approx(reference["aic"], abs=2e-5)
    assert own.fit.bic == pytest.approx(reference["bic"], abs=2e-5)
    assert len(own.fit.theta) == len(reference["theta"])
    se = columns(own, reference, "se")
    away = np.abs(own.fit.coefficients - (coef := columns(own, reference, "coef")))
    assert (away <= tolerance * np.maximum(np.abs(coef), se)).all()
    np.testing.assert_allclose(own.fit.standard_errors, se, rtol=tolerance)
    df = [own.fit.coefficient(name).df for name in own.fit.names]
    np.testing.assert_allclose(df, columns(own, reference, "df"), rtol=tolerance)
    sigma = reference["varcor"] if isinstance(reference["varcor"], dict) else {"all": reference["varcor"]}
    for group, matrix in sigma.items():
        sd = np.sqrt(np.diag(matrix))
        np.testing.assert_allclose(own.fit.sigma[group] / np.outer(sd, sd), matrix / np.outer(sd, sd), atol=tolerance)
    if "lsmeans" in reference:
        compare(own.means(), reference["lsmeans"], tolerance, lambda row: (row["ARMCD"], row["AVISIT"]), "emmean")
        compare(own.differences(), reference["contrasts"], tolerance, lambda row: ("TRT", row["AVISIT"]), "estimate")


def compare(estimates, rows, tolerance, key, value):
    for row in rows:
        mine = estimates[key(row)]
        assert mine.value == pytest.approx(row[value], rel=tolerance)
        assert mine.standard_error == pytest.approx(row["SE"], rel=tolerance)
        assert mine.df == pytest.approx(row["df"], rel=tolerance)
        away = np.abs(np.subtract(mine.interval, (row["lower.CL"], row["upper.CL"])))
        assert (away <= tolerance * np.maximum(np.abs(mine.interval), mine.standard_error)).all()
        if (
            "p.value" in row
        ):  # by the statistic that it stands for: value and standard error may each be off by the tolerance
            statistic = stats.t.isf(row["p.value"] / 2.0, row["df"])
            assert abs(mine.statistic) == pytest.approx(statistic, rel=2 * tolerance)
        assert mine.unit == "L"
    assert len(estimates) == len(rows)
