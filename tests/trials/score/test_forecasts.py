"""Columns of forecasts: the twin's of a home's people, without look-ahead, and a model's of covariates alone."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from medtwin import worlds
from medtwin.errors import AnalysisError, MedtwinError
from medtwin.record import SourcePatient
from medtwin.record.home import open_store
from medtwin.trials.score import train
from medtwin.trials.score.model_forecasts import model_forecasts
from medtwin.trials.score.twin_forecasts import twin_forecasts
from medtwin.twin.patients import Patients
from trials.score.simulated import asked
from twin.people import NOW, event, events_of

HERE = {"quantity": "glucose", "hours": 1.0}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Ada, five days with type 1 diabetes; and Ben, of whom nothing but a cuff is known."""
    with open_store(tmp_path_factory.mktemp("home")) as store:
        grant = store.issue_grant()
        ada, ben = SourcePatient("world", "ada"), SourcePatient("world", "ben")
        store.link(ada, "ada", grant, zone="Europe/Berlin")
        store.link(ben, "ben", grant, zone="Europe/Berlin")
        person = worlds.person(seed=5, days=5, start=NOW - timedelta(days=5), zone="Europe/Berlin", kind="type_1")
        kept = {"glucose", "carbohydrate_intake", "insulin_bolus", "insulin_basal_rate", "body_weight", "diagnosis"}
        store.append([e for e in events_of(person) if e.quantity in kept], grant)
        cuff = [replace(event("systolic_pressure", 130.0, NOW - timedelta(days=k)), subject=ben) for k in range(1, 4)]
        store.append(cuff, grant)
        yield store, grant


def table(*rows):
    return pl.DataFrame(rows, schema=["patient", "baseline"], orient="row")


AT = NOW - timedelta(hours=12)


@pytest.fixture(scope="module")
def made(home):
    return twin_forecasts(*home, table(("ada", AT), ("ben", AT)), **HERE)


@pytest.mark.slow
def test_the_twins_own_forecast_at_baseline(home, made):
    people = Patients(*home)
    theirs = people.forecast("ada", people.as_of("ada", AT), hours=1.0).baseline
    assert made["forecast"][0] == pytest.approx(theirs.at(0.5)[11])
    assert made["forecast_low"][0] < made["forecast"][0] < made["forecast_high"][0]
    assert "residual" in made["forecast_by"][0]
    assert made["forecast_withheld"][0] is None


def test_who_has_no_forecast_stays_with_a_reason(made):
    assert made.height == 2
    assert made["forecast"][1] is None
    assert "not of glucose" in made["forecast_withheld"][1]


def test_nothing_after_the_baseline_is_looked_at(home, made, tmp_path):
    """A home in which nothing happened after the baseline says the same to the bit."""
    store, grant = home
    with open_store(tmp_path) as other:
        permit = other.issue_grant()
        ada = SourcePatient("world", "ada")
        other.link(ada, "ada", permit, zone="Europe/Berlin")
        past = [e for e in store.record("ada", grant).events if max(e.available, e.instant) <= AT]
        other.append([replace(e, recorded=0) for e in past], permit)
        again = twin_forecasts(other, permit, table(("ada", AT)), **HERE)
    assert again["forecast"][0] == made["forecast"][0]


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([("ada", AT.replace(tzinfo=None))], {}, "no moment with an offset"),
        ([("ada", "noon")], {}, "the moment 'noon'"),
        ([("ada", AT)], {"hours": 1000.0}, "over 1000 h"),
        ([("nobody", AT)], {}, "unknown patient"),
        ([("ada", AT)], {"baseline": "when"}, "no column"),
    ],
)
def test_what_is_refused(home, rows, more, message):
    with pytest.raises(MedtwinError, match=message):
        twin_forecasts(*home, table(*rows), **{**HERE, **more})


def test_a_score_that_takes_the_twins_forecasts(home):
    """Ten baselines of one person: enough to see that the column goes into a score."""
    moments = [NOW - timedelta(hours=6 + 6 * k) for k in range(10)]
    filled = twin_forecasts(*home, table(*(("ada", m) for m in moments)), **HERE)
    glucose = {e.instant: e.value for e in home[0].record("ada", home[1]).of("glucose")}
    seen = []
    for moment in moments:
        after = min(glucose, key=lambda when, moment=moment: abs(when - moment - timedelta(hours=1)))
        seen.append(glucose[after])
    filled = filled.with_columns(pl.Series("y", seen))
    spec = asked("physiology", forecast="forecast", forecast_made_by="the twin at baseline", correction="none",
                 covariates=[], baseline=None)  # fmt: skip
    score = train(filled, spec)
    assert score.model.recalibration.coefficients[0] > 0.0
    assert score.figures.patients == 10


def people():
    rng = np.random.default_rng(1)
    n = 40
    return pl.DataFrame({
        "kg": rng.uniform(60, 110, size=n), "cm": rng.uniform(155, 190, size=n), "years": rng.uniform(20, 70, size=n),
        "less": np.repeat([0.0, -500.0], n // 2),
    })  # fmt: skip


def test_a_models_forecast_of_covariates_alone():
    covariates = {"body_weight": "kg", "body_height": "cm", "age": "years"}
    rest = model_forecasts(people(), model="body_weight", quantity="body_weight", days=84, covariates=covariates)
    assert rest["forecast"].to_numpy() == pytest.approx(people()["kg"].to_numpy(), rel=1e-6)
    eaten = model_forecasts(
        people(),
        model="body_weight",
        quantity="body_weight",
        days=84,
        covariates=covariates,
        inputs={"energy_intake": "less"},
    )
    change = (eaten["forecast"] - eaten["kg"]).to_numpy()
    assert change[:20] == pytest.approx(0.0, abs=1e-4)
    assert (change[20:] < -2.0).all()
    assert (change[20:] > -8.0).all()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"covariates": {"shoe_size": "kg"}}, "knows nothing"),
        ({"inputs": {"insulin_bolus": "less"}}, "knows nothing"),
        ({"quantity": "glucose"}, "quantity 'glucose'"),
        ({"days": 0.0}, "0 days"),
    ],
)
def test_what_a_model_is_not_asked(more, message):
    given = {"model": "body_weight", "quantity": "body_weight", "days": 10, "covariates": {"body_weight": "kg"}}
    with pytest.raises(AnalysisError, match=message):
        model_forecasts(people(), **{**given, **more})
