"""Questions and their answers: an answer is a fact, and a meal that was owned up to is one too."""

from datetime import timedelta

import msgspec
import pytest

from medtwin.inference.hypotheses import AS_EXPECTED, MISSED_MEAL, SENSOR_LOW
from medtwin.server import asking, shapes
from medtwin.twin import disagreements as found_by
from server.conftest import NOW

EATEN = NOW - timedelta(minutes=80)


def stretch(winner=MISSED_MEAL, **more):
    opened = found_by.Opened("carbohydrate_intake", 43.0, 8.0, EATEN) if winner is MISSED_MEAL else None
    about = {
        "quantity": "glucose", "since": NOW - timedelta(minutes=55), "until": NOW - timedelta(minutes=15),
        "peak": NOW - timedelta(minutes=25), "winner": winner, "probability": ((winner, 0.83), (AS_EXPECTED, 0.17)),
        "measured": 190.0, "expected": 140.0, "expected_sd": 12.0, "opened": opened, "ended": False,
    }  # fmt: skip
    return found_by.Disagreement(**{**about, **more})


@pytest.fixture
def asked(fresh, monkeypatch):
    """The twin asks about one meal."""
    monkeypatch.setattr(found_by, "disagreements", lambda twin, since: (stretch(),))
    return fresh


def test_a_question_names_cause_amount_and_time_where_the_person_is(asked):
    (one,) = asked.get("/patients/ada/disagreements")["disagreements"]
    msgspec.convert(one, shapes.Disagreement, strict=True)
    assert one["status"] == "open"
    assert one["question"] == "Did you eat about 43 g of carbohydrate near 09:10?"  # 08:10 UTC in Berlin's winter
    assert one["hypotheses"][0]["detail"] == "about 43 g (30 to 56 g), 09:10"
    assert [h["name"] for h in one["hypotheses"]] == ["missed_meal", "as_expected"]
    assert len(one["events"]) >= 8
    assert asked.get("/patients/ada")["open_disagreements"] == 1
    marks = [m for m in asked.get("/patients/ada/timeline")["inputs"] if m["inferred"]]
    assert [(m["value"], m["unit"], m["event"]) for m in marks] == [(43.0, "g", None)]
    assert asked.get("/patients")["patients"][0]["id"] == "ada"


def test_yes_is_a_note_and_a_meal_and_replays_the_past(asked):
    (one,) = asked.get("/patients/ada/disagreements")["disagreements"]
    answered = asked.post(f"/patients/ada/disagreements/{one['id']}/answer", {"answer": "yes"})
    assert answered["status"] == "answered"
    assert answered["answered"]["label"] == "Yes, I ate"
    told = asked.until(lambda: asked.messages("belief"))[0]
    assert told["replayed_since"] == EATEN.isoformat().replace("+00:00", "Z")
    meals = asked.get("/patients/ada/events?quantity=carbohydrate_intake&limit=500")["events"]
    (meal,) = [m for m in meals if m["source"]["system"] == "Answers on this page"]
    assert (meal["value"], meal["unit"], meal["time"]) == (45.0, "g", EATEN.isoformat().replace("+00:00", "Z"))
    raw = asked.get(f"/patients/ada/raw/{meal['source']['raw_hash']}")
    assert "medtwin-answer/1" in raw["text"]
    detail = asked.get(f"/patients/ada/events/{meal['id']}")
    assert [g["quantity"] for g in detail["group"]] == ["note"]
    (kept,) = asked.get("/patients/ada/disagreements")["disagreements"]
    assert kept["status"] == "answered"
    assert kept["answered"]["answer"] == "yes"
    assert asked.get("/patients/ada")["open_disagreements"] == 0
    assert not [m for m in asked.get("/patients/ada/timeline")["inputs"] if m["inferred"]]
    assert [(m["status"], m["open"]) for m in asked.messages("disagreement")] == [("answered", 0)]
    asked.post(f"/patients/ada/disagreements/{one['id']}/answer", {"answer": "no"}, status=409)


def test_no_is_a_note_alone(asked):
    (one,) = asked.get("/patients/ada/disagreements")["disagreements"]
    before = len(asked.get("/patients/ada/events?quantity=carbohydrate_intake&limit=500")["events"])
    asked.post(f"/patients/ada/disagreements/{one['id']}/answer", {"answer": "no"})
    asked.until(lambda: asked.get("/patients/ada/events?quantity=note")["events"])
    assert len(asked.get("/patients/ada/events?quantity=carbohydrate_intake&limit=500")["events"]) == before


def test_only_offered_answers_to_known_questions(asked):
    (one,) = asked.get("/patients/ada/disagreements")["disagreements"]
    asked.post(f"/patients/ada/disagreements/{one['id']}/answer", {"answer": "perhaps"}, status=400)
    asked.post("/patients/ada/disagreements/none/answer", {"answer": "yes"}, status=404)
    asked.post(f"/patients/ada/disagreements/{one['id']}/answer", {}, status=400)


def test_a_pressed_sensor_flags_its_readings(fresh, monkeypatch):
    monkeypatch.setattr(found_by, "disagreements", lambda twin, since: (stretch(SENSOR_LOW),))
    measured = fresh.get("/patients/ada/timeline")["measurements"]
    flagged = [time for time, flag in zip(measured["times"], measured["flags"], strict=True) if flag]
    assert len(flagged) >= 8
    assert min(flagged) >= "2026-03-04T08:34:00Z"
    assert set(filter(None, measured["flags"])) == {"sensor suspected low"}


def test_old_questions_are_closed(fresh, monkeypatch):
    long_ago = NOW - timedelta(hours=20)
    old = stretch(since=long_ago, until=long_ago + timedelta(minutes=30), peak=long_ago)
    monkeypatch.setattr(found_by, "disagreements", lambda twin, since: (old, stretch()))
    listed = fresh.get("/patients/ada/disagreements")["disagreements"]
    assert [one["status"] for one in listed] == ["open", "closed"]


def test_times_without_a_zone_say_utc():
    assert asking.clock_time(NOW, None) == "09:30 UTC"
    assert asking.clock_time(NOW, "Europe/Berlin") == "10:30"
