"""What priors follow of a person comes from the record, and what is shown as the prior is that person's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medtwin.physiology.circulation_daily import CirculationDaily
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import covariates, priors
from medtwin.record import Moment, Record, Source
from medtwin.twin.choice import Choice, circulation
from medtwin.twin.covariates import known, quantities
from medtwin.twin.twin import assimilate, prior_intervals
from twin.people import NOW, committed, event

FEMALE = replace(
    event("sex", 0.0, datetime(1939, 7, 1, tzinfo=UTC), key="Patient/1#sex"),
    source=Source("hospital", "fhir-r4/1", "0" * 32, "entry[0]"),
)


def small_and_old():
    return [
        event("body_weight", 52.0, NOW - timedelta(days=9)),
        event("body_height", 152.0, NOW - timedelta(days=9)),
        FEMALE,
    ]


def test_a_model_tells_what_its_priors_look_at():
    assert set(covariates(CirculationDaily())) == {"body_weight", "body_height", "age"}
    assert covariates(GlucoseInsulin()) == ("body_weight",)
    assert quantities(CirculationDaily()) == {"body_weight", "body_height", "age", "sex"}


def test_age_is_counted_from_birth_or_from_its_newest_statement():
    record = Record("old", committed(small_and_old()))
    assert known(CirculationDaily(), record)(NOW) == {"body_weight": 52.0, "body_height": 152.0, "age": 86.0}
    stated = [*small_and_old(), event("age", 40.0, NOW - timedelta(days=800))]
    assert known(CirculationDaily(), Record("old", committed(stated)))(NOW)["age"] == 42.0
    table = replace(FEMALE, source=Source("study", "table/1", "0" * 32, "row"), time=Moment.of(NOW), key="row 1")
    assert "age" not in known(CirculationDaily(), Record("old", committed([table])))(NOW)


def test_what_is_not_known_is_not_made_up():
    assert known(CirculationDaily(), Record("nobody", ()))(NOW) == {}


def test_the_last_value_before_a_moment_counts():
    facts = [event("body_weight", 80.0, NOW - timedelta(days=9)), event("body_weight", 70.0, NOW)]
    at = known(GlucoseInsulin(), Record("ada", committed(facts)))
    assert at(NOW - timedelta(days=1))["body_weight"] == 80.0
    assert at(NOW)["body_weight"] == 70.0
    assert at(NOW - timedelta(days=30))["body_weight"] == 80.0


def test_the_prior_that_is_used_and_shown_is_this_persons():
    cuff = [
        event(q, v, NOW - timedelta(hours=3), group="cuff")
        for q, v in (("systolic_pressure", 150.0), ("diastolic_pressure", 80.0))
    ]
    record = Record("old", committed([*small_and_old(), *cuff]))
    model, update = circulation()
    twin, _ = assimilate("old", Choice("systolic_pressure", "a cuff", model, update), record, NOW)
    expected = priors(model, {"body_weight": 52.0, "body_height": 152.0, "age": 86.0})
    shown = prior_intervals(twin)
    assert shown["systemic_resistance"][1] == pytest.approx(expected["systemic_resistance"].quantile(0.5))
    assert shown["systemic_resistance"][1] > 1.4  # 0.94 of anybody
    stranger, _ = assimilate(
        "x", Choice("systolic_pressure", "a cuff", model, update), Record("x", committed(cuff)), NOW
    )
    assert prior_intervals(stranger)["systemic_resistance"][1] == pytest.approx(0.94, abs=0.01)
    assert stranger.snapshot != twin.snapshot
