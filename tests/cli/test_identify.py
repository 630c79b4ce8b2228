"""medtwin identify."""

import pytest


def test_too_little_is_withheld(anna):
    """Anna's sensor and meals are there; ten days later no reading falls into the window's days."""
    said = anna.json("identify", "anna", "--days", "3", "--as-of", "2026-03-02T12:00")
    (one,) = said["models"]
    assert "days with readings" in one["withheld"]
    assert one["parameters"] == []
    shown = anna("identify", "anna", "--as-of", "2026-03-02T12:00")
    assert "withheld" in shown.stderr


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
        assert {p["name"] for p in one["parameters"] if p["shown"]}
