"""The verb: flags under truth and falsehood, invariances, bad input, other kinds of outcome."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.fair import Margin, fair_use
from medtwin.trials.fair.inputs import as_frame
from trials.fair import simulated

BINARY = {"outcome": "y", "prediction": "p", "groups": ["group"], "draws": 0, "decision_thresholds": ()}


def kinds(made, kind):
    return [(flag.level, flag.name) for flag in made.flags if flag.kind == kind]


def test_where_nobody_is_wronged_flags_come_at_their_rate():
    """120 trials with three groups and seven figures: differences, faults of everybody, faults of groups, each 5 % at most."""
    rng = np.random.default_rng(1)
    repeats = 120
    any_of = dict.fromkeys(("difference", "everybody", "groups"), 0)
    single = 0
    for _ in range(repeats):
        made = fair_use(simulated.binary(rng, 300), **BINARY, thresholds=(0.4,))
        any_of["difference"] += bool(kinds(made, "difference"))
        faults = {level for level, _ in kinds(made, "fault")}
        any_of["everybody"] += "all" in faults
        any_of["groups"] += bool(faults - {"all"})
        single += sum(test.p_value <= 0.05 for test in made.heterogeneity) / len(made.heterogeneity)
    for name, count in any_of.items():
        assert count / repeats < 0.05 + 3.0 * 0.02, name
    assert single / repeats == pytest.approx(0.05, abs=0.03)  # one test of heterogeneity, unadjusted


def test_a_planted_unfairness_is_flagged():
    made = fair_use(simulated.binary(np.random.default_rng(2), 1500, shift=0.8), **BINARY)
    assert ("b", "calibration in the large") in kinds(made, "difference")
    assert ("b", "calibration in the large") in kinds(made, "fault")
    assert not any(level in ("a", "c") for level, _ in kinds(made, "fault"))
    assert any("calibration in the large of group b" in flag.words for flag in made.flags)
    made = fair_use(simulated.binary(np.random.default_rng(3), 1500, flatten=0.45), **BINARY)
    assert ("b", "calibration slope") in kinds(made, "difference")
    assert made.group("group", "b")["calibration slope"].high < 0.8


def test_power_that_is_bought_from_one_group():
    data = simulated.continuous(np.random.default_rng(4), 600, useless=True)
    made = fair_use(data, **BINARY, baseline=["y0"], treatment="arm")
    assert ("b", "partial correlation beyond baseline") in kinds(made, "benefit")
    assert any(name == "partial correlation beyond baseline" for _, name in kinds(made, "difference"))
    good, poor = (made.group("group", level)["controls saved beyond baseline"] for level in "ab")
    assert good.low > poor.high
    small = {name: values[:70] for name, values in data.items()}  # too few of b to say that it would have shown
    weak = {**small, "p": 0.3 * np.array(small["p"]) + np.random.default_rng(1).normal(size=70)}
    assert not kinds(fair_use(weak, **BINARY, baseline=["y0"], treatment="arm"), "benefit")
    fair = fair_use(simulated.continuous(np.random.default_rng(4), 600), **BINARY, baseline=["y0"], treatment="arm")
    assert not kinds(fair, "benefit")
    assert not kinds(fair, "difference")


def test_a_width_for_all_fails_the_noisy_group():
    data = simulated.continuous(np.random.default_rng(5), 1200, noisy=3.0)
    alone = fair_use(data, **BINARY)
    assert ("b", "coverage, one width for all") in kinds(alone, "fault")
    assert alone.group("group", "b")["coverage, one width for all"].high < 0.9
    assert alone.group("all", "all")["coverage, one width for all"].value == 0.9
    assert alone.group("group", "b").own_width > alone.group("group", "b").width
    made = fair_use(data, **BINARY, calibration="half")
    noisy, calm = made.group("group", "b"), made.group("group", "a")
    assert noisy["coverage, one width for all"].high < 0.9 < calm["coverage, one width for all"].low
    assert noisy["coverage, a width of its own"].low < 0.9 < noisy["coverage, a width of its own"].high
    assert noisy.own_width > noisy.width > calm.own_width
    assert ("b", "coverage, one width for all") in kinds(made, "fault")


def test_a_control_arm_is_what_a_prognosis_is_held_to():
    """An effect of treatment of 0.5 is no fault of the score."""
    data = simulated.continuous(np.random.default_rng(6), 2000)
    over_all = fair_use(data, **BINARY, treatment="arm")
    controls = fair_use(data, **BINARY, treatment="arm", control=0)
    assert over_all.group("all", "all")["calibration in the large"].low > 0.1
    found = controls.group("all", "all")["calibration in the large"]
    assert found.low < 0.0 < found.high
    assert over_all.group("all", "all")["correlation"] == controls.group("all", "all")["correlation"]
    assert any("no control arm" in note for note in over_all.notes)


def survival(rng, size=800):
    hazard = np.exp(rng.normal(-3.0, 0.7, size))
    time, censored = rng.exponential(1.0 / hazard), rng.uniform(5.0, 30.0, size)
    return {
        "time": np.minimum(time, censored), "event": (time <= censored).astype(int), "risk": 1.0 - np.exp(-10.0 * hazard),
        "group": rng.choice(["a", "b"], size).tolist(),
    }  # fmt: skip


def test_survival_holds_its_level():
    """Right risks, censored: both O:E hold 1 in 95 of 100, and so does the slope."""
    rng = np.random.default_rng(7)
    inside = dict.fromkeys(("O:E at the horizon", "O:E by time at risk", "calibration slope"), 0)
    for _ in range(120):
        made = fair_use(
            survival(rng, 300),
            outcome="time",
            event="event",
            horizon=10.0,
            prediction="risk",
            groups=["group"],
            draws=0,
        )
        for name in inside:
            number = made.group("all", "all")[name]
            inside[name] += number.low <= 1.0 <= number.high
    for name, count in inside.items():
        assert count / 120 > 0.95 - 3.5 * 0.02, name
    assert made.kind == "survival"
    assert any("censored" in note for note in made.notes)
    assert made.group("all", "all").events < 300


def test_survival_with_every_figure():
    data = survival(np.random.default_rng(15), 600)
    made = fair_use(
        data,
        outcome="time",
        event="event",
        horizon=10.0,
        prediction="risk",
        groups=["group"],
        draws=40,
        thresholds=(0.4,),
    )
    names = {number.name for number in made.group("group", "a").numbers}
    assert {"AUC at the horizon", "Brier score at the horizon", "calibration slope", "O:E by time at risk"} <= names
    assert {test.name for test in made.heterogeneity} == {
        "calibration slope",
        "O:E at the horizon",
        "AUC at the horizon",
    }
    assert [curve.level for curve in made.decision_curves] == ["all", "a", "b"]
    assert not made.disparities


def test_a_lone_group_is_not_compared():
    data = simulated.binary(np.random.default_rng(16), 200, groups=("a",))
    made = fair_use(data, **BINARY, thresholds=(0.4,))
    assert not made.comparisons
    assert "groups of group are not compared: fewer than two can be shown" in made.notes


def test_groups_that_are_too_small_have_reasons():
    data = simulated.binary(np.random.default_rng(8), 400)
    data["group"] = ["rare"] * 3 + ["few"] * 20 + [None] * 60 + data["group"][83:]
    made = fair_use(data, **BINARY)
    rare = made.group("group", "rare")
    assert (rare.patients, rare.numbers, rare.words) == (None, (), "fewer than 5 patients")
    assert made.group("group", "few").patients is None  # with it shown, the three could be worked out
    assert made.group("group", "unknown").patients == 60
    assert made.group("group", "unknown")["AUC"].value > 0.5
    reasons = {(w.level, w.name): w.reason for w in made.withheld}
    assert reasons[("few", "every figure of the score")] == "fewer than 30 patients"
    plain = json.dumps(made.to_builtins(), allow_nan=False)
    assert '"patients": 3,' not in plain
    assert '"patients": 20,' not in plain


def test_the_missing_are_counted_and_compared():
    data = simulated.binary(np.random.default_rng(9), 900)
    lost = (np.array(data["group"]) == "b") & (np.arange(900) % 2 == 0)
    data["y"] = np.where(lost, np.nan, data["y"])
    made = fair_use(data, **BINARY)
    assert made.left_out == lost.sum()
    assert made.patients + made.left_out == 900
    assert ("b", "without outcome or prediction") in kinds(made, "difference")
    assert f"{lost.sum()} patients without y" in made.notes[0]


def test_a_target_says_who_is_missing():
    rng = np.random.default_rng(10)
    data = simulated.continuous(rng, 400, groups=("a", "a", "a", "b"))
    target = {"group": rng.choice(["a", "b"], 500).tolist(), "y0": rng.normal(0.5, 1.0, 500)}
    made = fair_use(data, **BINARY, baseline=["y0"], target=target)
    said = [flag.words for flag in made.flags if flag.kind == "representation"]
    assert any(words.startswith("group=b is 0.2") for words in said)
    assert any(words.startswith("y0 is") for words in said)
    margins = {"group": Margin(shares={"a": 0.5, "b": 0.5}), "y0": Margin(mean=0.5, sd=1.0)}
    made = fair_use(data, **BINARY, target=margins)
    assert made.representativeness.generalisability is None
    assert {s.level for s in made.representativeness.strata} == {"all", "a", "b"}
    json.dumps(made.to_builtins(), allow_nan=False)


def essence(made, back=lambda level: level):
    """Everything that must not depend on the order of rows or the names of groups."""
    rows = {}
    for row in made.groups:
        rows[(row.column, back(row.level))] = (row.patients, row.events, row.width, row.own_width, row.numbers)
    tests = {(t.column, t.name): (t.statistic, t.p_value, t.p_holm) for t in made.heterogeneity}
    gaps = sorted(
        (d.number.name, d.number.value, d.number.low, d.number.high) for d in made.disparities if d.number.ideal is None
    )
    return rows, tests, gaps, sorted((f.kind, f.name, back(f.level)) for f in made.flags if "x" not in f.column)


def close(one, other):
    assert one[0].keys() == other[0].keys()
    for key, (*counts, numbers) in one[0].items():
        *theirs, their_numbers = other[0][key]
        assert counts == pytest.approx(theirs)
        assert [n.name for n in numbers] == [n.name for n in their_numbers]
        for a, b in zip(numbers, their_numbers, strict=True):
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-6, abs=1e-8)
    assert one[1].keys() == other[1].keys()
    for key, values in one[1].items():
        assert values == pytest.approx(other[1][key], rel=1e-5, abs=1e-8)
    for a, b in zip(one[2], other[2], strict=True):
        assert a[0] == b[0]
        assert a[1:] == pytest.approx(b[1:])
    assert one[3] == other[3]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**31), st.permutations(["a", "b", "c"]))
def test_rows_and_names_do_not_matter(seed, names):
    rng = np.random.default_rng(seed)
    data = pl.DataFrame(simulated.binary(rng, 240, shift=0.5))
    asked = {**BINARY, "draws": 20, "thresholds": (0.4,)}
    first = essence(fair_use(data, **asked))
    shuffled = data[rng.permutation(240).tolist()]
    close(essence(fair_use(shuffled, **asked)), first)
    renamed = data.with_columns(pl.col("group").replace_strict(dict(zip("abc", names, strict=True))))
    back = dict(zip(names, "abc", strict=True)) | {"all": "all"}
    close(essence(fair_use(renamed, **asked), lambda level: back[level]), first)


def test_any_tidy_table():
    data = simulated.continuous(np.random.default_rng(11), 300)
    first = fair_use(data, **BINARY).to_builtins()
    assert fair_use(pl.DataFrame(data), **BINARY).to_builtins() == first
    assert fair_use(pd.DataFrame(data), **BINARY).to_builtins() == first


def test_cells_of_several_kinds_are_refused_whatever_they_come_in():
    mixed = {"a": [1, 0, "1", 0]}
    for table, found in (
        (pd.DataFrame(mixed), "column a with cells of several kinds"),
        (mixed, "no table"),
        ([1, 2], "a list"),
    ):
        with pytest.raises(AnalysisError, match=found):
            as_frame(table)
    assert as_frame(pd.DataFrame({"a": [1.0, None]}))["a"].to_list() == [1.0, None]
    assert as_frame({"a": [1.0, float("nan")]})["a"].to_list() == [1.0, None]


@pytest.mark.parametrize(
    ("change", "asked", "found"),
    [
        ({}, {"outcome": "z"}, "no column"),
        ({}, {"groups": ["z"]}, "no column"),
        ({}, {"groups": []}, "columns"),
        ({}, {"prediction": "y"}, "its own prediction"),
        ({"p": [1.5]}, {}, "predictions from"),
        ({"y": ["x"]}, {}, "words"),
        ({"y": [float("nan")]}, {}, "no patient"),
        ({"id": [1]}, {"subject": "id"}, "a row already"),
        ({}, {"thresholds": (0.0,)}, "thresholds"),
        ({}, {"kind": "ordinal"}, "kind"),
        ({}, {"event": "y"}, "horizon"),
        ({"arm": ["a"]}, {"treatment": "arm", "control": "b"}, "control arm"),
        ({"set": [1]}, {"calibration": "set"}, "one of them only"),
        ({}, {"coverage": 1.0}, "coverage"),
        ({}, {"draws": 5}, "draws"),
        ({"y": [1.0], "p": [0.5, 0.5]}, {}, "one length"),
    ],
)
def test_bad_input(change, asked, found):
    data = simulated.binary(np.random.default_rng(12), 100)
    data |= {name: values * 100 for name, values in change.items()}
    with pytest.raises(AnalysisError, match=found):
        fair_use(data, **{**BINARY, **asked})


def test_certain_predictions_are_a_named_fall_back():
    data = simulated.binary(np.random.default_rng(13), 200)
    data["p"] = np.where(data["p"] > 0.9, 1.0, data["p"])
    made = fair_use(data, **BINARY)
    assert any("taken as 1e-06 away" in note for note in made.notes)
    constant = fair_use({**data, "p": [0.4] * 200}, **BINARY)
    reasons = {w.name: w.reason for w in constant.withheld if w.level == "all"}
    assert "same prediction" in reasons["calibration slope"]
    assert "same for everybody" in reasons["the score's benefit"]
    assert constant.group("all", "all")["calibration in the large"]
