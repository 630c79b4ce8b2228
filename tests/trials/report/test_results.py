"""JSON, ARS and ARD: strict, complete, and shaped as CDISC's own schema says."""

import io
import json as standard
import math
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.trials.report import ard, ars, json
from medtwin.trials.report.plain import plain
from trials.report.example import example, hostile
from trials.report.schema import dangling, faults


def strict(text):
    """Parsed with everything refused that JSON does not have, and with names that stand twice."""

    def once(pairs):
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    def refuse(word):
        raise AssertionError(word)

    return standard.loads(text, parse_constant=refuse, object_pairs_hook=once)


def estimates():
    return [(r, e) for r in example().results if r.analysis for e in r.analysis.estimates]


def test_json_is_strict_and_whole():
    made = strict(json.json(example()))
    assert (made["dialect"], made["version"], made["label"]) == ("medtwin-trial-report", 1, "SYNTHETIC DATA")
    assert made["hashes"] == dict(example().hashes)
    assert made["plan"] == dict(example().plan)
    assert made["score"]["partial_r2"] == 0.12
    assert made["deviations"][0]["of"] == "data"
    held = {(r["name"], e["name"]): e for r in made["results"] if r["analysis"] for e in r["analysis"]["estimates"]}
    assert len(held) == len(estimates())
    for result, one in estimates():
        found = held[result.name, one.name]
        assert found["value"] == one.value
        assert found["standard_error"] == one.standard_error
        assert found["p_value"] == one.p_value
        assert (found["reported"]["value"], found["reported"]["low"], found["reported"]["high"]) == one.reported
        assert found["df"] == (None if math.isinf(one.df) else one.df)
    relapse = next(r for r in made["results"] if r["name"] == "time to relapse")
    curve = next(r for r in example().results if r.name == "time to relapse").curves["drug"]
    assert relapse["curves"]["drug"]["survival"] == curve.survival.tolist()
    assert next(r for r in made["results"] if r["failure"])["name"] == "log-rank in women"
    assert json.json(example()) == json.json(example())


def test_plain_values():
    import numpy as np

    given = {"a": float("nan"), 1: np.float64(2.0), "b": np.array([1.0, np.inf]), "c": {3, 1}, "d\x00": 1, "d\x01": 2}
    assert plain(given) == {"a": None, "1": 2.0, "b": [1.0, None], "c": [1, 3], "d\ufffd": 1, "d\ufffd'": 2}
    assert plain(np.bool_(True)) is True


def test_ars_is_valid_by_cdiscs_schema():
    event = strict(ars.ars(example()))
    assert faults(event) == []
    assert dangling(event) == set()
    assert ars.ars(example()) == ars.ars(example())


def test_the_check_itself_finds_faults():
    event = strict(ars.ars(example()))
    broken = standard.loads(standard.dumps(event))
    broken["analyses"][0]["purpose"] = {"controlledTerm": "MAIN"}
    broken["analyses"][1]["methodId"] = "Mth_99"
    del broken["analyses"][2]["reason"]
    broken["methods"][0]["colour"] = "red"
    broken["analyses"][0]["version"] = "1"
    assert len(faults(broken)) == 4
    assert dangling(broken) == {"Mth_99"}


def test_ars_holds_every_estimate():
    event = ars.reporting_event(example())
    analyses = {one["name"]: one for one in event["analyses"]}
    operations = {one["id"]: one["name"] for method in event["methods"] for one in method["operations"]}
    for result, one in estimates():
        found = {
            outcome["operationId"].split("_", 2)[2]: outcome for outcome in analyses[result.name]["results"]
            if outcome.get("resultGroups") == [{"groupingId": "Grp_Contrast", "groupValue": one.name}]
        }  # fmt: skip
        assert float(found["estimate_Contrast"]["rawValue"]) == one.reported[0]
        assert float(found["conf.low_Contrast"]["rawValue"]) == one.reported[1]
        assert float(found["p.value_Contrast"]["rawValue"]) == one.p_value
        assert all(outcome["operationId"] in operations for outcome in found.values())
        normal = found["df_Contrast"]
        assert ("rawValue" not in normal and normal["formattedValue"] == "normal") == math.isinf(one.df)
    failed = analyses["log-rank in women"]
    assert "results" not in failed
    assert failed["description"].startswith("Failed: found no event")
    assert failed["purpose"] == {"sponsorTermId": "Purpose_Subgroup"}
    assert analyses["primary"]["purpose"] == {"controlledTerm": "PRIMARY OUTCOME MEASURE"}
    groups = event["analysisGroupings"][0]["groups"]
    assert [one["name"] for one in groups] == ["placebo", "drug", "register"]
    assert groups[1]["condition"] == {"variable": "arm", "comparator": "EQ", "value": ["drug"]}


def test_the_reason_tells_of_the_lock():
    made = example()
    assert ars.reporting_event(made)["analyses"][0]["reason"] == {"sponsorTermId": "Reason_Deviates"}
    kept, open_ = replace(made, deviations=()), replace(made, locked_at="")
    assert ars.reporting_event(kept)["analyses"][0]["reason"] == {"controlledTerm": "SPECIFIED IN SAP"}
    assert ars.reporting_event(open_)["analyses"][0]["reason"] == {"sponsorTermId": "Reason_NotLocked"}


def test_ard_has_one_row_for_each_statistic():
    made = ard.table(example())
    key = ["analysis", "group1", "group1_level", "group2", "group2_level", "context", "stat_name"]
    assert made.select(pl.struct(key).is_duplicated().any()).item() is False
    for result, one in estimates():
        rows = made.filter(
            pl.col("analysis").eq(result.name), pl.col("group1_level").eq(one.name), pl.col("group2").is_null(),
            pl.col("group1").eq("contrast"),
        )  # fmt: skip
        held = dict(rows.select("stat_name", "stat").rows())
        assert (held["estimate"], held["conf.low"], held["conf.high"]) == one.reported
        assert (held["std.error"], held["p.value"]) == (one.standard_error, one.p_value)
        assert ("log.estimate" in held) == (one.scale == "log")
    failed = made.filter(pl.col("error").is_not_null())
    assert failed.select("analysis", "stat").rows() == [("log-rank in women", None)]
    counts = made.filter(pl.col("analysis").eq("primary"), pl.col("stat_name").eq("N"))
    assert dict(counts.select("group1_level", "stat").rows()) == example().results[0].analysis.patients


def test_a_long_curve_is_whole_in_the_ard_and_sampled_in_ars():
    import numpy as np

    from medtwin.trials.analysis.kaplan import kaplan_meier

    rng = np.random.default_rng(4)
    time, event = rng.exponential(10.0, 900), rng.random(900) < 0.6
    curve = kaplan_meier(time, event)
    made = replace(example(), results=tuple(replace(r, curves={"a": curve}) for r in example().results if r.curves))
    rows = ard.table(made).filter(pl.col("stat_name").eq("n.risk"))
    assert rows["stat"].to_list() == [(time >= moment).sum() for moment in curve.times]
    sampled = [one for one in ars.reporting_event(made)["analyses"][0]["results"] if "survival" in one["operationId"]]
    assert len(sampled) == ars.MOST_TIMES
    assert [float(sampled[at]["rawValue"]) for at in (0, -1)] == [curve.survival[0], curve.survival[-1]]


def test_ard_files_agree():
    frame = pl.read_parquet(io.BytesIO(ard.parquet(example())))
    assert frame.equals(ard.table(example()))
    again = pl.read_csv(io.BytesIO(ard.csv(example())), schema_overrides=ard.SCHEMA)
    assert again["stat"].to_list() == frame["stat"].to_list()
    assert again.columns == frame.columns
    assert ard.csv(example()) == ard.csv(example())
    assert ard.parquet(example()) == ard.parquet(example())


@pytest.mark.parametrize(
    "words",
    [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "@SUM(1)",
        "-x",
        "\t=1",
        "-2+3+cmd|' /C calc'!A0",
        "-1-1",
        " -2+A1",
        "-1.5 to 2",
        "\r1",
        "\tx",
        "-",
        "--1",
        "-1\n=A1",
        "+1e",
        "-1.2.3",
    ],
)
def test_a_spreadsheet_runs_nothing(words):
    text = pl.read_csv(io.BytesIO(ard.csv(hostile(words))), infer_schema=False)
    for column in text.columns:
        risky = [
            one
            for one in text[column].drop_nulls()
            if one.lstrip()[:1] in ("=", "+", "-", "@") or one[:1] in ("\t", "\r")
        ]
        assert all(math.isfinite(float(one)) for one in risky), column
    assert "'" + words in text["analysis"].to_list()


@pytest.mark.parametrize("words", ["-2", "+1.5", "-.5", "-1e-9", "-3."])
def test_a_number_stays_one(words):
    assert words in pl.read_csv(io.BytesIO(ard.csv(hostile(words))), infer_schema=False)["analysis"].to_list()


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=40))
def test_any_name_is_held(words):
    made = hostile(words)
    whole = strict(json.json(made))
    assert whole["title"] == plain(words)
    assert faults(strict(ars.ars(made))) == []
    assert dangling(strict(ars.ars(made))) == set()
    ard.parquet(made)


def test_nothing_at_all():
    empty = replace(example(), results=(), hashes={}, patients={}, historical={}, notes=(), plan={}, deviations=())
    assert strict(json.json(empty))["results"] == []
    assert faults(strict(ars.ars(empty))) == []
    assert ard.table(empty).height == 0
