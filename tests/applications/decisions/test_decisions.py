"""The loop: promised, decided, carried out or not, and the place of what happened in what was promised."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from medtwin.applications.decisions.decision import DIALECT, LEVELS, decide, decisions, facts
from medtwin.applications.decisions.outcome import kept, outcome
from medtwin.errors import FormatError
from medtwin.record import Event, Intent, Moment, Record, Source, SourcePatient
from medtwin.record.home import open_store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=4)


def fact(quantity, value, at, **more):
    return Event(
        subject=SourcePatient("pump", "1"), quantity=quantity, value=float(value), time=Moment.of(at), available=at,
        key=f"{quantity}@{at.isoformat()}", source=Source("pump", "made/1", "raw", "line"), **more,
    )  # fmt: skip


def forecast(middle, sd=20.0, withheld=None):
    """A normal forecast every five minutes for four hours."""
    from scipy.stats import norm

    times = tuple(NOW + timedelta(minutes=5 * n) for n in range(1, 49))
    return SimpleNamespace(
        quantity="glucose", made_at=NOW, label="test", times=() if withheld else times, withheld=withheld,
        at=lambda level: np.full(len(times), middle + sd * norm.ppf(level)),
    )  # fmt: skip


PLAN = (fact("insulin_bolus", 4.0, NOW + timedelta(minutes=10), intent=Intent.PLANNED),)


def decided(verdict="accepted", because="", planned=None, middle=(200.0, 140.0)):
    effect = SimpleNamespace(baseline=forecast(middle[0]), scenario=forecast(middle[1]))
    record = Record("anna", (), None)
    return decide(record, effect, PLAN, verdict, "tester", NOW, planned=planned, because=because)


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
