"""The trial against its target: closed forms, and the R code of the index written as a double loop."""

import math

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from medtwin.errors import AnalysisError, FormatError
from medtwin.trials.fair.groups import Group, find_groups
from medtwin.trials.fair.margins import margins_of, read_margins
from medtwin.trials.fair.overlap import against_margins, against_table, generalisability, overlap
from medtwin.trials.fair.representativeness import Margin, psi_of_shares, stability_index, standardised_difference


def everybody(size):
    return (Group("all", "all", np.ones(size, dtype=bool)),)


def test_stability_index():
    assert psi_of_shares(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(
        -0.25 * math.log(0.5) + 0.25 * math.log(1.5)
    )
    values = np.random.default_rng(1).normal(size=500)
    assert stability_index(values, values) == 0.0
    assert stability_index(np.repeat([0.0, 1.0], [50, 50]), np.repeat([0.0, 1.0], [25, 75])) == pytest.approx(
        -0.25 * math.log(0.5) + 0.25 * math.log(1.5)
    )
    # of classes that the target fills by a tenth each, only the ends move when everything shifts far
    assert stability_index(values + 100.0, values) > 5.0


def test_smd_holds_its_level():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(1000):
        made = standardised_difference(rng.normal(0.3, 1.0, 60), rng.normal(0.0, 1.0, 90))
        inside += made.low <= 0.3 <= made.high
    assert 0.93 < inside / 1000 < 0.97


def test_index_by_numerical_integration():
    rng = np.random.default_rng(3)
    a, b = rng.beta(3.0, 4.0, 60), rng.beta(4.0, 3.0, 90)

    def density(x, data):
        width = (4.0 * data.std(ddof=1) ** 5 / (3.0 * len(data))) ** 0.2
        return stats.norm.pdf((x - data) / width).mean() / width

    theirs = integrate.quad(lambda x: math.sqrt(density(x, a) * density(x, b)), -1.0, 2.0, limit=200)[0]
    assert generalisability(a, b) == pytest.approx(theirs, abs=2e-4)
    assert generalisability(a, a) == pytest.approx(1.0, abs=1e-9)
    # of two normal densities d apart the areas share 2 Phi(-d/2)
    assert overlap(rng.normal(size=20_000), rng.normal(1.0, 1.0, 20_000)) == pytest.approx(
        2.0 * stats.norm.cdf(-0.5), abs=0.01
    )
    # of two normal densities one standard deviation apart: exp(-1/8)
    assert generalisability(rng.normal(size=20_000), rng.normal(1.0, 1.0, 20_000)) == pytest.approx(
        math.exp(-0.125), abs=0.01
    )


def test_against_a_table():
    rng = np.random.default_rng(4)
    trial = pl.DataFrame({"age": rng.normal(50, 8, 300), "sex": rng.choice(["F", "M"], 300, p=[0.2, 0.8]).tolist()})
    target = pl.DataFrame({"age": rng.normal(56, 10, 900), "sex": rng.choice(["F", "M"], 900).tolist()})
    groups = find_groups(trial, ["sex"])
    made = against_table(trial, target, ["age", "sex"], groups)
    rows = {row.name: row for row in made.rows}
    assert rows["age"].ks == pytest.approx(stats.ks_2samp(trial["age"], target["age"]).statistic)
    assert rows["sex=F"].psi == rows["sex=M"].psi
    assert rows["sex=F"].smd.value == pytest.approx(-rows["sex=M"].smd.value)
    assert 0.7 < made.generalisability < 0.99
    women, men = (next(s for s in made.strata if s.level == level) for level in ("F", "M"))
    assert women.patients + men.patients == 300
    assert all(s.effective < s.patients for s in (women, men))


def test_like_the_target():
    rng = np.random.default_rng(5)
    whole = pl.DataFrame({"age": rng.normal(50, 8, 4000)})
    made = against_table(whole[:2000], whole[2000:], ["age"], everybody(2000))
    assert made.generalisability > 0.98
    assert made.target_within_reach > 0.99
    assert made.strata[0].effective == pytest.approx(2000, rel=0.02)


def test_without_overlap_the_words_say_so():
    trial = pl.DataFrame({"age": np.linspace(20, 40, 50)})
    made = against_table(trial, pl.DataFrame({"age": np.linspace(60, 80, 50)}), ["age"], everybody(50))
    assert made.generalisability is None
    assert any("no overlap" in note for note in made.notes)


def test_effective_number_of_a_share_margin():
    """n0 and n1 patients to be weighted to shares q0 and q1: 1 / (q0^2/n0 + q1^2/n1) patients."""
    trial = pl.DataFrame({"sex": ["F"] * 20 + ["M"] * 80})
    margins = margins_of({"sex": {"shares": {"F": 0.5, "M": 0.5}}})
    made = against_margins(trial, margins, find_groups(trial, ["sex"]))
    found = {(s.column, s.level): s.effective for s in made.strata}
    assert found["all", "all"] == pytest.approx(1.0 / (0.25 / 20 + 0.25 / 80), rel=1e-6)
    assert found["sex", "F"] == pytest.approx(20.0)
    rows = {row.name: row for row in made.rows}
    assert (rows["sex=F"].trial, rows["sex=F"].target) == (0.2, 0.5)
    assert rows["sex=F"].psi == pytest.approx(psi_of_shares(np.array([0.2, 0.8]), np.array([0.5, 0.5])))


def test_mean_margin_and_one_out_of_reach():
    trial = pl.DataFrame({"age": np.linspace(30.0, 60.0, 100)})
    made = against_margins(trial, {"age": Margin(mean=50.0, sd=9.0)}, everybody(100))
    assert made.rows[0].smd.value == pytest.approx((45.0 - 50.0) / math.sqrt((trial["age"].var() + 81.0) / 2.0))
    assert made.strata[0].effective < 100.0
    beyond = against_margins(trial, {"age": Margin(mean=70.0, sd=9.0)}, everybody(100))
    assert not beyond.strata
    assert any(note.startswith("no weights reach") for note in beyond.notes)


def test_small_cells_do_not_show():
    trial = pl.DataFrame({"race": ["a"] * 60 + ["b"] * 40 + ["c"] * 2})
    target = pl.DataFrame({"race": ["a", "b", "c"] * 50})
    made = against_table(trial, target, ["race"], find_groups(trial, ["race"]))
    assert [row.name for row in made.rows] == ["race=a"]  # with c alone hidden, it could be worked out
    assert [s.patients for s in made.strata] == [102, 60, None, None]


def test_margins_file(tmp_path):
    path = tmp_path / "margins.yaml"
    path.write_text("age: {mean: 38, sd: 9}\nsex: {shares: {0: 0.4, 1: 0.6}}\n")
    held = read_margins(path)
    assert held["sex"].shares == {"0": 0.4, "1": 0.6}
    for bad in (
        "age: 3\n",
        "age: {mean: 3}\n",
        "age: {mean: x, sd: 1}\n",
        "sex: {shares: {F: 0.4}}\n",
        "{}\n",
    ):
        path.write_text(bad)
        with pytest.raises(FormatError):
            read_margins(path)
    for bad in ("[1]\n", "a: [\n", "age: {mean: 1, sd: 1}\nage: {mean: 2, sd: 1}\n"):
        path.write_text(bad)
        with pytest.raises(AnalysisError):
            read_margins(path)


def test_missing_covariates_are_counted():
    trial = pl.DataFrame({"age": [30.0, None, 50.0, 60.0] * 20})
    made = against_table(trial, pl.DataFrame({"age": np.linspace(25, 65, 100)}), ["age"], everybody(80))
    assert made.trial_patients == 60
    assert any("20 patients left out" in note for note in made.notes)
    with pytest.raises(AnalysisError, match="no column"):
        against_table(trial, pl.DataFrame({"x": [1.0]}), ["age"], everybody(80))
