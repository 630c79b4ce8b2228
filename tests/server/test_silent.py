"""Somebody of whom nothing was heard for weeks is shown as of the last reading, and the page is told so."""

from datetime import datetime, timedelta

from server.conftest import reading


def test_somebody_long_silent_is_shown_as_of_the_last_reading(fresh):
    last = datetime.fromisoformat(fresh.get("/patients/ada")["last_datum"]["time"])
    belief = fresh.get("/patients/ada")["headline"]["value"]
    fresh.clock.moment += timedelta(days=400)
    detail = fresh.get("/patients/ada")
    assert abs(datetime.fromisoformat(detail["as_of"]) - last) < timedelta(minutes=15)
    value = detail["headline"]["value"]
    assert value["upper"] - value["lower"] < 2 * (belief["upper"] - belief["lower"])
    assert abs(datetime.fromisoformat(value["time"]) - last) < timedelta(minutes=15)  # never dated to the present
    timeline = fresh.get("/patients/ada/timeline?quantity=glucose")
    assert len(timeline["measurements"]["times"]) > 50
    forecast = fresh.get("/patients/ada/forecast")
    assert forecast["withheld"] is None
    assert forecast["made_at"] == detail["as_of"]
    row = next(p for p in fresh.get("/patients")["patients"] if p["id"] == "ada")
    assert row["as_of"] == detail["as_of"]
    assert row["recent"]


def test_somebody_heard_of_lately_is_shown_as_of_now(fresh):
    fresh.clock.moment += timedelta(days=3)
    detail = fresh.get("/patients/ada")
    assert detail["as_of"] is None
    assert fresh.get("/patients/ada/forecast")["withheld"]


def test_nobody_without_a_model_is_dated_to_the_present_either(fresh):
    fresh.clock.moment += timedelta(days=400)
    detail = fresh.get("/patients/deniz")
    assert detail["as_of"] is not None
    assert fresh.get("/patients/deniz/forecast")["made_at"] == detail["as_of"]


def test_a_new_reading_ends_the_silence(fresh, people):
    fresh.clock.moment += timedelta(days=400)
    assert fresh.get("/patients/ada")["as_of"] is not None
    when = fresh.clock.moment - timedelta(minutes=2)
    fresh.post("/facts", reading(people["ada"], when, 150.0, "after"))
    assert fresh.until(lambda: fresh.get("/patients/ada")["as_of"] is None)
