"""medtwin identify."""

import json
from datetime import UTC, datetime

import pytest

from medtwin.cli.identify import _said
from medtwin.evidence.calibrated import withheld_of_days
from medtwin.physiology.models import by_name
from medtwin.twin.identify import Found, Identification

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def test_too_little_is_withheld(anna):
    """Anna's sensor and meals are there; ten days later no reading falls into the window's days."""
    said = anna.json("identify", "anna", "--days", "3", "--as-of", "2026-03-02T12:00")
    (one,) = said["models"]
    assert "days with readings" in one["withheld"]
    assert one["parameters"] == []
    shown = anna("identify", "anna", "--as-of", "2026-03-02T12:00")
    assert "withheld" in shown.stderr
    assert "Not identified: " in shown.stdout
    assert one["verdict"].startswith("Not identified: ")
    assert "from 6 starts" in shown.stderr  # said before the minute that it takes


def test_the_verdict_says_whether_parameters_may_be_read():
    def found(rmse, *parameters):
        return Identification(
            "anna", by_name("glucose_meals"), NOW, NOW, 3, 9, 800, rmse=rmse, spread=40.0,
            parameters=tuple(
                Found(name, "", "", (0.0, 1.0, 2.0), (0.9, 1.0, 1.1), moved, edge, narrower)
                for name, moved, edge, narrower in parameters
            ),
        )  # fmt: skip

    learnt = ("lunch_sensitivity", True, False, 0.5)
    prior, little = ("exercise_uptake", False, False, 0.02), ("dinner_sensitivity", False, False, 0.2)
    good = found(20.0, learnt, prior, little)
    assert good.fits
    assert good.verdict().startswith("These days say something of 1 of 3 parameters (lunch_sensitivity)")
    assert "explains 75% of how glucose varied (RMSE 20 mg/dL)" in good.verdict()
    assert "of 0 of" not in good.verdict({"lunch_sensitivity"})
    assert "what is shown is the prior" in good.verdict({"lunch_sensitivity"})
    assert [_said(p) for p in good.parameters] == ["moved, 50% narrower", "nothing: the prior", "little, 20% narrower"]
    assert "what is shown is the prior" in found(20.0, prior, little).verdict()
    assert "worse than this person's mean" in found(41.0, learnt).verdict()
    edge = found(20.0, ("lunch_sensitivity", True, True, 0.5))
    assert not edge.fits
    assert "Do not read the parameters" in edge.verdict()


def test_a_made_up_person_is_labelled(run, anna, tmp_path):
    """In what `identify` and `decisions` print and write; a person of whom nobody said so is not."""
    who = {"resourceType": "Patient", "id": "zoe", "name": [{"text": "Zoe"}],
           "meta": {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]}}  # fmt: skip
    reading = {"resourceType": "Observation", "id": "one", "status": "final", "subject": {"reference": "Patient/zoe"},
               "code": {"coding": [{"system": "http://loinc.org", "code": "99504-3"}]},
               "effectiveDateTime": "2026-03-01T08:00:00Z",
               "valueQuantity": {"value": 120, "system": "http://unitsofmeasure.org", "code": "mg/dL"}}  # fmt: skip
    bundle = tmp_path / "zoe.json"
    entries = [{"resource": one} for one in (who, reading)]
    bundle.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    assert run.json("ingest", bundle, "--patient", "zoe")["not_stored"] == []
    for command in ("identify", "decisions"):
        said = run.json(command, "zoe")
        assert (said["synthetic"], said["research_only"]) == (True, True)
        shown = run(command, "zoe")
        assert "(SYNTHETIC DATA)" in shown.stdout
        assert "research output" in shown.stderr
    said = anna.json("decisions", "anna")
    assert (said["synthetic"], said["research_only"]) == (False, True)
    assert "SYNTHETIC" not in anna("decisions", "anna").stdout


def test_what_is_asked_wrongly(anna):
    assert "one of" in anna("identify", "anna", "--model", "nothing", code=1).stderr
    anna("identify", "anna", "--days", "2", code=2)
    anna("identify", "nobody", code=1)


@pytest.mark.slow
def test_parameters_of_a_person_and_where_two_models_disagree(anna):
    said = anna.json(
        "identify", "anna", "--days", "3", "--starts", "1", "--model", "glucose_meals", "--model", "hovorka"
    )
    meals, hovorka = said["models"]
    assert (meals["model"], hovorka["model"]) == ("glucose_meals", "hovorka")
    assert meals["readings"] == hovorka["readings"] == 3 * 288
    for one in (meals, hovorka):
        assert one["rmse"] > 0
        assert len(one["responses"]) == 6
        for p in one["parameters"]:
            why = withheld_of_days(one["model"], p["name"])
            assert (p["withheld"], p["posterior"] is None) == (why, why is not None)
