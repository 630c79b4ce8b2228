"""Evaluation looks at nothing that was not known, scores what it says, and beats what it must on people it was made for."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from medtwin import worlds
from medtwin.errors import FormatError, InferenceError
from medtwin.evidence import as_known, evaluation
from medtwin.record import Record, Status
from medtwin.twin.choice import choose
from medtwin.twin.residual import LEVELS, Readings, columns
from medtwin.twin.rolling import changes
from medtwin.twin.twin import assimilate
from twin.people import NOW, TYPE_1, Case, committed, event, events_of

ENDS = [1800.0, 3600.0]


@pytest.fixture(scope="module")
def person():
    """Two days, everything told in time."""
    made = worlds.person(seed=11, days=2, start=NOW - timedelta(days=2), zone="Europe/Berlin", kind="type_1")
    kept = {"glucose", "carbohydrate_intake", "insulin_bolus", "insulin_basal_rate", "body_weight", "diagnosis"}
    events = [replace(e, available=e.instant) for e in events_of(made) if e.quantity in kept]
    return Case(made, events, NOW)


def record_of(events):
    return Record("ada", committed(events), "Europe/Berlin")


def origins_of(record):
    events, _ = evaluation.prompt_readings(record, "glucose")
    return as_known.Readings(tuple(e.instant for e in events), tuple(e.available for e in events))


def as_known_changes(events):
    record = record_of(events)
    return as_known.changes_as_known("ada", choose(record), record, "glucose", origins_of(record), ENDS)


def test_what_came_in_time_is_one_fold(person):
    """Without late facts the beliefs are those of one pass over the whole record."""
    record = record_of(person.events)
    found, eras, late = as_known_changes(person.events)
    assert (eras, late) == (1, 0)
    origins = origins_of(record)
    choice = choose(record)
    twin, _ = assimilate("ada", choice, record, origins.moments[-1] + timedelta(seconds=30))
    boundaries = np.array([twin.axis.boundary(m) for m in origins.moments])
    expected = changes(twin, "glucose", boundaries, np.array([30, 60]))
    assert np.isfinite(expected).mean() > 0.95
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_planted_late_meal_is_unknown_until_it_is_told(person):
    """A meal told an hour late: absent before, exactly as if never eaten; present after, exactly as if told in time."""
    at = NOW - timedelta(hours=14, minutes=3)
    told = at + timedelta(minutes=60)
    meal = event("carbohydrate_intake", 80.0, at, key="planted", available=at)
    without, _, _ = as_known_changes(person.events)
    prompt, _, _ = as_known_changes([*person.events, meal])
    late, eras, count = as_known_changes([*person.events, replace(meal, available=told)])
    assert (eras, count) == (2, 1)
    moments = np.array([m.timestamp() for m in origins_of(record_of(person.events)).moments])
    before, after = moments < told.timestamp(), moments >= told.timestamp()
    between = (moments > at.timestamp()) & before
    np.testing.assert_array_equal(late[before], without[before])
    np.testing.assert_allclose(late[after], prompt[after], rtol=1e-9, atol=1e-9)
    # and it matters: a forecast that looked ahead would be another one
    assert between.sum() >= 10
    assert np.abs(prompt[between] - without[between]).max() > 10.0
    assert np.abs(late[after] - without[after]).max() > 1.0


def test_a_corrected_and_a_retracted_meal_count_as_they_were_known(person):
    """First 80 g, corrected to 20 g an hour later, and another one taken back: each era believes what it was told."""
    at, later = NOW - timedelta(hours=14), NOW - timedelta(hours=13)
    first = event("carbohydrate_intake", 80.0, at, key="meal")
    second = replace(event("carbohydrate_intake", 20.0, at, key="meal", available=later), status=Status.CORRECTED)
    gone = replace(first, available=later, status=Status.ENTERED_IN_ERROR)
    moments = np.array([m.timestamp() for m in origins_of(record_of(person.events)).moments])
    before, after = moments < later.timestamp(), moments >= later.timestamp()
    believed, _, _ = as_known_changes([*person.events, first])
    for newer, truth in ((second, [replace(second, available=at, status=Status.FINAL)]), (gone, [])):
        found, eras, _ = as_known_changes([*person.events, first, newer])
        in_the_end, _, _ = as_known_changes([*person.events, *truth])
        assert eras == 2
        np.testing.assert_allclose(found[before], believed[before], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found[after], in_the_end[after], rtol=1e-9, atol=1e-9)


def test_a_weight_that_comes_to_be_known_late_counts_from_then_on(person):
    """A covariate makes another problem: beliefs before it are those without it."""
    told = NOW - timedelta(hours=20)
    events = [e for e in person.events if e.quantity != "body_weight"]
    weight = event("body_weight", 96.0, NOW - timedelta(days=2), key="weight", available=told)
    moments = np.array([m.timestamp() for m in origins_of(record_of(events)).moments])
    without, _, _ = as_known_changes(events)
    prompt, _, _ = as_known_changes([*events, replace(weight, available=weight.instant)])
    late, eras, _ = as_known_changes([*events, weight])
    before = moments < told.timestamp()
    assert eras == 2
    np.testing.assert_array_equal(late[before], without[before])
    np.testing.assert_allclose(late[~before], prompt[~before], rtol=1e-9, atol=1e-9)
    assert np.nanmax(np.abs(prompt - without)) > 1.0


def test_bundled_arrivals_never_enter_early(person):
    record = record_of(person.events)
    origins = origins_of(record)
    at = NOW - timedelta(hours=20)
    late = [
        event("carbohydrate_intake", 5.0, at + timedelta(minutes=7 * i), key=f"late {i}",
              available=at + timedelta(minutes=7 * i + 90))
        for i in range(40)
    ]  # fmt: skip
    history = [*record.history, *late]
    everything, count = as_known.eras(history, origins)
    few, _ = as_known.eras(history, origins, most=5)
    assert count == 40
    assert len(everything) > 20
    assert len(few) <= 5
    assert set(few) <= set(everything)
    assert few[-1] == everything[-1]


def test_readings_that_came_after_their_successors_take_no_part():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    readings = [event("glucose", 100.0 + i, at + timedelta(minutes=5 * i)) for i in range(10)]
    readings[4] = replace(readings[4], available=at + timedelta(hours=2))
    kept, left_out = evaluation.prompt_readings(record_of(readings), "glucose")
    assert left_out == 1
    assert [float(e.value) for e in kept] == [100.0, 101, 102, 103, 105, 106, 107, 108, 109]


def statistical(seed=0, days=6, **change):
    """Readings of a person without a diagnosis: an autoregression about a daily wave."""
    rng = np.random.default_rng(seed)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    y, before, events = 0.0, 0.0, []
    for i in range(days * 288):
        y, before = 1.75 * y - 0.77 * before + 3.0 * rng.standard_normal(), y
        value = 140.0 + 25.0 * np.sin(2 * np.pi * i / 288) + y
        events.append(event("glucose", float(np.clip(value, 45, 390)), at + timedelta(minutes=5 * i), **change))
    return events


def test_nothing_after_an_origin_changes_its_forecast():
    """Changing every reading of the last day leaves all forecasts before it as they were."""
    events = statistical()
    cut = events[-288].instant
    changed = [replace(e, value=float(e.value) + 60.0) if e.instant >= cut else e for e in events]
    made = []
    for these in (events, changed):
        kept, _ = evaluation.prompt_readings(record_of(these), "glucose")
        time = np.array([e.instant.timestamp() for e in kept])
        readings = Readings(time, np.array([e.value for e in kept]))
        found = evaluation._rolled(readings, time, np.array([1800.0]), 4 * 288, None)
        made.append(found[1800.0])
    quantiles = [one[0] for one in made]
    outcomes = [one[1] for one in made]
    same = int(np.searchsorted(time[4 * 288 :] + 1800.0, cut.timestamp()))
    assert same == 288 - 6
    np.testing.assert_array_equal(outcomes[0][:same], outcomes[1][:same])
    assert (outcomes[0][same:] != outcomes[1][same:]).all()
    for method in evaluation.METHODS:
        np.testing.assert_array_equal(quantiles[0][method][:288], quantiles[1][method][:288])


def test_bands_hold_what_they_promise_where_their_assumptions_hold():
    found = evaluation.evaluate([record_of(statistical(days=10))], train=0.6)
    assert [r.horizon_minutes for r in found.results] == [30.0, 60.0]
    for result in found.results:
        assert not result.physiological
        own, ridge, steady = (result.of(m) for m in ("medtwin", "ridge", "persistence"))
        assert own.n == ridge.n == steady.n > 1000
        assert 0.85 < own.coverage90 < 0.95
        assert 0.43 < own.coverage50 < 0.57
        assert own.coverage90_interval[0] < own.coverage90 < own.coverage90_interval[1]
        assert own.rmse < 0.9 * steady.rmse
        assert own.crps < 0.9 * steady.crps
        assert own.crps < ridge.crps * 1.05
    with pytest.raises(StopIteration):
        found.results[0].of("statistical")  # the same as medtwin here: shown once


def test_persistence_is_the_reading_itself():
    """RMSE of persistence against the changes themselves, on the very origins that were scored."""
    events = statistical(days=6)
    found = evaluation.evaluate([record_of(events)], horizons=[timedelta(minutes=30)], train=0.6)
    values = np.array([e.value for e in events])
    first = int(np.searchsorted(np.arange(len(values)), 0.6 * (len(values) - 1)))
    apart = values[first + 6 :] - values[first:-6]
    steady = found.results[0].of("persistence")
    assert steady.n == len(apart)
    centred = apart - np.median(apart)  # its median change is learnt from the past, and small
    assert steady.rmse == pytest.approx(np.sqrt(np.mean(centred**2)), rel=0.05)


def test_scores_of_known_forecasts():
    """Ten outcomes against one forecast, uniform on 0 to 100."""
    quantiles = np.tile(100.0 * LEVELS, (10, 1))
    outcomes = np.arange(10.0) * 10.0 + 3.0
    score = evaluation.score("x", quantiles, outcomes)
    assert score.n == 10
    assert score.coverage50 == 0.5  # 33 ... 73
    assert score.coverage90 == 0.9  # all but 3
    assert score.width90 == pytest.approx(90.0)
    assert score.mae == pytest.approx(np.mean(np.abs(outcomes - 50.0)))
    u = outcomes / 100.0
    assert score.crps == pytest.approx(100.0 * np.mean(u**2 - u + 1.0 / 3.0), abs=0.02)


@pytest.mark.slow
def test_a_person_of_other_equations_is_forecast_well():
    """A world's person: bands calibrated, persistence beaten, physiology no worse than the machine without it."""
    person = worlds.person(seed=5, days=8, start=NOW - timedelta(days=8), zone="Europe/Berlin", kind="type_1")
    found = evaluation.evaluate([record_of(events_of(person))], train=0.7)
    for result in found.results:
        assert result.physiological
        own, steady, without = (result.of(m) for m in ("medtwin", "persistence", "statistical"))
        assert 0.8 < own.coverage90 < 0.97
        assert own.crps < 1.03 * without.crps
        if result.horizon_minutes == 60.0:
            assert own.rmse < steady.rmse
    page = evaluation.markdown(found, "A person", "some command")
    assert "Generated by `some command`" in page
    assert page.count("| ada | ") == 8
    assert json.loads(json.dumps(found.builtins()))["dialect"] == evaluation.DIALECT


def test_a_diagnosis_known_only_later_gives_no_model_before():
    """Choosing by what was known when the test part began."""
    events = statistical(days=4)
    events += [event("insulin_bolus", 3.0, events[0].instant + timedelta(hours=6 * i), key=f"b{i}") for i in range(16)]
    events.append(event("diagnosis", TYPE_1, events[0].instant, available=events[0].instant + timedelta(days=30)))
    found = evaluation.evaluate([record_of(events)], horizons=[timedelta(minutes=30)], train=0.6)
    assert not found.results[0].physiological
    assert "no diagnosis of type 1 diabetes is recorded" in found.results[0].reason


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"train": 0.99}, "0.1 to 0.95"),
        ({"horizons": [timedelta(hours=9)]}, "5 min to 6 h"),
        ({"horizons": []}, "5 min"),
    ],
)
def test_nonsense_is_refused(more, found):
    with pytest.raises(FormatError, match=found):
        evaluation.evaluate([record_of(statistical(days=2))], **more)


def test_too_few_readings_are_refused():
    with pytest.raises(InferenceError, match="300 readings of glucose"):
        evaluation.evaluate([record_of(statistical(days=2)[:300])])


def test_columns_are_those_of_the_residual():
    """The ridge baseline takes the reading and its lags of five minutes: the first columns, and nothing else."""
    time = np.arange(60) * 300.0
    readings = Readings(time, np.arange(60.0))
    x = columns(readings, np.array([50]))[:, :24]
    assert x[0, 0] == 50.0
    np.testing.assert_allclose(x[0, 1:], np.arange(1.0, 24.0))


@pytest.mark.shared
@pytest.mark.slow
def test_real_people_with_type_1_diabetes(shared_data, tmp_path, capsys):
    """T1D-UOM: the aims of the project, as the committed page is made: without the shipped people, who are these."""
    folder = shared_data / "metabolism" / "t1d_uom"
    mapping = Path(__file__).resolve().parents[2] / "docs/mappings/t1d_uom.yaml"
    out = tmp_path / "page.md"
    assert evaluation.main([str(folder), "--mapping", str(mapping), "--alone", "--out", str(out)]) == 0
    page = out.read_text()
    assert page.count("| medtwin |") == 6
    assert "MISSED" not in page, [line for line in page.splitlines() if "MISSED" in line]
    assert capsys.readouterr().out == page
