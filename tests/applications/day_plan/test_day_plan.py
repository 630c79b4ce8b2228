"""Meals, responses, what is foretold, and what is called unknown: on a made-up life whose truth is known."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from applications.glucose_report.people import reading, record
from medtwin.applications.day_plan.meals import meals, responses
from medtwin.applications.day_plan.plan import day_plan
from medtwin.applications.day_plan.study import page, people_of, study
from medtwin.applications.day_plan.write import content, document, headline, save
from medtwin.errors import AnalysisError
from medtwin.record import Code, Flag, Intent
from medtwin.reports.html import page as html

START = datetime(2026, 3, 2)  # noqa: DTZ001 - a person's clock
DISHES = {"porridge": (30.0, 6.0), "pasta": (80.0, 12.0), "salad": (10.0, 15.0)}
WORTH = -6.0  #: mg/dL per 1000 steps


def bump(minute, rise):
    """A response that begins with the meal and is over after three hours; its peak at 45 min is ``rise``."""
    return rise * (minute / 45.0) * np.exp(1.0 - minute / 45.0) if 0.0 <= minute <= 180.0 else 0.0


def life(days=30, seed=1, steps=True):
    """Three meals a day; the rise is 20 and 0.6 per gram of carbohydrate, less by walks; a reading each 5 min."""
    rng = np.random.default_rng(seed)
    eaten, events = [], []
    for day in range(days):
        for hour, dish in zip((8, 13, 19), rng.permutation(list(DISHES)), strict=True):
            at = START + timedelta(days=day, hours=hour)
            grams, fat = DISHES[str(dish)]
            grams *= rng.uniform(0.7, 1.3)
            walked = float(rng.integers(0, 4) * 1000) if steps else 0.0
            rise = max(20.0 + 0.6 * grams + WORTH * walked / 1000.0 + rng.normal(0.0, 4.0), 2.0)
            eaten.append((at, rise))
            group = f"meal-{at:%d%H}"
            events += [
                reading(at, grams, quantity="carbohydrate_intake", group=group),
                reading(at, fat, quantity="fat_intake", group=group),
                reading(at, Code("", "", str(dish)), quantity="note", group=group, text=str(dish)),
            ]
            if steps:
                events.append(reading(at + timedelta(minutes=20), walked, quantity="step_count"))
    for number in range(days * 288):
        at = START + timedelta(minutes=5 * number)
        value = 100.0 + sum(
            bump((at - then).total_seconds() / 60.0, rise) for then, rise in eaten if abs((at - then).days) < 1
        )
        events.append(reading(at, value + rng.normal(0.0, 1.0)))
    return record(events)


@pytest.fixture(scope="module")
def someone():
    return life()


def test_a_meal_is_what_is_eaten_together(someone):
    found = meals(someone)
    assert len(found) == 90
    first = found[0]
    assert first.hour == 8.0
    assert first.name in DISHES
    assert first.fat == DISHES[first.name][1]
    assert first.protein is None  # nobody said


def test_the_response_is_the_rise_that_was_made():
    bare = [
        *(reading(START + timedelta(minutes=5 * n), 100.0 + bump(5.0 * n - 480.0, 40.0)) for n in range(288)),
        reading(START + timedelta(hours=8), 50.0, quantity="carbohydrate_intake"),
    ]
    (one,) = responses(record(bare))
    assert one.before == pytest.approx(100.0)
    assert one.rise == pytest.approx(40.0)
    high = sum(100.0 + bump(5.0 * n, 40.0) > 140.0 for n in range(1, 25)) * 5.0
    assert one.above[0] == pytest.approx(high, abs=5.0)
    assert one.steps is None


def test_a_meal_without_dense_readings_has_no_response():
    few = [
        *(reading(START + timedelta(minutes=5 * n), 100.0) for n in range(288) if not 100 < n < 115),
        reading(START + timedelta(hours=8), 50.0, quantity="carbohydrate_intake"),
    ]
    assert responses(record(few)) == ()


def test_dishes_are_ranked_and_a_walk_is_found_out(someone):
    made = day_plan(someone)
    assert [one.name for one in made.meals] == ["salad", "porridge", "pasta"]
    assert "'salad' raises glucose least" in headline(made)
    assert headline(made).endswith(").")
    effects = {one.name: one for one in made.effects}
    low, _, high = effects["carbohydrate"].change
    assert low <= 6.0 <= high  # per 10 g
    assert high - low < 2.0
    low, _, high = effects["steps"].change
    assert low <= WORTH <= high
    assert effects["steps"].known
    assert effects["steps"].clear
    for one in made.meals:
        assert one.next[0] < one.expected[0] < one.expected[1] < one.expected[2] < one.next[2]
        assert one.with_walk is not None
        assert one.with_walk[1] < one.expected[1]
        assert one.above[140.0] >= one.above[180.0]
    assert not effects["sleep"].known


def test_what_the_record_does_not_tell_is_called_unknown():
    made = day_plan(life(days=8, steps=False))
    effects = {one.name: one for one in made.effects}
    assert not effects["steps"].known
    assert not effects["steps"].clear
    assert all(one.with_walk is None for one in made.meals)
    assert any("the worth of a walk after a meal is unknown" in note for note in made.notes)
    assert "unknown for this person" in html(document(made))


def test_nothing_after_the_moment_counts(someone):
    at = max(e.instant for e in someone.of("glucose")) - timedelta(days=10)
    made = day_plan(someone, at)
    later = day_plan(record([e for e in someone.events if e.instant <= at]), at)
    assert content(made) == content(later)


def test_a_meal_whose_two_hours_are_not_over_is_not_judged(someone):
    """Ten minutes after a meal its response lies ahead, whatever the record already holds."""
    events = [replace(e, available=e.instant) for e in someone.events]
    last = [m.begin for m in meals(someone)][60]
    at = last + timedelta(minutes=10)
    made = day_plan(record(events), at)
    assert made.eaten == 61
    assert len(made.responses) == 60
    assert max(one.meal.begin for one in made.responses) < last
    assert "1 of 61 meals" in made.notes[0]


def test_what_was_not_known_then_does_not_count(someone):
    at = [m.begin for m in meals(someone)][60]
    late = [
        replace(e, available=at + timedelta(days=2) if e.quantity == "fat_intake" else e.instant)
        for e in someone.events
    ]
    assert day_plan(record(late), at).eaten == 61
    assert all(one.meal.fat is None for one in day_plan(record(late), at).responses)
    assert any(one.meal.fat is not None for one in day_plan(record(late)).responses)


def test_two_devices_are_not_added_together(someone):
    """A phone that tells of the same walks less often, a second sensor that reads 30 higher, a second tracker of sleep."""
    walks = someone.of("step_count")
    nights = [reading(START + timedelta(days=n, hours=hour), 3.5, quantity="sleep_duration", system="watch")
              for n in range(30) for hour in (0, 4)]  # fmt: skip
    alone = responses(record([*someone.events, *nights]))
    phone = [reading(e.time.local, 4000.0, quantity="step_count", system="phone") for e in walks[::3]]
    other = [
        reading(e.time.local + timedelta(minutes=2), e.value + 30.0, system="other") for e in someone.of("glucose")[::2]
    ]
    slept = [
        reading(START + timedelta(days=n, hours=-1), 8.0, quantity="sleep_duration", system="phone") for n in range(30)
    ]
    both = record([*someone.events, *nights, *phone, *other, *slept])
    assert responses(both) == alone
    assert {one.sleep for one in alone} == {7.0}
    said = " ".join(day_plan(both).notes)
    assert "step count of several systems at once (phone, sensor): 30 values" in said
    assert "glucose of several systems at once (other, sensor): 4320 values" in said
    assert "sleep duration of several systems at once (phone, watch): 30 values" in said


def test_only_insulin_that_was_given_lately_refuses_the_plan(someone):
    doses = [
        reading(START, 4.0, quantity="insulin_bolus", intent=Intent.PLANNED),
        reading(START, 400.0, quantity="insulin_bolus", flags=(Flag.IMPLAUSIBLE,)),
        reading(START - timedelta(days=7000), 20.0, quantity="insulin_long_acting"),
        reading(START, 0.0, quantity="insulin_basal_rate"),
    ]
    assert content(day_plan(record([*someone.events, *doses]))) == content(day_plan(someone))
    for quantity in ("insulin_bolus", "insulin_long_acting", "insulin_basal_rate"):
        with pytest.raises(AnalysisError, match="doses of insulin"):
            day_plan(record([*someone.events, reading(START, 1.0, quantity=quantity)]))


def test_a_dish_that_does_more_than_its_grams_say_is_noticed():
    """Somebody whose porridge raises glucose by 30 more than its carbohydrate would."""
    plain = life(days=12, seed=3)
    porridge = [m.begin for m in meals(plain) if m.name == "porridge"]
    events = []
    for event in plain.events:
        minutes = [(event.instant - then).total_seconds() / 60.0 for then in porridge]
        more = sum(bump(m, 30.0) for m in minutes)
        events.append(reading(event.time.local, event.value + more) if event.quantity == "glucose" else event)
    before = {one.name: one.expected[1] for one in day_plan(plain).meals}
    after = {one.name: one.expected[1] for one in day_plan(record(events)).meals}
    assert after["porridge"] - before["porridge"] > 15.0
    assert after["porridge"] - before["porridge"] > after["salad"] - before["salad"] + 3.0


def test_who_injects_insulin_is_sent_to_the_what_if(someone):
    dosed = record([*someone.events, reading(START, 4.0, quantity="insulin_bolus")])
    with pytest.raises(AnalysisError, match="what-if"):
        day_plan(dosed)
    with pytest.raises(AnalysisError, match="at least 5"):
        day_plan(life(days=1))
    with pytest.raises(AnalysisError, match="no sensor glucose"):
        day_plan(record([]))


def test_content_and_files(someone, tmp_path):
    made = day_plan(someone, synthetic=True)
    said = json.loads(json.dumps(content(made), default=str, allow_nan=False))
    assert said["unit"] == "mg/dL"
    assert said["synthetic"] is True
    assert len(said["meals"]) == 3
    save(made, tmp_path / "plan.html")
    save(made, tmp_path / "plan.pdf")
    text = (tmp_path / "plan.html").read_text()
    assert "SYNTHETIC DATA" in text
    assert "no advice on treatment" in text
    assert (tmp_path / "plan.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.shared
def test_on_real_people_it_beats_carbohydrate_alone(shared_data):
    """BIG IDEAs: each person with a prior of the others; the page's gate."""
    people = people_of(
        shared_data / "metabolism" / "bigideas", Path(__file__).resolve().parents[3] / "docs/mappings/bigideas.yaml"
    )
    found = study(people)
    assert "met; in" in page(found, "test")
