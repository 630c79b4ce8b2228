"""medtwin identify."""

import json

import pytest

from medtwin.evidence.calibrated import withheld_of_days


def test_too_little_is_withheld(anna):
    """Anna's sensor and meals are there; ten days later no reading falls into the window's days."""
    said = anna.json("identify", "anna", "--days", "3", "--as-of", "2026-03-02T12:00")
    (one,) = said["models"]
    assert "days with readings" in one["withheld"]
    assert one["parameters"] == []
    shown = anna("identify", "anna", "--as-of", "2026-03-02T12:00")
    assert "withheld" in shown.stderr


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
