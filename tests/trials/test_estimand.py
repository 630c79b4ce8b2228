"""An estimand that contradicts itself is not made; one that does not says what is imputed how."""

from dataclasses import replace

import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.estimand import (
    SUMMARIES,
    Estimand,
    Handling,
    IntercurrentEvent,
    Kind,
    Population,
    Summary,
    Treatment,
    Variable,
)

POLICY = IntercurrentEvent(name="stopped", handling=Handling.TREATMENT_POLICY, imputation="JR")
RESCUE = IntercurrentEvent(
    name="rescue", handling=Handling.HYPOTHETICAL, scenario="had rescue not been available", imputation="MAR"
)
GOOD = Estimand(
    treatment=Treatment(treated=("drug",), control="placebo"),
    population=Population(description="adults, all randomised"),
    variable=Variable(name="change in HAMD17", kind=Kind.CONTINUOUS, at="week 6"),
    events=(POLICY, RESCUE),
    summary=Summary.MEAN_DIFFERENCE,
)


def test_what_is_imputed_how():
    assert GOOD.imputation() == {"dropout": "MAR", "stopped": "JR", "rescue": "MAR"}


def test_the_text_has_the_five_attributes_and_every_event():
    words = GOOD.text()
    assert [line.split(":")[0] for line in words.splitlines() if not line.startswith(" ")] == [
        "Treatment",
        "Population",
        "Variable",
        "Intercurrent events",
        "Summary",
    ]
    assert "rescue: hypothetical (had rescue not been available); missing outcomes: MAR" in words


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("summary", Summary)
def test_a_summary_fits_its_variable(kind, summary):
    variable = Variable(name="x", kind=kind, at="week 6")
    if summary in SUMMARIES[kind]:
        assert replace(GOOD, variable=variable, summary=summary, events=()).summary is summary
    else:
        with pytest.raises(AnalysisError, match="summary"):
            replace(GOOD, variable=variable, summary=summary, events=())


def event(handling, **more):
    return (IntercurrentEvent(name="e", handling=handling, **more),)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"events": (POLICY, POLICY)}, "once"),
        ({"events": event(Handling.HYPOTHETICAL, imputation="MAR")}, "without its scenario"),
        ({"events": event(Handling.COMPOSITE, value="worst")}, "does not show"),
        ({"events": event(Handling.WHILE_ON_TREATMENT)}, "goes on"),
        ({"events": event(Handling.PRINCIPAL_STRATUM)}, "population does not show"),
        ({"events": event(Handling.TREATMENT_POLICY, imputation="JR", terminal=True)}, "terminal"),
        ({"events": event(Handling.TREATMENT_POLICY)}, "imputation ''"),
        ({"events": event(Handling.TREATMENT_POLICY, imputation="LOCF")}, "imputation 'LOCF'"),
        ({"events": event(Handling.TREATMENT_POLICY, imputation="JR", value="x")}, "only where the strategy is composite"),
        ({"events": event(Handling.TREATMENT_POLICY, imputation="JR", scenario="x")}, "only where the strategy is hyp"),
        ({"population": Population(description="all", strata_by=("rescue",))}, "principal stratum"),
        ({"variable": replace(GOOD.variable, includes=("stopped",))}, "composite"),
        ({"population": Population(description="")}, "without words"),
        ({"otherwise": "LOCF"}, "LOCF"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(change, words):
    with pytest.raises(AnalysisError, match=words):
        replace(GOOD, **change)


def test_strategies_that_are_shown_are_accepted_but_not_imputed():
    composite = replace(
        GOOD,
        variable=replace(GOOD.variable, includes=("e",)),
        events=event(Handling.COMPOSITE, value="worst value", terminal=True),
    )
    with pytest.raises(AnalysisError, match="not imputed"):
        composite.imputation()
    survival = replace(
        GOOD, variable=Variable(name="death", kind=Kind.TIME_TO_EVENT), summary=Summary.HAZARD_RATIO,
        events=event(Handling.TREATMENT_POLICY),
    )  # fmt: skip
    with pytest.raises(AnalysisError, match="continuous"):
        survival.imputation()
    with pytest.raises(AnalysisError, match="without a time"):
        replace(survival, summary=Summary.RESTRICTED_MEAN_DIFFERENCE)


def test_a_treatment_needs_two_different_arms():
    with pytest.raises(AnalysisError, match="control"):
        Treatment(treated=("a",), control="a")
    with pytest.raises(AnalysisError, match="treated"):
        Treatment(treated=(), control="a")
