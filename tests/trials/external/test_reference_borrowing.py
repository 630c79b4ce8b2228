"""Robust MAP, power and normalised power priors of RBesT's AS data, reproduced (theirs by sums over a coarse grid)."""

import json

import numpy as np
import pytest

from medtwin.trials.external.map_prior import map_prior
from medtwin.trials.external.power_prior import normalised_power_prior, power_prior
from medtwin.trials.external.rates import BetaMixture, exceeds
from medtwin.trials.external.worth import effective_patients

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def reference(shared_data):
    return json.loads((shared_data / "trials" / "reference_map_powerprior.json").read_text())


@pytest.fixture(scope="module")
def prior(reference):
    return map_prior(reference["data"]["r"], reference["data"]["n"])


def test_map(prior, reference):
    assert prior.tau_mean == pytest.approx(reference["tau_mean"], abs=1e-3)
    assert prior.beta_mean == pytest.approx(reference["beta_mean"], abs=1e-3)
    assert prior.rate.mean() == pytest.approx(reference["map_p_mean"], abs=1e-3)
    assert prior.rate.standard_deviation() == pytest.approx(reference["map_p_sd"], abs=1e-3)
    for percent, theirs in reference["map_p_q"].items():
        assert prior.rate.quantile(float(percent) / 100) == pytest.approx(theirs, abs=1e-3)
    # theirs are points of the grid: steps of 0.015 and 0.02
    for percent, theirs in reference["tau_q"].items():
        assert prior.tau_quantile(float(percent) / 100) == pytest.approx(theirs, abs=0.015)
    for percent, theirs in reference["beta_q"].items():
        rate = prior.beta.quantile(float(percent) / 100)
        assert np.log(rate / (1 - rate)) == pytest.approx(theirs, abs=0.02)


def test_effective_patients(prior, reference):
    """m (1 - m) / s^2 - 1 with s right to 1e-3 relative is right to 3e-3; of their own m and s it is theirs. ELIR by their second
    differences to 1 %."""
    m, s = reference["map_p_mean"], reference["map_p_sd"]
    assert m * (1.0 - m) / s**2 - 1.0 == pytest.approx(reference["ess_moment"], rel=1e-12)
    assert effective_patients(prior.rate, "moment") == pytest.approx(reference["ess_moment"], rel=3e-3)
    ours = effective_patients(prior.rate, between=(0.02, 0.8))
    assert ours == pytest.approx(reference["ess_elir_grid_0_02_0_8"], rel=1e-2)


def test_robust(prior, reference):
    one = reference["data"]["current_control"]
    after = prior.robust(0.2).updated(*one)
    assert after.weight == pytest.approx(reference["robust_w20_post_weight_map"], abs=1e-3)
    assert after.mean() == pytest.approx(reference["robust_w20_post_mean_control"], abs=1e-3)
    for name, vague in (("0p5_1", (0.5, 1.0)), ("1_1", (1.0, 1.0))):
        treated = BetaMixture.of(*vague).updated(*reference["data"]["current_treat"])
        assert exceeds(treated, after) == pytest.approx(reference[f"prob_treat_gt_control_prior_beta_{name}"], abs=1e-4)
    for case in reference["robust_sweep"]:
        after = prior.robust(case["w_robust"]).updated(case["x"], case["n"])
        assert after.weight == pytest.approx(case["post_w_map"], abs=1e-3)
        assert after.mean() == pytest.approx(case["post_mean"], abs=1e-3)


def test_power_prior(reference):
    pooled = sum(reference["data"]["r"]), sum(reference["data"]["n"])
    for case in reference["power_prior_beta11_all_hist_pooled_current_1_6"]:
        after = power_prior(*pooled, case["a0"]).updated(1, 6)
        assert (after.a[0], after.b[0]) == pytest.approx((case["post_a"], case["post_b"]), rel=1e-12)
        assert after.mean() == pytest.approx(case["mean"], rel=1e-12)
        assert [after.quantile(share) for share in (0.025, 0.5, 0.975)] == pytest.approx(case["q"], rel=1e-9)


def test_normalised_power_prior(reference):
    for case in reference["normalized_power_prior_uniform_a0"]:
        after = normalised_power_prior(case["r0"], case["n0"]).updated(case["x"], case["n"])
        assert after.discount_mean == pytest.approx(case["E_a0"], abs=1e-4)
        assert after.rate.mean() == pytest.approx(case["post_mean"], abs=1e-4)
