"""medtwin what-if --drug."""

import json
from datetime import UTC, datetime, timedelta

import pytest

CARVEDILOL = ("--drug", "carvedilol:25mg:bid")


def refused(run, *arguments, code=1):
    return " ".join(run("what-if", *arguments, code=code).stderr.split())


def stated(run, **readings):
    recently = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    for quantity, value in readings.items():
        run("state", "mia", quantity, value, "--at", recently)


def test_questions_that_are_not_answered_teach(run):
    severe = ("--set", "hfref-severe")
    assert "was carvedilol meant" in refused(run, *severe, "--drug", "carvediol:25mg:bid")
    assert "walls of the heart" in refused(run, *severe, "--drug", "crt")
    assert "what was studied" in refused(run, *severe, "--drug", "carvedilol:500mg:bid")
    assert "angioedema" in refused(
        run, *severe, "--drug", "enalapril:10mg:bid", "--drug", "sacubitril/valsartan:200mg:bid"
    )
    assert "atrial fibrillation" in refused(run, *severe, *CARVEDILOL, "--condition", "atrial-fibrillation")
    assert "hfref-moderate" in refused(run, "--set", "aortic_stenosis", *CARVEDILOL)
    assert "NAME=POINTS" in refused(run, *severe, *CARVEDILOL, "--utility", "wedge")
    assert "of hypotension, bradycardia" in refused(run, *severe, *CARVEDILOL, "--utility", "wedge=1")


def test_wrong_uses_of_the_command(run):
    refused(run, *CARVEDILOL, code=2)  # whose
    refused(run, "mia", "--set", "hfref-severe", *CARVEDILOL, code=2)
    refused(run, "--table", "people.csv", *CARVEDILOL, code=2)
    refused(run, "mia", "--carbs", "40", *CARVEDILOL, code=2)
    refused(run, "--set", "hfref-severe", code=2)  # no drug
    refused(run, code=2)


def test_a_record_that_does_not_suffice_and_one_with_atrial_fibrillation(run):
    stated(run, systolic_pressure="112 mm[Hg]", diastolic_pressure="70 mm[Hg]", heart_rate="78 /min")
    assert "left_ventricular_ejection_fraction" in refused(run, "mia", *CARVEDILOL)
    run("state", "mia", "diagnosis", "49436004", "--at", "2020")
    assert "atrial fibrillation in the record" in refused(run, "mia", *CARVEDILOL)


@pytest.mark.slow
def test_an_answer_for_a_record(run):
    stated(
        run, systolic_pressure="112 mm[Hg]", diastolic_pressure="70 mm[Hg]", heart_rate="78 /min", cardiac_output="4.2 L/min",
        left_ventricular_ejection_fraction="27 %", pulmonary_wedge_pressure="24 mm[Hg]", right_atrial_mean_pressure="9 mm[Hg]",
        potassium="5.3 mmol/L",
    )  # fmt: skip
    plans = ("--drug", "spironolactone:25mg:qd", "--option", "furosemide:80mg:qd+carvedilol:25mg:bid")
    line = ("what-if", "mia", *plans, "--weeks", "8")
    said = json.loads(run(*line, "--utility", "pulmonary_wedge_pressure=-1", "--json").stdout)
    assert said["schema"] == "medtwin/what-if-drugs/1"
    assert said["readings"]["left_ventricular_ejection_fraction"] == 27.0
    assert said["now"]["pulmonary_wedge_pressure"][1] == pytest.approx(24.0, abs=3.0)
    both = next(one for one in said["options"] if one["words"] == "carvedilol 50 mg/d + furosemide 80 mg/d")
    assert both["change"]["pulmonary_wedge_pressure"][-1][1] < -1.0
    order = [(one["ranked_behind"], -one["expected_utility"]) for one in said["options"]]
    assert order == sorted(order)
    for one in said["options"]:
        behind = one["chance_hypotension"] > 0.2 and bool(one["drugs"])
        assert one["ranked_behind"] == behind == any(w["kind"] == "rank" for w in one["warnings"])
    assert sum(one["chance_best"] for one in said["options"]) == pytest.approx(1.0)
    warned = next(one for one in said["options"] if "spironolactone" in one["words"])["warnings"]
    assert any("potassium 5.3" in one["sentence"] for one in warned)
    shown = (told := run(*line)).stdout
    assert "In order of expected utility" in shown
    assert "pulmonary wedge" in shown
    assert "measured" in shown
    assert "potassium 5.3 of " in " ".join(told.stderr.split())
