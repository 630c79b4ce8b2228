"""Whatever arrives in whatever order, the belief is the one that the same facts in order would have made, bit for bit."""

import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.errors import InferenceError
from medtwin.inference.update import start
from medtwin.record import Flag, Moment, Record, Status
from medtwin.twin.choice import choose
from medtwin.twin.snapshot import BEGINNING, MemoryShelf, decode, encode
from medtwin.twin.twin import RESTART, advance, assimilate
from twin.people import NOW, committed, event


def twin_of(case, events=None, shelf=None, at=NOW):
    record = case.record(events)
    return assimilate("ada", choose(record), record, at, shelf)[0]


@pytest.fixture(scope="module")
def edited(short):
    """The short life with a corrected reading, a deleted one and a late meal."""
    readings = [e for e in short.events if e.quantity == "glucose"]
    wrong, ghost = readings[200], readings[300]
    corrected = replace(
        wrong, value=wrong.value + 15.0, status=Status.CORRECTED, available=wrong.available + timedelta(hours=2)
    )
    deleted = replace(ghost, status=Status.ENTERED_IN_ERROR, available=ghost.available + timedelta(hours=1))
    late = event("carbohydrate_intake", 30.0, NOW - timedelta(hours=20), available=NOW - timedelta(hours=18))
    return [*short.events, corrected, deleted, late]


def test_the_belief_follows_the_readings(short):
    twin = twin_of(short)
    history = twin.history()
    shown = np.interp(twin.facts.readings["glucose"][0], history["boundary"], history["mean:glucose"])
    assert np.sqrt(np.mean((shown - twin.facts.readings["glucose"][1]) ** 2)) < 12.0
    assert twin.pieces[0].parent == BEGINNING
    assert [p.parent for p in twin.pieces[1:]] == [p.name for p in twin.pieces[:-1]]


@given(order=st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_arrival_gives_the_same_bits(short, edited, order: random.Random):
    shuffled = list(edited)
    order.shuffle(shuffled)
    expected, found = twin_of(short, edited), twin_of(short, shuffled)
    assert found.snapshot == expected.snapshot
    assert [p.belief for p in found.pieces] == [p.belief for p in expected.pieces]


def test_a_correction_counts_and_a_deleted_fact_does_not(short, edited):
    assert twin_of(short, edited).snapshot != twin_of(short).snapshot
    only = [e for e in edited if e.status is not Status.ENTERED_IN_ERROR]
    ghost = next(e for e in edited if e.status is Status.ENTERED_IN_ERROR)
    without = [e for e in only if e.key != ghost.key]
    assert twin_of(short, edited).snapshot == twin_of(short, without).snapshot
    assert twin_of(short, only).snapshot != twin_of(short, without).snapshot


@given(seed=st.integers(0, 2**16))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_advancing_event_by_event_equals_assimilating_at_once(short, edited, seed):
    """The live path: facts that arrive one by one, some late, some corrections."""
    order = random.Random(seed)
    begin = NOW - timedelta(hours=3)
    early = [e for e in edited if e.available <= begin]
    later = [e for e in edited if e.available > begin]
    order.shuffle(later)
    shelf, record = MemoryShelf(), short.record(early)
    twin, _ = assimilate("ada", choose(record), record, begin, shelf)
    at, quick = begin, 0
    for i, fact in enumerate(later):
        at = max(at, fact.instant)
        new = (fact.committed(len(early) + i + 1, None),)
        grown = record.grown(new)
        moved = advance(twin, record, grown, new, at, shelf)
        quick += moved is not None
        twin, _ = moved if moved is not None else assimilate("ada", choose(grown), grown, at, shelf)
        record = grown
    fresh, _ = assimilate("ada", choose(record), record, at, MemoryShelf())
    assert quick > len(later) // 2
    assert twin.snapshot == fresh.snapshot
    assert [p.belief for p in twin.pieces] == [p.belief for p in fresh.pieces]
    for name, column in twin.history().items():
        np.testing.assert_array_equal(column, fresh.history()[name])


def test_a_grown_record_is_the_record(short, edited):
    grown = short.record(edited[:700]).grown(committed(edited)[700:])
    whole = short.record(edited)
    assert [e.id for e in grown.events] == [e.id for e in whole.events]
    assert grown.keys == whole.keys


def test_a_shelf_saves_work_and_changes_nothing(short):
    class Counting(MemoryShelf):
        puts = 0

        def put(self, snapshot):
            self.puts += 1
            super().put(snapshot)

    shelf = Counting()
    first, again = twin_of(short, shelf=shelf), twin_of(short, shelf=shelf)
    folded = shelf.puts
    assert first.snapshot == again.snapshot == twin_of(short).snapshot
    assert folded == len(first.pieces)
    late = [*short.events, event("carbohydrate_intake", 25.0, NOW - timedelta(hours=13), available=NOW)]
    after = twin_of(short, late, shelf)
    same = [a.name == b.name for a, b in zip(first.pieces, after.pieces, strict=True)]
    assert same == sorted(same, reverse=True)
    assert 0 < shelf.puts - folded == same.count(False) < len(same)
    assert shelf.get(first.snapshot) is not None  # what was believed before stays answerable


def test_the_future_is_not_looked_at(short):
    at = NOW - timedelta(hours=9, minutes=7)
    past = [e for e in short.events if e.instant <= at]
    assert twin_of(short, at=at).snapshot == twin_of(short, past, at=at).snapshot


def test_known_by_hides_what_came_later(short):
    late = event("carbohydrate_intake", 60.0, NOW - timedelta(hours=5), available=NOW - timedelta(hours=1))
    record = short.record([*short.events, late])
    before = record.known_by(NOW - timedelta(hours=2))
    assert late.id not in {e.id for e in before.events}
    assert late.id in {e.id for e in record.known_by(NOW).events}
    sequence = record.history[-1].recorded
    assert late.id not in {e.id for e in record.known_by(sequence - 1, "recorded").events}


def test_what_cannot_be_true_is_not_told_to_the_model(short):
    wild = event("glucose", 5000.0, NOW - timedelta(minutes=42), flags=(Flag.IMPLAUSIBLE,))
    assert twin_of(short, [*short.events, wild]).snapshot == twin_of(short).snapshot


def test_a_long_silence_begins_anew(short):
    gap = RESTART + timedelta(days=2)
    old = [
        replace(e, time=Moment.of(e.instant - gap), available=e.available - gap, key=e.key + "old")
        for e in short.events
        if e.quantity == "glucose"
    ]
    twin = twin_of(short, [*old, *short.events])
    begun = [p for p in twin.pieces if p.parent == BEGINNING]
    assert len(begun) == 2
    assert [p.belief for p in twin.pieces[-8:]] == [p.belief for p in twin_of(short).pieces[-8:]]


@pytest.mark.slow
def test_after_a_silence_that_goes_on_nothing_is_known_any_more(short):
    at = NOW + timedelta(days=250)
    twin = twin_of(short, at=at)
    known = twin_of(short)
    assert [p.belief for p in twin.pieces[:-2]] == [p.belief for p in known.pieces[:-1]]  # not 3,000 pieces
    assert twin.pieces[-1].parent == BEGINNING
    assert twin.at == at
    prior = start(twin.choice.update, twin.problem)
    place = [prior.names.index(name) for name in twin.problem.inferred]
    np.testing.assert_allclose(twin.belief.mean[np.array(place)], prior.mean[np.array(place)], atol=1e-6)
    just_before = twin_of(short, at=NOW + RESTART - timedelta(days=1))
    assert len([p for p in just_before.pieces if p.parent == BEGINNING]) == 1


def test_a_reading_after_such_a_silence_begins_anew(short):
    at = NOW + timedelta(days=250)
    record = short.record()
    shelf = MemoryShelf()
    twin, _ = assimilate("ada", choose(record), record, at, shelf)
    reading = event("glucose", 140.0, at - timedelta(minutes=1), key="late")
    new = (reading.committed(len(record.history) + 1, None),)
    after = record.grown(new)
    quick = advance(twin, record, after, new, at, shelf)
    slow, _ = assimilate("ada", choose(after), after, at)
    assert quick is not None
    assert quick[0].snapshot == slow.snapshot


def test_a_snapshot_survives_its_bytes(short):
    piece = twin_of(short).pieces[-1]
    back = decode(encode(piece))
    assert (back.name, back.parent, back.piece, back.belief) == (piece.name, piece.parent, piece.piece, piece.belief)
    for name, column in piece.columns.items():
        np.testing.assert_array_equal(back.columns[name], column)


def test_no_model_without_a_diagnosis(short):
    record = short.record([e for e in short.events if e.quantity != "diagnosis"])
    choice = choose(record)
    assert not choice.physiological
    assert choice.reason.startswith("no physiological model for this person yet")
    with pytest.raises(InferenceError, match="no physiological model"):
        assimilate("ada", choice, record, NOW)


def test_a_negated_diagnosis_is_no_diagnosis(short):
    events = [
        replace(e, value=replace(e.value, negated=True)) if e.quantity == "diagnosis" else e for e in short.events
    ]
    assert not choose(Record("ada", committed(events))).physiological
