"""Two futures side by side."""

from datetime import timedelta

import msgspec
import pytest

from medtwin.server import shapes
from server.conftest import NOW


def at(minutes):
    return (NOW + timedelta(minutes=minutes)).isoformat()


def plan(quantity="carbohydrate_intake", value=60.0, unit="g", minutes=15):
    return {"quantity": quantity, "value": value, "unit": unit, "time": at(minutes)}


def ask(served, *planned, hours=4, status=200, patient="ada", **more):
    return served.post(f"/patients/{patient}/what-if", {"hours": hours, "planned": list(planned), **more}, status)


def test_nothing_planned_changes_nothing(served):
    made = ask(served)
    msgspec.convert(made, shapes.WhatIf, strict=True)
    assert made["baseline"] == made["scenario"]
    assert set(made["difference"]["median"]) == {0.0}
    assert len(made["times"]) == 48


def test_a_meal_raises_and_a_bolus_lowers(served):
    food, dose = ask(served, plan()), ask(served, plan("insulin_bolus", 5.0, "[iU]"))
    assert max(food["difference"]["median"]) > 20
    assert min(food["difference"]["median"]) > -1
    assert min(dose["difference"]["median"]) < -20
    lower, middle, upper = (food["difference"][k][-1] for k in ("lower90", "median", "upper90"))
    assert lower < middle < upper
    outcomes = {one["label"].partition(" in ")[0]: one for one in food["outcomes"]}
    assert outcomes["Highest median"]["scenario"]["value"] > outcomes["Highest median"]["baseline"]["value"]
    chance = outcomes["Greatest chance above 180 mg/dL at one moment"]
    assert chance["scenario"]["value"] > chance["baseline"]["value"]
    assert chance["scenario"]["unit"] == "%"
    assert 0 <= chance["baseline"]["value"] <= 100


def test_a_dose_of_long_acting_insulin_can_be_planned(served):
    offered = served.get("/patients/ada")["planned_inputs"]
    assert [one["quantity"] for one in offered] == ["carbohydrate_intake", "insulin_bolus", "insulin_long_acting"]
    dose = ask(served, plan("insulin_long_acting", 20.0, "[iU]"))
    assert dose["difference"]["median"][-1] < -2


def test_a_thought_leaves_no_trace(served):
    before = served.store.sequence()
    ask(served, plan())
    assert served.store.sequence() == before


@pytest.mark.parametrize(
    ("planned", "status", "words"),
    [
        (plan(unit="mg"), 422, "expected g"),
        (plan(value=1e9), 422, "expected 0 to 1000"),
        (plan(value=-1.0), 422, "expected 0 to 1000"),
        (plan(quantity="heart_rate", unit="/min"), 422, "expected one of"),
        (plan(minutes=60 * 30), 422, "the next 4 h"),
        (plan(minutes=-120), 422, "the next 4 h"),
        ({**plan(), "time": "2026-03-04T09:45:00"}, 400, "without an offset"),
        ({**plan(), "extra": 1}, 400, "unknown field"),
        ({**plan(), "value": "sixty"}, 400, "value"),
    ],
)
def test_a_wrong_plan_is_told(served, planned, status, words):
    assert words in ask(served, planned, status=status)["detail"]


def test_a_walk_can_be_planned_of_a_model_that_takes_a_heart_rate():
    """No person of the home has such a model first; what becomes an event is asked without the server."""
    from types import SimpleNamespace

    from medtwin.server.http import Refusal
    from medtwin.server.what_if import event
    from medtwin.twin.choice import Choice, structure

    standing = SimpleNamespace(
        choice=Choice("glucose", "", *structure("glucose_meals")), twin=object(), at=NOW, patient="ada"
    )

    def walk(minutes, until):
        end = None if until is None else NOW + timedelta(minutes=until)
        begin = NOW + timedelta(minutes=minutes)
        return shapes.PlannedEvent(quantity="heart_rate", value=110.0, unit="/min", time=begin, until=end)

    made = event(standing, walk(30, 75), 4.0, 0)
    assert (made.value, made.instant) == (110.0, NOW + timedelta(minutes=30))
    assert made.until.instant == NOW + timedelta(minutes=75)
    for wrong, words in ((walk(30, None), "without an end"), (walk(30, 30), "after the beginning")):
        with pytest.raises(Refusal) as refused:
            event(standing, wrong, 4.0, 0)
        assert words in refused.value.problem.detail


def test_wrong_requests_are_told(served):
    ask(served, hours=0, status=400)
    ask(served, hours=48, status=400)
    ask(served, quantity="heart_rate", status=422)
    ask(served, *[plan()] * 51, status=400)
    served.post("/patients/ada/what-if", b"{", 400)
    served.post("/patients/ada/what-if", b"[" * 100_000, 400)
    served.post("/patients/ada/what-if", b'{"hours":' + b"1" * 400_000 + b"}", 413)
    assert "no physiological model" in ask(served, plan(), patient="deniz", status=422)["detail"]
