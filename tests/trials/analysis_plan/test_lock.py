"""The lock: what was fixed, what is found, and every way in which the two can part."""

import datetime as dt
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.carry_out import carry_out
from medtwin.trials.analysis_plan.lock import changes, lock, read_lock, write_lock
from medtwin.trials.analysis_plan.plan import plain, plan_hash, plan_of, read_plan
from medtwin.trials.tables import ReadTable

PLAN = {
    "title": "t", "subject": "id", "arm": "arm", "control": 0, "dated": "on", "data_cut": dt.date(2024, 6, 30),
    "estimand": {
        "treatment": {"treated": ["1"], "control": "0"}, "population": {"description": "everybody"},
        "variable": {"name": "y", "kind": "continuous"}, "events": [], "summary": "difference in means",
    },
    "analyses": [{"name": "main", "role": "primary", "endpoint": "continuous", "outcome": "y", "covariates": ["x"],
                  "method": {"kind": "ancova", "variance": "HC2"}}],
}  # fmt: skip
TABLE = pl.DataFrame({
    "id": list(range(40)), "arm": [0, 1] * 20, "x": [float(k % 7) for k in range(40)],
    "y": [float(k % 7) + k % 2 + (k * 37 % 11) / 11 for k in range(40)], "on": [dt.date(2024, 1, 1)] * 40,
})  # fmt: skip


def changed(**what):
    return {**PLAN, **what}


def one(**what):
    return changed(analyses=[{**PLAN["analyses"][0], **what}])


def held(frame=TABLE, sha256="a" * 64):
    return ReadTable(frame=frame, sha256=sha256, source="t.csv")


def test_locked_and_analysed_as_locked(tmp_path):
    plan = plan_of(PLAN)
    made = lock(plan, version="0.1.0", data_sha256="a" * 64, data_rows=40)
    write_lock(made, tmp_path / "plan.lock.json")
    back, whole = read_lock(tmp_path / "plan.lock.json")
    assert whole
    assert back == made
    assert "Summary: difference in means" in back.estimand
    done = carry_out(plan, held(), locked=(back, whole))
    assert done.deviations == ()
    assert done.locked_at == made.locked_at
    assert done.hashes["lock"] == made.sha256


@pytest.mark.parametrize(
    ("plan", "of", "words"),
    [
        (one(covariates=[]), "plan", 'analyses.main.covariates was locked as ["x"] and is []'),
        (one(method={"kind": "ancova", "variance": "HC3"}), "plan", 'variance was locked as "HC2" and is "HC3"'),
        (one(outcome="x", covariates=[]), "plan", "outcome was locked as"),
        (one(name="other"), "plan", "analyses.main was locked as"),
        (changed(confidence=0.9), "plan", "confidence was locked as 0.95 and is 0.9"),
        (changed(estimand={**PLAN["estimand"], "population": {"description": "men"}}), "estimand", "everybody"),
    ],
)
def test_each_change_of_the_plan_is_told(plan, of, words):
    made = lock(plan_of(PLAN), version="0.1.0")
    done = carry_out(plan_of(plan), held(), locked=(made, True))
    assert [deviation.of for deviation in done.deviations][:1] == [of]
    assert words in " ".join(deviation.words for deviation in done.deviations)


def test_what_looks_the_same_and_is_not():
    """1 is true to Python, and analyses are found by their names: neither may hide a change."""
    made = lock(plan_of(changed(where={"x": 1})), version="0.1.0")
    done = carry_out(
        plan_of(changed(where={"x": True})), held(TABLE.with_columns(x=pl.lit(value=True))), locked=(made, True)
    )
    assert done.deviations
    two = [PLAN["analyses"][0], {**PLAN["analyses"][0], "name": "other", "role": "secondary"}]
    made = lock(plan_of(changed(analyses=two)), version="0.1.0")
    done = carry_out(plan_of(changed(analyses=two[::-1])), held(), locked=(made, True))
    assert ["their order" in deviation.words for deviation in done.deviations] == [True]


def test_rows_without_a_date_are_told():
    made = lock(plan_of(PLAN), version="0.1.0")
    undated = TABLE.with_columns(on=pl.when(pl.col("id") < 2).then(None).otherwise(pl.col("on")))
    done = carry_out(plan_of(PLAN), held(undated), locked=(made, True))
    assert "2 rows have no date" in done.deviations[0].words


def test_data_program_and_rows_after_the_cut():
    made = lock(plan_of(PLAN), version="0.0.9", data_sha256="b" * 64)
    late = TABLE.with_columns(on=pl.when(pl.col("id") < 3).then(pl.lit(dt.date(2024, 7, 1))).otherwise(pl.col("on")))
    done = carry_out(plan_of(PLAN), held(late), locked=(made, True))
    assert [deviation.of for deviation in done.deviations] == ["data", "data", "program"]
    assert "3 rows are dated after the data cut of 2024-06-30." in [deviation.words for deviation in done.deviations]
    unlocked = carry_out(plan_of(PLAN), held(late))
    assert any("3 rows are dated after the data cut" in note for note in unlocked.notes)


def test_spelled_out_defaults_and_comments_change_nothing(tmp_path):
    short, wordy = tmp_path / "a.yaml", tmp_path / "b.yaml"
    short.write_text(
        "dialect: medtwin-analysis-plan/1\ntitle: t\nsubject: id\narm: arm\ncontrol: 0\nanalyses:\n"
        "  - {name: m, role: primary, endpoint: continuous, outcome: y, method: ancova}\n"
    )
    wordy.write_text(
        "# a comment\nanalyses:\n  - {method: {variance: HC2, kind: ancova}, outcome: y, endpoint: continuous, role: primary, "
        "name: m}\ncontrol: 0\narm: arm\nsubject: id\ntitle: t\nconfidence: 0.95\ndialect: medtwin-analysis-plan/1\n"
    )
    assert plan_hash(read_plan(short)) == plan_hash(read_plan(wordy))


def test_an_amendment_keeps_what_was_said_before():
    first = lock(plan_of(PLAN), version="0.1.0")
    with pytest.raises(AnalysisError, match="a lock that is there already"):
        lock(plan_of(PLAN), version="0.1.0", earlier=first)
    with pytest.raises(AnalysisError, match="a reason without a lock"):
        lock(plan_of(PLAN), version="0.1.0", reason="because it must be")
    second = lock(plan_of(one(covariates=[])), version="0.1.0", earlier=first, reason="the score was withdrawn")
    third = lock(plan_of(PLAN), version="0.1.0", earlier=second, reason="the score came back")
    assert [one["sha256"] for one in third.before] == [first.sha256, second.sha256]
    assert third.before[1]["reason"] == "the score was withdrawn"
    assert third.sha256 not in (first.sha256, second.sha256)


def test_amendments_stand_on_the_first_page():
    from medtwin.trials.report.html import html

    first = lock(plan_of(PLAN), version="0.1.0", now=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(AnalysisError, match="a sentence that a reader"):
        lock(plan_of(PLAN), version="0.1.0", earlier=first, reason=".")
    second = lock(plan_of(one(covariates=[])), version="0.1.0", earlier=first, reason="the score was withdrawn")
    done = carry_out(plan_of(one(covariates=[])), held(), locked=(second, True))
    assert done.deviations == ()
    assert done.first_locked_at.startswith("2024-01-01")
    assert [amendment.reason for amendment in done.amendments] == ["the score was withdrawn"]
    assert done.amendments[0].changes == ('analyses.main.covariates was ["x"] and became [].',)
    page = html(done)
    assert "No deviation from the lock" not in page
    assert "The lock was amended once" in page
    assert "the score was withdrawn" in page


@pytest.mark.parametrize("path", [("plan", "title"), ("locked_at",), ("data_sha256",), ("version",)])
def test_a_lock_that_was_changed_by_hand_says_so(tmp_path, path):
    file = tmp_path / "plan.lock.json"
    write_lock(lock(plan_of(PLAN), version="0.1.0"), file)
    content = json.loads(file.read_text())
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = "changed"
    file.write_text(json.dumps(content))
    back, whole = read_lock(file)
    assert not whole
    done = carry_out(plan_of(PLAN), held(), locked=(back, whole))
    assert done.deviations[0].words.startswith("The lock file was changed after it was written")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"dialect": "medtwin-analysis-lock/1"}', b"\xff", b"{" * 5000]
)
def test_what_is_no_lock(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(AnalysisError, match="not a lock"):
        read_lock(tmp_path / "x.json")


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.text(max_size=4), x, max_size=3), max_leaves=8))  # fmt: skip
def test_nothing_changes_between_a_thing_and_itself(thing):
    assert changes(thing, json.loads(json.dumps(thing))) == []


def test_plain_values_survive_json():
    assert json.loads(json.dumps(plain(plan_of(PLAN)))) == plain(plan_of(PLAN))
