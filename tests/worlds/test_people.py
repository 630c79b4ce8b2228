"""Whole people: deterministic, plausible, fast, and never leaking what nobody told."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.worlds import KINDS, UNITS, demo_persons, person, population

START = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def cohort():
    return population(5, 40, 4, START)


@pytest.fixture(scope="module")
def demo():
    return demo_persons(datetime(2026, 3, 11, 14, 2, 33, tzinfo=UTC), days=6, ahead_hours=24)


def glucose(people):
    return np.stack([p.truth.outcome.glucose for p in people])


def test_the_same_arguments_make_the_same_person(cohort):
    again = person(5, 4, START)
    assert again.facts == cohort[0].facts
    assert again.causes == cohort[0].causes
    np.testing.assert_array_equal(again.truth.outcome.glucose, cohort[0].truth.outcome.glucose)
    other = person(6, 4, START)
    assert other.facts != again.facts


def test_days_with_type_1_diabetes_are_plausible(cohort):
    g = glucose(cohort)
    assert 110 < g.mean() < 170
    assert 0.6 < ((g >= 70) & (g <= 180)).mean() < 0.95
    assert 0.005 < (g < 70).mean() < 0.08
    assert (g < 54).mean() < 0.02
    assert 0.18 < (g.std(axis=1) / g.mean(axis=1)).mean() < 0.42
    assert g.min() > 20
    assert np.percentile(g, 99.9) < 500
    total = [p.truth.outcome.bolus.sum() / 4 + p.truth.outcome.basal.mean() * 24 for p in cohort]
    assert 20 < np.median(total) < 60  # U/day
    assert 0.8 < np.std(g.mean(axis=1)) / 15 < 3  # people differ


def test_untold_meals_cost_control(cohort):
    careless = population(5, 40, 4, START, kind="type_1_unannounced")
    assert glucose(careless).mean() > glucose(cohort).mean() + 5
    assert glucose(careless).std(axis=1).mean() > glucose(cohort).std(axis=1).mean() + 3


def test_people_with_own_insulin_are_plausible():
    healthy, impaired = (glucose(population(5, 15, 2, START, kind=k)) for k in ("no_diabetes", "type_2"))
    assert 85 < healthy.mean() < 115
    assert (healthy > 180).mean() < 0.03
    assert (healthy < 60).mean() < 0.01
    assert 130 < impaired.mean() < 190
    assert (impaired < 60).mean() < 0.005


def test_readings_have_the_accuracy_of_the_sensor(cohort):
    differences = []
    for p in cohort:
        fine = p.truth.errors.fault == 0
        true = p.truth.outcome.glucose[::5]
        differences.append(np.nanmean(np.where(fine, np.abs(p.truth.outcome.readings - true) / true, np.nan)))
    assert 0.05 < np.mean(differences) < 0.13


def test_nothing_is_known_before_it_happens(cohort, demo):
    for p in [*cohort[:5], *demo]:
        assert {f.quantity for f in p.facts} <= set(UNITS)
        assert list(p.facts) == sorted(p.facts, key=lambda f: (f.available, f.time, f.quantity))
        for f in p.facts:
            assert f.time.tzinfo is not None
            assert f.available >= f.time or f.quantity == "carbohydrate_intake"
        assert all(f.available <= p.now for f in p.told())
        assert all(f.available > p.now for f in p.to_come())
        assert len(p.told()) + len(p.to_come()) == len(p.facts)


def test_a_longer_life_has_the_same_beginning():
    for kind in ("type_1_unannounced", "heart_failure"):
        short, long = (population(5, 1, 4, START, kind=kind, ahead_hours=h)[0] for h in (0, 30))
        assert short.now == long.now
        assert len(long.truth.heart_rate) == len(short.truth.heart_rate) + 1800
        untimed = [[replace(f, until=None) for f in p.told()] for p in (short, long)]  # a stretch may end later
        assert untimed[0] == untimed[1]
        assert long.to_come()
        if short.truth.outcome is not None:
            np.testing.assert_array_equal(short.truth.outcome.glucose, long.truth.outcome.glucose[: 4 * 1440])


def test_told_insulin_is_given_insulin_and_told_meals_are_what_people_believe(cohort):
    for p in cohort[:10]:
        told = [(p.minute(f.time), f.value) for f in p.facts if f.quantity == "insulin_bolus"]
        given = [(m, round(u, 2)) for m, u in enumerate(p.truth.outcome.bolus) if u > 0]
        assert told == given
        basal = [f for f in p.facts if f.quantity == "insulin_basal_rate"]
        total = sum(f.value * (f.until - f.time) / timedelta(hours=1) for f in basal)
        assert total == pytest.approx(p.truth.outcome.basal.sum() / 60, rel=1e-9)
        stated = [f.value for f in p.facts if f.quantity == "carbohydrate_intake"]
        eaten = p.truth.outcome.eaten.sum()
        assert 0.6 < sum(stated) / eaten < 1.5
        assert sum(stated) != pytest.approx(eaten)


def test_causes_name_what_was_planted():
    careless = population(9, 20, 4, START, kind="type_1_unannounced")
    kinds = [c.kind for p in careless for c in p.causes]
    for kind in ("missed_meal", "unlogged_meal", "late_report", "compression"):
        assert kinds.count(kind) > 3
    for p in careless:
        untold = [m for m in p.truth.plan.meals if m.stated_minute is None]
        assert sum(c.kind in ("missed_meal", "unlogged_meal") for c in p.causes) == len(untold)
        for c in p.causes:
            if c.kind == "compression" and p.start < c.start < p.now - timedelta(minutes=40):
                k = (p.minute(c.start) + 15) // 5
                assert p.truth.errors.fault[k] < c.size / 2 or any(b.kind == "bias" for b in p.causes)


def test_the_demo_has_what_it_promises(demo):
    ada, ben, clara, deniz = demo
    assert [p.kind for p in demo] == ["type_1", "type_1_unannounced", "heart_failure", "type_2_logging"]
    now = ben.now
    assert all(p.now == now == datetime(2026, 3, 11, 14, 2, tzinfo=UTC) for p in demo)
    recent = [c for c in ben.causes if now - timedelta(hours=24) < c.start < now]
    assert {"missed_meal", "compression"} <= {c.kind for c in recent}
    assert not any(f.quantity == "glucose" for f in clara.facts)
    weights = [f.value for f in clara.told("body_weight")]
    assert np.mean(weights[-2:]) > np.mean(weights[:2]) + 0.5
    assert {"systolic_pressure", "heart_rate", "step_count"} <= {f.quantity for f in clara.facts}
    assert not any("insulin" in f.quantity for f in deniz.facts)
    assert any(f.quantity == "glucose" for f in deniz.facts)
    eaten = deniz.told("carbohydrate_intake")
    assert len(eaten) > 0.7 * sum(0 <= m.minute < deniz.minute(deniz.now) for m in deniz.truth.plan.meals)
    assert ada.told("insulin_bolus", "carbohydrate_intake")
    assert demo_persons(now + timedelta(seconds=5), days=6, ahead_hours=24)[0].facts == ada.facts


def test_every_kind_can_be_made():
    for kind in KINDS:
        made = person(3, 1, START, kind=kind)
        assert made.facts
        assert replace(made).identifier.startswith("synthetic-")


def test_a_start_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="aware"):
        person(1, 1, datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_hundred_people_for_four_days_take_seconds():
    begun = time.process_time()
    people = population(77, 100, 4, START)
    assert len(people) == 100
    assert time.process_time() - begun < 10.0
