"""The loop: promised, decided, carried out or not, and the place of what happened in what was promised."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from medtwin.applications.decisions.decision import DIALECT, LEVELS, decide, decisions, facts
from medtwin.applications.decisions.outcome import kept, outcome
from medtwin.errors import FormatError, InferenceError
from medtwin.record import Code, Event, Intent, Moment, Record, Source, SourcePatient
from medtwin.record.home import open_store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=4)


def fact(quantity, value, at, **more):
    return Event(
        subject=SourcePatient("pump", "1"), quantity=quantity, value=float(value), time=Moment.of(at), available=at,
        key=f"{quantity}@{at.isoformat()}", source=Source("pump", "made/1", "raw", "line"), **more,
    )  # fmt: skip


def forecast(middle, sd=20.0, withheld=None, physiological=True, hours=4.0):
    """A normal forecast every five minutes for some hours."""
    from scipy.stats import norm

    times = tuple(NOW + timedelta(minutes=5 * n) for n in range(1, round(12 * hours) + 1))
    return SimpleNamespace(
        quantity="glucose", made_at=NOW, label="test", times=() if withheld else times, withheld=withheld,
        physiological=physiological,
        at=lambda level: np.full(len(times), middle + sd * norm.ppf(level)),
    )  # fmt: skip


PLAN = (fact("insulin_bolus", 4.0, NOW + timedelta(minutes=10), intent=Intent.PLANNED),)


def decided(verdict="accepted", because="", planned=None, middle=(200.0, 140.0), plan=PLAN, hours=4.0):
    effect = SimpleNamespace(baseline=forecast(middle[0], hours=hours), scenario=forecast(middle[1], hours=hours))
    record = Record("anna", (), None)
    return decide(record, effect, plan, verdict, "tester", NOW, planned=planned, because=because)


def plan_of(quantity, value, minutes):
    return (fact(quantity, value, NOW + timedelta(minutes=minutes), intent=Intent.PLANNED),)


def after(readings, *given):
    glucose = [fact("glucose", value, NOW + timedelta(minutes=minute)) for minute, value in readings]
    return Record("anna", (*glucose, *given), None)


def test_a_decision_that_was_carried_out_counts_and_has_its_place():
    record = after([(60, 150), (120, 140)], fact("insulin_bolus", 4.0, NOW + timedelta(minutes=14)))
    found = outcome(record, decided(), LATER)
    assert found.carried == "carried out"
    assert found.counted is not None
    assert found.counted.place == pytest.approx(0.5, abs=1e-6)  # the median that was promised
    assert found.inside == 1.0


@pytest.mark.parametrize(("sigmas", "place"), [(0.6744898, 0.75), (-1.64, 0.051), (9.0, 0.95), (-9.0, 0.05)])
def test_the_place_is_that_of_the_promised_distribution(sigmas, place):
    record = after([(120, 140 + 20 * sigmas)], fact("insulin_bolus", 4.0, NOW + timedelta(minutes=14)))
    found = outcome(record, decided(), LATER)
    assert found.counted.place == pytest.approx(place, abs=2e-3)
    assert found.counted.inside is (abs(sigmas) <= 1.645)


@pytest.mark.parametrize(
    ("given", "carried"),
    [
        ((), "not recorded"),
        ((("insulin_bolus", 8.0, 14),), "otherwise"),  # twice the dose
        ((("insulin_bolus", 4.0, 90),), "otherwise"),  # much later
        ((("insulin_bolus", 4.0, 14), ("carbohydrate_intake", 30.0, 60)), "otherwise"),  # and a meal
        ((("insulin_bolus", 4.3, 30),), "carried out"),  # as people do
    ],
)
def test_what_was_not_carried_out_is_told_and_not_counted(given, carried):
    events = [fact(quantity, value, NOW + timedelta(minutes=minute)) for quantity, value, minute in given]
    found = outcome(after([(120, 140)], *events), decided(), LATER)
    assert found.carried == carried
    assert (found.counted is not None) is (carried == "carried out")


@pytest.mark.parametrize(("quantity", "value"), [("insulin_long_acting", 10.0), ("insulin_basal_rate", 1.2)])
def test_all_that_can_be_planned_is_looked_for(quantity, value):
    made = decided(plan=plan_of(quantity, value, 10))
    done = fact(quantity, value, NOW + timedelta(minutes=12))
    found = outcome(after([(120, 140)], done), made, LATER)
    assert (found.carried, found.counted is not None) == ("carried out", True)
    other = fact(quantity, 2 * value, NOW + timedelta(minutes=12))
    assert outcome(after([(120, 140)], other), made, LATER).carried == "otherwise"


@pytest.mark.parametrize(
    ("beats", "minutes", "carried"), [(112.0, 50, "carried out"), (75.0, 50, "otherwise"), (112.0, 150, "otherwise")]
)
def test_a_walk_is_asked_as_one_and_looked_for_while_it_lasts(beats, minutes, carried):
    walk = fact(
        "heart_rate", 110.0, NOW + timedelta(minutes=10), intent=Intent.PLANNED,
        until=Moment.of(NOW + timedelta(minutes=55)),
    )  # fmt: skip
    made = decided(plan=(walk,))
    assert made.question == "A walk of 45 min at a heart rate of 110 /min?"
    found = outcome(after([(120, 140)], fact("heart_rate", beats, NOW + timedelta(minutes=minutes))), made, LATER)
    assert found.carried == carried
    assert outcome(after([]), made, NOW + timedelta(minutes=80)).carried == "open"  # its end was 25 minutes ago


def test_long_acting_insulin_that_nobody_planned_is_another_day():
    given = [("insulin_bolus", 4.0, 10), ("insulin_long_acting", 20.0, 30)]
    events = [fact(quantity, value, NOW + timedelta(minutes=minute)) for quantity, value, minute in given]
    found = outcome(after([(120, 140)], *events), decided(), LATER)
    assert (found.carried, found.why, found.counted) == ("otherwise", "a dose that nobody planned", None)


def test_a_pump_that_states_its_rate_is_nothing_more():
    rates = [fact("insulin_basal_rate", 0.8, NOW + timedelta(minutes=30 * n)) for n in range(5)]
    record = after([(120, 140)], fact("insulin_bolus", 4.0, NOW + timedelta(minutes=10)), *rates)
    assert outcome(record, decided(), LATER).carried == "carried out"


def test_a_dose_just_before_the_futures_is_the_planned_one_unless_it_was_known():
    made = decided(plan=plan_of("insulin_bolus", 4.0, 0))
    dose = fact("insulin_bolus", 4.0, NOW - timedelta(minutes=2))
    note = replace(fact("note", 0.0, NOW), key=made.id, value=Code("urn:medtwin:decision", "accepted"))
    late = after([(120, 140)], replace(note, recorded=5), replace(dose, recorded=6))
    assert outcome(late, made, LATER).carried == "carried out"
    known = after([(120, 140)], replace(note, recorded=5), replace(dose, recorded=4))  # in both futures already
    assert outcome(known, made, LATER).carried == "not recorded"
    early = fact("insulin_bolus", 4.0, NOW - timedelta(minutes=40))
    assert outcome(after([(120, 140)], early), made, LATER).carried == "not recorded"
    # a dose from before that nobody planned is no dose too many
    both = after([(120, 140)], replace(dose, value=1.0), fact("insulin_bolus", 4.0, NOW + timedelta(minutes=1)))
    assert outcome(both, made, LATER).carried == "carried out"


def test_a_meal_at_the_last_promised_time_may_be_late():
    made = decided(plan=plan_of("carbohydrate_intake", 30.0, 240))
    meal = fact("carbohydrate_intake", 30.0, NOW + timedelta(minutes=245))
    assert outcome(after([(120, 140)], meal), made, NOW + timedelta(hours=8)).carried == "carried out"
    assert outcome(after([(120, 140)], meal), made, NOW + timedelta(minutes=242)).carried == "open"


def test_a_promise_too_short_to_count_says_so():
    bolus = fact("insulin_bolus", 4.0, NOW + timedelta(minutes=10))
    found = outcome(after([(50, 140)], bolus), decided(hours=1.0), LATER)
    assert found.counted is None
    assert found.why == "as decided; promised for less than one and a half hours: not counted"
    found = outcome(after([(95, 140)], bolus), decided(hours=1.75), LATER)
    assert found.counted is not None
    assert found.why == "as decided"


def test_a_refusal_is_held_against_the_future_without():
    found = outcome(after([(120, 200)]), decided("refused", "not hungry"), LATER)
    assert found.carried == "carried out"
    assert found.counted.place == pytest.approx(0.5, abs=1e-6)


def test_a_change_is_held_against_what_it_was_changed_to():
    other = (fact("insulin_bolus", 2.0, NOW + timedelta(minutes=10), intent=Intent.PLANNED),)
    made = decided("changed", "too much", planned=other)
    assert made.suggested[0].value == 4.0
    assert made.planned[0].value == 2.0
    record = after([(120, 140)], fact("insulin_bolus", 2.0, NOW + timedelta(minutes=10)))
    assert outcome(record, made, LATER).carried == "carried out"


def test_too_early_is_open():
    assert outcome(after([]), decided(), NOW + timedelta(minutes=20)).carried == "open"
    record = after([(30, 150)], fact("insulin_bolus", 4.0, NOW + timedelta(minutes=10)))
    assert outcome(record, decided(), NOW + timedelta(minutes=60)).carried == "open"


def test_promises_that_are_honest_are_kept_in_nine_of_ten():
    """400 decisions whose outcomes come from what was promised: the exact interval holds 90 %, and one that lied is found out."""
    rng = np.random.default_rng(1)
    bolus = fact("insulin_bolus", 4.0, NOW + timedelta(minutes=10))
    honest = [outcome(after([(120, rng.normal(140, 20))], bolus), decided(), LATER) for _ in range(400)]
    found = kept(honest)
    assert found.counted == 400
    assert found.interval[0] <= 0.9 <= found.interval[1]
    lied = kept([outcome(after([(120, rng.normal(140, 40))], bolus), decided(), LATER) for _ in range(400)])
    assert lied.interval[1] < 0.9


def test_nothing_is_decided_without_a_promise_or_a_reason():
    effect = SimpleNamespace(baseline=forecast(1.0, withheld="stale"), scenario=forecast(1.0, withheld="stale"))
    with pytest.raises(FormatError, match="withheld"):
        decide(Record("anna", (), None), effect, PLAN, "accepted", "tester", NOW)
    effect = SimpleNamespace(baseline=forecast(1.0, physiological=False), scenario=forecast(1.0, physiological=False))
    with pytest.raises(InferenceError, match="no model speaks"):
        decide(Record("anna", (), None), effect, PLAN, "accepted", "tester", NOW)
    with pytest.raises(FormatError, match="without a reason"):
        decided("refused", "  ")
    with pytest.raises(FormatError, match="at most 500"):
        decided("refused", "x" * 501)


def test_a_decision_is_a_fact_with_its_bytes(tmp_path):
    with open_store(tmp_path / "home") as store:
        grant = store.issue_grant()
        first = decided()
        store.append(facts(store, grant, "anna", first), grant)
        store.append(facts(store, grant, "anna", first), grant)  # told twice, kept once
        record = store.record("anna", grant)
        (found,) = decisions(store, grant, record)
        assert found == first
        assert found.dialect == DIALECT
        assert len(found.scenario.quantiles[0]) == len(LEVELS)
        (note,) = record.of("note")
        assert "accepted" in note.text
