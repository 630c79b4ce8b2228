"""Refusals, warnings and the user's measure, without settling a beat; and one whole answer."""

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from medtwin.applications.heart_failure import limits
from medtwin.applications.heart_failure.people import of_readings, of_row, of_set
from medtwin.applications.heart_failure.warnings import chance_low, warnings
from medtwin.applications.heart_failure.what_if import UNBORNE, UTILITY, _points, _worse, answer, measure, moments
from medtwin.errors import AnalysisError
from medtwin.physiology.drugs.heart_failure.regimen import combination
from medtwin.record import Code, Record
from twin.people import NOW, committed, event


def followed(pressure=110.0, rate=70.0, people=20, mean=80.0, output=5.0):
    seen = {"systolic_pressure": np.full((2, people), pressure), "heart_rate": np.full((2, people), rate),
            "mean_arterial_pressure": np.full((2, people), mean), "cardiac_output": np.full((2, people), output),
            "pulmonary_wedge_pressure": np.full((2, people), 20.0)}  # fmt: skip
    change = {
        "pulmonary_wedge_pressure": np.full((2, people), -4.0),
        "left_ventricular_ejection_fraction": np.full((2, people), 2.0),
    }
    return SimpleNamespace(seen=seen, change=change, sound=np.ones((2, people), bool))


def who(pressure=110.0, **others):
    seen = {"systolic_pressure": pressure, "heart_rate": 70.0, "pulmonary_wedge_pressure": 15.0, "cardiac_output": 4.5}
    return SimpleNamespace(seen={name: np.full(20, value) for name, value in (seen | others).items()})


def said(plan, *, taking=(), seen=None, now=110.0, potassium=4.2, filtration=60.0, **others):
    seen = seen or followed()
    found = warnings(
        combination(plan), combination(taking), who(now, **others), seen, potassium=potassium, filtration=filtration
    )
    assert all(one.source for one in found)
    return [(one.kind, one.sentence) for one in found]


@pytest.mark.parametrize("word", limits.CONDITIONS)
def test_conditions_are_refused_by_name(word):
    with pytest.raises(AnalysisError, match=word.replace("-", " ")):
        limits.refuse_conditions([word])


def test_an_unknown_condition_is_not_passed_over():
    with pytest.raises(AnalysisError, match="expected one of atrial-fibrillation"):
        limits.refuse_conditions(["gout"])


def test_shock_and_a_preserved_ejection_fraction_are_refused():
    fine = {"systolic_pressure": 110.0, "cardiac_output": 4.5, "left_ventricular_ejection_fraction": 30.0}
    limits.refuse_state(fine)
    limits.refuse_state(fine | {"systolic_pressure": 85.0})  # low, yet with flow
    with pytest.raises(AnalysisError, match="shock"):
        limits.refuse_state(fine | {"systolic_pressure": 85.0, "cardiac_output": 2.5})
    with pytest.raises(AnalysisError, match="ejection fraction of 62 %"):
        limits.refuse_state(fine | {"left_ventricular_ejection_fraction": 62.0})


def test_an_infusion_is_not_asked_for_months():
    limits.refuse_time(combination(["milrinone:0.5ug/kg/min"]), 2.9)
    with pytest.raises(AnalysisError, match=r"--weeks 0\.42"):
        limits.refuse_time(combination(["milrinone:0.5ug/kg/min"]), 84.0)


def test_somebody_without_blood_pressure_is_refused():
    with pytest.raises(AnalysisError, match="no systolic_pressure"):
        of_readings("a row", {"left_ventricular_ejection_fraction": 30.0})
    with pytest.raises(AnalysisError, match="hfref-severe"):
        of_set("healthy")


def test_low_pressure_and_a_slow_heart_are_warned_of():
    assert said(["carvedilol:25mg:bid"]) == []
    kinds = [kind for kind, _ in said(["carvedilol:25mg:bid"], seen=followed(pressure=85.0, rate=45.0))]
    assert kinds == ["hypotension", "bradycardia"]
    (low, _) = said(["carvedilol:25mg:bid"], seen=followed(pressure=85.0, rate=45.0))
    assert low[1] == "systolic pressure below 90 mmHg at some time: chance 100%, now 0%"
    assert [kind for kind, _ in said(["sacubitril/valsartan:100mg:bid"], now=96.0)] == ["hypotension", "renal"]


def test_potassium_and_kidneys_are_warned_of():
    assert [k for k, _ in said(["spironolactone:25mg:qd"])] == []
    assert ("hyperkalaemia", "potassium 5.4 mmol/L, above 5.0, before an aldosterone antagonist") in said(
        ["spironolactone:25mg:qd"], potassium=5.4
    )
    unknown = said(["spironolactone:25mg:qd"], potassium=None, filtration=None)
    assert [kind for kind, _ in unknown] == ["hyperkalaemia", "renal"]
    assert all("not known" in sentence for _, sentence in unknown)
    assert [k for k, _ in said(["spironolactone:25mg:qd"], taking=["enalapril:10mg:bid"])] == ["hyperkalaemia"]
    assert [k for k, _ in said(["empagliflozin:10mg:qd"], filtration=25.0)] == ["renal"]
    assert [k for k, _ in said(["enalapril:10mg:bid"], taking=["losartan:50mg:qd"])] == ["renal"]


def test_the_rules_look_at_all_that_is_in_force_after_the_plan():
    """A drug that goes on counts; one that the plan ends or that the new one excludes does not."""
    kept = said(["carvedilol:25mg:bid"], taking=["spironolactone:25mg:qd"], potassium=5.8)
    assert ("hyperkalaemia", "potassium 5.8 mmol/L, above 5.0, beside an aldosterone antagonist") in kept
    assert said(["spironolactone:0mg:qd"], taking=["spironolactone:25mg:qd"], potassium=5.8) == []
    assert [k for k, _ in said(["enalapril:10mg:bid"], potassium=None)] == ["hyperkalaemia", "renal"]
    assert [k for k, _ in said(["empagliflozin:10mg:qd"], filtration=None)] == ["renal"]
    assert [k for k, _ in said(["digoxin:0.125mg:qd"], filtration=40.0)] == ["renal"]
    assert said(["digoxin:0.125mg:qd"], filtration=60.0) == []


def test_a_washout_and_what_a_failing_heart_does_not_bear_are_warned_of():
    for plan, taking in (
        ("sacubitril/valsartan:100mg:bid", "enalapril:10mg:bid"),
        ("enalapril:10mg:bid", "sacubitril/valsartan:100mg:bid"),
    ):
        assert any(k == "washout" and "36 hours" in s for k, s in said([plan], taking=[taking]))
    assert "washout" not in [k for k, _ in said(["sacubitril/valsartan:100mg:bid"], taking=["losartan:50mg:qd"])]
    congested = said(["carvedilol:12.5mg:bid"], pulmonary_wedge_pressure=24.0)
    assert [k for k, _ in congested] == ["decompensated"]
    assert [k for k, _ in said(["carvedilol:12.5mg:bid"], cardiac_output=3.5)] == ["decompensated"]
    assert said(["carvedilol:12.5mg:bid"], taking=["carvedilol:25mg:bid"], pulmonary_wedge_pressure=24.0) == []
    assert "shock" in [k for k, _ in said(["furosemide:80mg:qd"], seen=followed(pressure=85.0, output=3.0))]
    assert "shock" not in [k for k, _ in said(["furosemide:80mg:qd"], seen=followed(pressure=85.0, output=5.0))]
    assert ("bradycardia", "ivabradine at 62/min: nobody was studied below 70") in said(
        ["ivabradine:5mg:bid"], heart_rate=62.0
    )


ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SCT = "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("system", "code", "days", "refused"),
    [
        (ICD, "Z95.810", 400, None), (ICD, "Z95.811", 400, "assist device"), (ICD, "Z95.812", 400, "assist device"),
        (ICD, "Z95.0", 400, "a paced beat"), (ICD, "I21.4", 10, "infarction"), (ICD, "I21.4", 40, None), (ICD, "I25.2", 10, None),
        (SCT, "401303003", 10, "infarction"), (SCT, "401314000", 10, "infarction"), (SCT, "22298006", 400, None),
        (SCT, "282825002", 900, "atrial fibrillation"), (SCT, "440059007", 900, "atrial fibrillation"),
        (SCT, "440028005", 900, "atrial fibrillation"), (SCT, "5370000", 900, "atrial fibrillation"),
    ],
)  # fmt: skip
def test_which_diagnoses_are_refused(system, code, days, refused):
    """A defibrillator and an old infarction are no reason; each kind of atrial fibrillation and each fresh infarction is."""
    record = Record("mia", committed([event("diagnosis", Code(system, code), NOW - timedelta(days=days))]))
    if refused is None:
        limits.refuse_record(record, NOW)
    else:
        with pytest.raises(AnalysisError, match=refused):
            limits.refuse_record(record, NOW)


def test_cardiogenic_shock_is_shock():
    with pytest.raises(AnalysisError, match="shock"):
        limits.refuse_conditions(["cardiogenic-shock"])


def test_draws_that_do_not_close_are_counted_of_all_that_were_drawn(monkeypatch):
    """Left out before the plan and under it: refused below half, and told of below 95 %."""
    from medtwin.applications.heart_failure import what_if

    def fake(closed, bearing):
        sound = np.zeros((1, 20), bool)
        sound[:, :bearing] = True
        values = {name: np.where(sound, 100.0, np.nan) for name in what_if.OBSERVED}
        none = np.where(sound, 0.0, np.nan)
        person = SimpleNamespace(
            seen={name: np.full(20, 30.0) for name in what_if.OBSERVED} | {"systolic_pressure": np.full(20, 100.0)},
            drawn=100, closed=closed, strength=np.ones(20),
        )  # fmt: skip
        under = SimpleNamespace(days=(7.0,), seen=values, change=values, sound=sound, lost=none, held=none)
        monkeypatch.setattr(what_if, "people", lambda *_, **__: person)
        monkeypatch.setattr(what_if, "follow", lambda *_, **__: under)
        whose = SimpleNamespace(belief=None, held={}, readings={}, errors=1.0, potassium=4.0, filtration=70.0)
        return what_if.answer(whose, [combination(["furosemide:80mg:qd"])], days=7.0)

    assert fake(100, 20).notes == ()
    assert any("28% of the circulations drawn did not close" in one for one in fake(90, 16).notes)
    with pytest.raises(AnalysisError, match="36% of the circulations"):
        fake(60, 12)


def test_the_worse_laboratory_value_is_taken_and_both_are_said():
    own = SimpleNamespace(potassium=5.8, filtration=25.0)
    potassium, filtration, notes = _worse(own, 4.2, 60.0)
    assert (potassium, filtration) == (5.8, 25.0)
    assert "potassium 5.8 in the record and 4.2 stated" in notes[0]
    assert _worse(SimpleNamespace(potassium=None, filtration=None), 4.2, None) == (4.2, None, ())


def test_a_single_dose_into_a_vein_is_no_daily_dose_for_weeks():
    for text in ("furosemide-iv:80mg:qd", "digoxin-iv:1mg:qd"):
        limits.refuse_time(combination([text]), 1.0)
        with pytest.raises(AnalysisError, match="at most 1 days"):
            limits.refuse_time(combination([text]), 7.0)
    with pytest.raises(AnalysisError, match="at most 84 days"):
        limits.refuse_time(combination(["isosorbide dinitrate:40mg:tid"]), 365.0)
    limits.refuse_time(combination(["enalapril:10mg:bid"]), 7 * 52.2)


def test_who_does_not_bear_a_plan_has_no_gain_from_it():
    """A mean pressure of 45 mmHg outweighs any fall of the wedge pressure, and dry lungs earn nothing."""
    assert (_points(followed(mean=45.0), {"pulmonary_wedge_pressure": -1.0}) == UNBORNE).all()
    dry = followed()
    dry.seen["pulmonary_wedge_pressure"][:] = 4.0
    dry.change["pulmonary_wedge_pressure"][:] = -10.0  # from 14 to 4: two of these count
    assert _points(dry, {"pulmonary_wedge_pressure": -1.0}) == pytest.approx(np.full(20, 2.0))


@pytest.mark.slow
def test_a_plan_that_takes_the_pressure_is_not_ranked_first():
    plan = combination(["nitroprusside:5ug/kg/min", "furosemide-iv:200mg:qd"])
    made = answer(of_set("hfref-moderate"), [plan], days=1.0, utility={"pulmonary_wedge_pressure": -1.0})
    worst = next(one for one in made.options if one.planned)
    assert worst.hypotension > 0.2
    assert worst.demoted
    assert made.options[0].words == "as now"
    assert any(one.kind == "rank" and "not ranked among the first" in one.sentence for one in worst.warnings)


def test_a_row_that_is_not_there(tmp_path):
    table, mapping = tmp_path / "people.csv", tmp_path / "mapping.yaml"
    table.write_text("who,sbp,ef\na,88,20\n")
    mapping.write_text("""dialect: medtwin-table/1
names: who
quantities: {sbp: {quantity: systolic_pressure, unit: 'mm[Hg]'}, ef: {quantity: left_ventricular_ejection_fraction, unit: '%'}}
""")
    with pytest.raises(AnalysisError, match="expected one of a"):
        of_row(table, mapping, "b")


def test_a_chance_counts_people_not_moments():
    seen = np.array([[100.0, 80.0, 100.0, 100.0], [100.0, 100.0, 80.0, np.nan]])
    assert chance_low(seen, 90.0) == pytest.approx(2 / 3)


def test_utility_by_hand():
    assert _points(
        followed(), {"pulmonary_wedge_pressure": -1.0, "left_ventricular_ejection_fraction": 0.5}
    ) == pytest.approx(np.full(20, 5.0))
    assert _points(followed(pressure=85.0), {"hypotension": -10.0}) == pytest.approx(np.full(20, -10.0))
    assert _points(followed(), {"congestion": -3.0}) == pytest.approx(np.full(20, -3.0))
    with pytest.raises(AnalysisError, match="a utility of 'glucose'"):
        measure({"glucose": 1.0})


def test_moments_end_where_was_asked():
    assert moments(84.0) == (0.25, 7.0, 28.0, 84.0)
    assert moments(0.14) == (0.14,)


@pytest.mark.slow
def test_one_answer_as_a_whole():
    """Order by expected utility, chances that sum to one, paired options, and the same answer for the same seed."""
    whose = of_set("hfref-severe")
    options = [combination(["carvedilol:25mg:bid"]), combination(["furosemide:80mg:qd"])]
    made = answer(whose, options, days=28.0, utility=UTILITY)
    assert [one.words for one in made.options].count("as now") == 1
    expected = [one.expected for one in made.options]
    assert expected == sorted(expected, reverse=True)
    assert sum(one.chance_best for one in made.options) == pytest.approx(1.0)
    diuretic = next(one for one in made.options if "furosemide" in one.words)
    assert diuretic.change["pulmonary_wedge_pressure"][-1, 2] < 0  # 95 % of the people fall
    assert diuretic.lost[1] > 100
    assert made.now["pulmonary_wedge_pressure"][1] == pytest.approx(32.2, abs=2.0)
    again = answer(whose, options[::-1], days=28.0, utility=UTILITY)
    assert {one.words: one.expected for one in again.options} == pytest.approx(
        {one.words: one.expected for one in made.options}
    )
    with pytest.raises(AnalysisError, match="at most 3 days"):
        answer(whose, [combination(["dobutamine:5ug/kg/min"])], days=28.0)
