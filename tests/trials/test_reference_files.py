"""Every reference file of the data folder is read by a test that is named here; how closely it is held stands in that test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: file: where it is read; a module of the source is read by the test after it
READ_BY = {
    "reference_actg175.json": ("tests/trials/analysis/test_reference.py", "tests/trials/score/test_reference.py"),
    "reference_epil_count.json": ("tests/trials/analysis/test_reference.py",),
    "reference_gbsg_rotterdam.json": ("tests/trials/external/test_reference_weighting.py",
                                      "tests/trials/analysis/test_reference.py"),
    "reference_maic.json": ("tests/trials/external/test_reference_weighting.py",),
    "reference_mmrm_fev.json": ("tests/trials/mmrm/test_reference.py",),
    "reference_mmrm_fev_tight.json": ("tests/trials/mmrm/test_reference.py",),
    "reference_rbmi_antidepressant.json": ("tests/trials/missing/test_reference.py",),
    "reference_power_planning.json": ("tests/trials/planning/test_references.py",),
    "reference_rpact.json": ("tests/trials/planning/test_references.py",),
    "reference_map_powerprior.json": ("tests/trials/external/test_reference_borrowing.py",),
    "published_cases.json": ("tests/trials/planning/test_references.py",),
    "reference_type1_small_sample.json": ("tests/trials/simulate/test_continuous.py", "tests/trials/analysis/test_batch.py"),
    "reference_pbcseq_twin_baselines.json": ("src/medtwin/trials/prognostic/demonstration/data.py",),
    "reference_fairness_actg175.json": ("tests/trials/fair/test_reference.py",),
    "reference_privacy_fidelity.json": ("tests/statistics/test_likeness.py",),
}  # fmt: skip
#: of modules of the source
TESTS = {"src/medtwin/trials/prognostic/demonstration/data.py": "tests/trials/prognostic/test_demonstration.py"}


@pytest.mark.shared
def test_every_file_is_read(shared_data):
    assert {path.name for path in (shared_data / "trials").glob("*.json")} == set(READ_BY)


def opened(module):
    """Names in quotes that are given to a call or joined to a folder: not those of comments and docstrings."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        within = [node.right] if isinstance(node, ast.BinOp) else node.args if isinstance(node, ast.Call) else []
        for one in within:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                found.add(one.value)
            elif isinstance(one, ast.JoinedStr):  # f"reference_mmrm_fev{which}.json", which: "_tight" or ""
                parts = [part.value if isinstance(part, ast.Constant) else "*" for part in one.values]
                found |= {"".join(parts).replace("*", which) for which in ("_tight", "")}
    return found


@pytest.mark.parametrize("name", READ_BY)
def test_the_test_reads_it(name):
    for module in READ_BY[name]:
        assert name in opened(module)
        if module in TESTS:
            imported = ".".join(Path(module).with_suffix("").parts[1:])
            assert f"from {imported} import" in (ROOT / TESTS[module]).read_text(encoding="utf-8")
