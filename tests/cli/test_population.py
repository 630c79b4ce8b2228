"""medtwin population."""

import pytest


def test_type_1(run, tmp_path):
    said = run.json(
        "population", "t1d", "-n", 6, "--days", 1, "--controller", "predictive", "--compare", "open-loop", "--seed", 2,
        "--sensor", "g6-compression", "--out", tmp_path / "c.parquet",
    )  # fmt: skip
    assert said["synthetic"] is True
    assert said["people"] == 6
    assert (said["controller"], said["sensor"]) == ("predictive", "g6-compression")
    assert said["against"]["controller"] == "open-loop"
    assert said["differences"]["in_range"]["unit"] == "%"
    assert (tmp_path / "c.parquet").exists()


@pytest.mark.slow
def test_without_diabetes(run):
    shown = run("population", "healthy", "-n", 5, "--days", 1)
    assert shown.stdout.startswith("SYNTHETIC DATA: 5 virtual people (no diabetes")
    assert "in range, 70-180 mg/dL" in shown.stdout


@pytest.mark.parametrize(
    "more, code",
    [
        (["t4d"], 2),
        (["t1d", "--controller", "clever"], 1),
        (["t1d", "--out", "a.txt"], 2),
        (["t1d", "-n", 1, "--compare", "pid"], 2),
        (["t1d", "--measure", "tears"], 2),
        (["t1d", "--sensor", "nose"], 1),
        (["healthy", "-n", 2, "--controller", "pid"], 1),
        (["t1d", "-n", 2, "--exercise"], 1),
    ],
)
def test_wrong(run, more, code):
    run("population", *more, code=code)
