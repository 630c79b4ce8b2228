"""A decision over the API: kept with both futures, listed with what happened, refused where it makes no sense."""

from datetime import timedelta

from server.conftest import NOW, meal


def plan(minutes=10, value=30.0):
    time = (NOW + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return {"quantity": "carbohydrate_intake", "value": value, "unit": "g", "time": time}


def test_what_is_no_decision_is_refused(served):
    asked = {"hours": 4, "suggested": [plan()], "verdict": "refused"}
    assert "without a reason" in served.post("/patients/ada/decisions", asked, 422)["detail"]
    asked = {"hours": 4, "suggested": [plan()], "planned": [plan()], "verdict": "accepted"}
    assert "changed" in served.post("/patients/ada/decisions", asked, 400)["detail"]
    asked = {"hours": 4, "suggested": [plan()], "verdict": "changed", "because": "less"}
    served.post("/patients/ada/decisions", asked, 400)
    asked = {"hours": 4, "suggested": [plan()], "verdict": "maybe"}
    served.post("/patients/ada/decisions", asked, 400)
    asked = {"hours": 4, "suggested": [plan()], "verdict": "accepted"}
    served.post("/patients/nobody/decisions", asked, 404)
    served.post("/patients/clara/decisions", asked, 422)  # whose model takes no carbohydrate


def test_from_a_plan_to_what_came_of_it(served, people):
    empty = served.get("/patients/ada/decisions")
    assert empty["decisions"] == []
    assert empty["synthetic"] is True
    asked = {"hours": 4, "suggested": [plan()], "verdict": "accepted", "because": "hungry"}
    made = served.post("/patients/ada/decisions", asked)
    assert made["synthetic"] is True
    (one,) = made["decisions"]
    assert one["question"].startswith("30 g carbohydrate")
    assert one["verdict"] == "accepted"
    assert one["because"] == "hungry"
    assert one["carried"] == "open"
    assert made["kept"] == {"decisions": 1, "counted": 0, "inside": 0, "lower": None, "upper": None}
    # it is a fact like any other
    notes = served.get("/patients/ada/events?quantity=note")["events"]
    assert any("hungry" in row["text"] for row in notes)
    # the meal is eaten, and three hours of life go by
    served.post("/facts", meal(people["ada"], NOW + timedelta(minutes=12), 30, "as-decided"))
    served.clock.moment = NOW + timedelta(hours=3)
    (one,) = served.get("/patients/ada/decisions")["decisions"]
    assert one["carried"] == "carried out"
    served.clock.moment = NOW
