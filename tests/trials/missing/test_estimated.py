"""An estimand's strategies are what is done, and a trial that is not its own is refused."""

from dataclasses import replace

import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.estimand import (
    Estimand,
    Handling,
    IntercurrentEvent,
    Kind,
    Population,
    Summary,
    Treatment,
    Variable,
)
from medtwin.trials.missing import RepeatedTrial, conditional_mean, estimated
from trials.missing.data import simulated

ESTIMAND = Estimand(
    treatment=Treatment(treated=("1",), control="0"),
    population=Population(description="all randomised"),
    variable=Variable(name="score", kind=Kind.CONTINUOUS, at="week 12", unit="mmol/L"),
    events=(IntercurrentEvent(name="stopped", handling=Handling.TREATMENT_POLICY, imputation="JR"),),
    summary=Summary.MEAN_DIFFERENCE,
)


@pytest.fixture(scope="module")
def trial():
    base = simulated(40, visits=3, seed=2)
    reasons = ["stopped" if i % 2 else "" for i in range(20)] * 2
    return RepeatedTrial.of(base.outcome, base.arm, visits=base.visits, covariates=base.covariates, reason=reasons)


def test_it_is_the_imputation_that_it_names(trial):
    got = estimated(trial, ESTIMAND)
    plain = conditional_mean(trial, strategy={"dropout": "MAR", "stopped": "JR"})
    assert [e.name for e in got.estimates] == ["1 - 0 at week 12", "mean 0 at week 12", "mean 1 at week 12"]
    assert got.estimates[0].value == plain["1 - 0 at week 12"].value
    assert got.estimates[0].unit == "mmol/L"
    assert got.notes[0] == ESTIMAND.text()


def test_another_trial_is_refused(trial):
    with pytest.raises(AnalysisError, match="arms"):
        estimated(trial, replace(ESTIMAND, treatment=Treatment(treated=("drug",), control="0")))
    with pytest.raises(AnalysisError, match="no visit"):
        estimated(trial, replace(ESTIMAND, variable=replace(ESTIMAND.variable, at="week 52")))
    with pytest.raises(AnalysisError, match="without a strategy"):
        estimated(trial, replace(ESTIMAND, events=()))
