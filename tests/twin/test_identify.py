"""A patient's days: what is too little is withheld with its reason, what is enough becomes a window of the right length."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.inference.identification import replay_of, window
from medtwin.inference.problem import problem
from medtwin.physiology.glucose_meals import GlucoseMeals
from medtwin.physiology.glucose_type_2 import GlucoseType2
from medtwin.record import Record
from medtwin.twin.identify import HEART, LEAD, identify_patient, most_readings, tape_of, told_window
from medtwin.twin.responses import disagree, paths, responses
from twin.people import TYPE_1, committed, event

START = datetime(2026, 3, 1, tzinfo=UTC)


def days_of(days, *, bolus=True, meals=True, basal=True, diagnosis=True, every=5):
    """A plain life: a sensor that rises after three meals a day."""
    found = [event("body_weight", 70.0, START)]
    if diagnosis:
        found.append(event("diagnosis", TYPE_1, START))
    if basal:
        found.append(event("insulin_basal_rate", 0.8, START))
    for minute in range(0, int(days * 1440), every):
        hour = minute / 60.0
        since = min((hour - meal) % 24.0 for meal in (8.0, 13.0, 19.0))
        value = 110.0 + 70.0 * since / 1.2 * np.exp(1 - since / 1.2)
        found.append(event("glucose", float(value), START + timedelta(minutes=minute)))
    for day in range(int(np.ceil(days))):
        for hour in (8, 13, 19):
            at = START + timedelta(days=day, hours=hour)
            if meals:
                found.append(event("carbohydrate_intake", 45.0, at))
            if bolus:
                found.append(event("insulin_bolus", 4.0, at))
    return Record("ada", committed(found), "Europe/London")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (days_of(2), "2 days with readings"),
        (days_of(4, meals=False), "0 meals in 4 days"),
        (days_of(4, bolus=False), "boluses on 0 of 4 days"),
        (days_of(4, basal=False), "no basal insulin"),
        (days_of(4, diagnosis=False), "no diagnosis is recorded for which this model speaks"),
    ],
    ids=("days", "meals", "bolus", "basal", "diagnosis"),
)
def test_too_little_is_withheld_with_its_reason(record, reason):
    found = identify_patient(record, GlucoseMeals())
    assert reason in found.withheld
    assert found.parameters == ()
    assert responses(found) == ()


def test_a_model_of_type_2_does_not_speak_for_type_1():
    assert "no diagnosis" in identify_patient(days_of(4), GlucoseType2()).withheld


def test_the_window_ends_with_the_newest_reading_and_begins_with_a_lead():
    record = days_of(4)
    known, since, until, size = told_window(GlucoseMeals(), record, START + timedelta(days=9), 14)
    assert size == 4
    assert until == START + timedelta(days=4) - timedelta(minutes=5)
    tape, first, steps = tape_of(known, since, size)
    assert steps == 4 * 1440 + LEAD * 60
    assert first == known.axis.boundary(since) - LEAD * 60
    lead = int(LEAD * 60)
    assert not tape.readings["glucose"].present[:lead].any()
    assert tape.readings["glucose"].present.sum() == 4 * 288
    # what was eaten is on the tape, at the minute of its hour
    eaten = tape.inputs["carbohydrate_intake"][:, 0]
    assert eaten.sum() == pytest.approx(12 * 45.0)
    assert (float(tape.start) + np.flatnonzero(eaten)[0]) % 1440 == 8 * 60


def test_readings_that_crowd_count_once_and_a_heart_rate_does_not_run_on():
    record = days_of(3.0, every=1)
    run = [event("heart_rate", 150.0, START + timedelta(days=1))]
    record = Record("ada", (*record.history, *committed(run)), record.zone)
    known, since, _, size = told_window(GlucoseMeals(), record, START + timedelta(days=3), 3)
    tape, *_ = tape_of(known, since, size)
    assert tape.readings["glucose"].present.sum() <= 3 * 361
    assert (tape.inputs["heart_rate"] > 100.0).sum() == HEART / 60.0
    held = window(tape, dt=GlucoseMeals().clock.step, readings=most_readings(3))
    assert held.present.sum() == tape.readings["glucose"].present.sum() > 3 * 288 + 48


def test_a_window_is_as_long_as_was_asked():
    """Eight days are eight, in a size class of ten: what came before is not read, and nothing lies after."""
    record = days_of(12)
    known, since, until, size = told_window(GlucoseMeals(), record, START + timedelta(days=12), 8)
    assert (until - since, size) == (timedelta(days=8), 10)
    tape, first, steps = tape_of(known, since, size)
    assert steps == 10 * 1440 + LEAD * 60
    at = np.flatnonzero(tape.readings["glucose"].present)
    assert len(at) == 8 * 288
    assert (at[0] + 1 + first, at[-1] + 1 + first) == (known.axis.boundary(since) + 5, known.axis.boundary(until))
    found = identify_patient(days_of(12, diagnosis=False), GlucoseMeals(), days=8)
    assert (found.days, found.meals) == (8, 24)


def test_what_was_not_known_then_is_not_used():
    """Boluses that were told a week late are not there as of the day itself."""
    record = days_of(5)
    late = tuple(
        replace(e, available=e.available + timedelta(days=7)) if e.quantity == "insulin_bolus" else e
        for e in record.history
    )
    at = START + timedelta(days=4, hours=12)
    found = identify_patient(Record("ada", late, record.zone), GlucoseMeals(), at=at)
    assert "boluses on 0 of" in found.withheld


def test_each_draw_is_at_rest_until_something_is_given():
    """Ten people of the prior, each with the basal rate that holds them: their glucose stays where it is."""
    replay = replay_of(problem(GlucoseMeals(), {"body_weight": 70.0}))
    z = np.random.default_rng(1).normal(0.0, 0.5, (len(replay.names), 10))
    z[-1] = 0.0
    path, length = paths(replay, z, [("carbohydrate_intake", 20.0, "breakfast"), ("insulin_bolus", 1.0, "lunch")])
    assert np.ptp(path[..., -1], axis=0) == pytest.approx(0.0, abs=0.5)
    assert np.ptp(path[0, :, -1]) > 5.0  # they are not one person
    change = path - path[..., -1:]
    lunch = round(13.0 * 60.0 / length)
    assert (change[:, :, 0].max(0) > 2.0).all()
    assert (change[lunch:, :, 1].min(0) < -2.0).all()
    assert change[:lunch, :, 1] == pytest.approx(0.0, abs=1e-6)


def test_disagreement_is_when_both_medians_lie_outside():
    assert disagree((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert not disagree((1.0, 2.0, 3.0), (0.0, 4.0, 9.0))


@pytest.mark.slow
def test_a_patient_is_identified():
    found = identify_patient(days_of(3), GlucoseMeals(), days=3, starts=2)
    assert found.withheld is None
    assert found.readings == 3 * 288
    held = {p.name: p for p in found.parameters}
    assert "body_weight" not in held  # known
    assert not held["exercise_uptake"].moved
    assert "no heart rate is recorded" in " ".join(found.notes)
    for p in found.parameters:
        assert p.posterior[0] < p.posterior[1] <= p.posterior[2]  # the same where it is pulled to the edge
    answers = responses(found)
    assert len(answers) == 6
    assert all(r.change[1] > 0 for r in answers if "carbohydrate" in r.given)
    assert all(r.change[1] < 0 for r in answers if "insulin" in r.given)
