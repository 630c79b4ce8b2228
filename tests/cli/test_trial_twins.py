"""trial twins: joint draws from a table of visits, for its own patients or for others."""

import numpy as np
import polars as pl
import pytest

from cli.conftest import Run


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "home")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """120 patients whose two outcomes fall together: a level of each, a slope by sex."""
    folder = tmp_path_factory.mktemp("twins")
    rng = np.random.default_rng(8)
    size, when = 120, np.array([0.0, 1.0, 2.0, 4.0])
    level, sex = rng.normal(0, 1, size), rng.choice(["F", "M"], size)
    drop = 0.3 + 0.4 * (sex == "M")
    rows = {
        "id": np.repeat([f"p{k}" for k in range(size)], 4), "year": np.tile(when, size), "sex": np.repeat(sex, 4),
        "a": (10 + level[:, None] - drop[:, None] * when + rng.normal(0, 0.3, (size, 4))).ravel(),
        "b": np.exp(1 + 0.3 * level[:, None] + rng.normal(0, 0.1, (size, 4))).ravel(),
    }  # fmt: skip
    table = pl.DataFrame(rows)
    table.write_csv(folder / "visits.csv")
    table.filter((pl.col("year") == 0) & (pl.int_range(pl.len()) < 40)).write_csv(folder / "new.csv")
    return folder


COMMON = ["--subject", "id", "--time", "year", "--outcome", "a:identity:g", "--outcome", "b:log:mg", "--covariates", "sex",
          "--at", "1,4", "--draws", 60]  # fmt: skip


def test_draws_of_the_historical_patients(run, files, tmp_path):
    said = run.json("trial", "twins", files / "visits.csv", *COMMON, "--out", tmp_path / "d.parquet")
    assert said["synthetic"] is True
    assert len(said["forecasts"]) == 120 * 2 * 2
    drawn = pl.read_parquet(tmp_path / "d.parquet")
    assert drawn["synthetic"].all()
    assert drawn.height == 120 * 2 * 2 * 60
    table = pl.read_csv(files / "visits.csv")
    truth = table.filter(pl.col("year") == 4).group_by("sex").agg(pl.col("a").mean()).sort("sex")["a"].to_list()
    mean = {row["patient"]: row["mean"] for row in said["forecasts"] if row["outcome"] == "a" and row["time"] == 4}
    sexes = dict(table.select("id", "sex").unique().iter_rows())
    for sex, real in zip("FM", truth, strict=True):
        assert np.mean([value for who, value in mean.items() if sexes[who] == sex]) == pytest.approx(real, abs=0.15)
    inside = [row["low"] < row["mean"] < row["high"] for row in said["forecasts"]]
    assert all(inside)


def test_other_patients_and_the_same_seed(run, files):
    first = run.json("trial", "twins", files / "visits.csv", *COMMON, "--for", files / "new.csv")
    again = run.json("trial", "twins", files / "visits.csv", *COMMON, "--for", files / "new.csv")
    assert first == again
    assert {row["patient"] for row in first["forecasts"]} < {f"p{k}" for k in range(120)}
    assert "SYNTHETIC" in run("trial", "twins", files / "visits.csv", *COMMON, "--for", files / "new.csv").stdout


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (["--outcome", "c"], "no column 'c'"), (["--outcome", "a:cube"], "transform 'cube'"),
        (["--covariates", "z"], "no column"),
        (["--at", "one"], "numbers with commas"),
    ],
)  # fmt: skip
def test_what_cannot_be(run, files, more, found):
    code = 2 if more[0] == "--at" else 1
    assert found in run("trial", "twins", files / "visits.csv", *COMMON, *more, code=code).stderr
