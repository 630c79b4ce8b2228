"""Every reference file of the data folder is held by some test, at the tolerance that its README states or a closer one."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: file: (test, tolerance stated by the README, tolerance of the test)
HELD = {
    "reference_actg175.json": ("analysis/test_reference.py", "1e-9 linear, 1e-7 GLM, 1e-5 survival",
                               "1e-9, 1e-7 (standard errors of beeca's Ge method 1e-6, and 1e-9 where its glm stops), 1e-5"),
    "reference_epil_count.json": ("analysis/test_reference.py", "1e-6", "1e-6"),
    "reference_gbsg_rotterdam.json": ("external/test_reference_weighting.py, analysis/test_reference.py", "1e-5",
                                      "1e-8 weighting and matching, 1e-5 Cox; RobinCar2's hazard ratio where its uniroot stops"),
    "reference_maic.json": ("external/test_reference_weighting.py", "1e-5", "1e-5 weights and p values, else 1e-6"),
    "reference_mmrm_fev.json": ("mmrm/test_reference.py", "2e-4 relative", "2e-4 of the larger of value and standard error"),
    "reference_mmrm_fev_tight.json": ("mmrm/test_reference.py", "1e-6", "1e-6"),
    "reference_rbmi_antidepressant.json": ("missing/test_reference.py", "1e-4", "1e-4"),
    "reference_power_planning.json": ("planning/test_references.py", "1e-6", "1e-9"),
    "reference_rpact.json": ("planning/test_references.py", "1e-6", "1e-6"),
    "reference_map_powerprior.json": ("external/test_reference_borrowing.py", "1e-3 (grid)",
                                      "1e-3; quantiles of tau and beta one step of the reference's grid; ELIR 1 %"),
    "published_cases.json": ("planning/test_references.py", "sanity only", "as rounded there"),
}  # fmt: skip
#: of scores, fair use, the generator's privacy and the simulator
OTHERS = {
    "reference_type1_small_sample.json",
    "reference_pbcseq_twin_baselines.json",
    "reference_fairness_actg175.json",
    "reference_privacy_fidelity.json",
}


@pytest.mark.shared
def test_every_file_is_held(shared_data):
    there = {path.name for path in (shared_data / "trials").glob("*.json")}
    assert there == set(HELD) | OTHERS


@pytest.mark.parametrize("name", HELD)
def test_the_test_reads_it(name):
    for test in HELD[name][0].split(", "):
        text = (HERE / test).read_text()
        assert name.removesuffix(".json").removesuffix("_tight") in text
