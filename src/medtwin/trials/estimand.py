"""Estimands: what a trial is to estimate, in the five attributes of ICH E9(R1), held to their own consistency.

ICH Harmonised Guideline E9(R1), "Addendum on estimands and sensitivity analysis in clinical trials" (2019): section A.3.3,
the attributes treatment, population, variable, intercurrent events, population-level summary; section A.3.2, the
strategies. An :class:`Estimand` that contradicts itself is not made: the error says which attributes do, and what to do.

The strategies and what they ask for:

    treatment policy       the value is used whatever happened; none exists after a terminal event such as death
    hypothetical           the value that would have been, had the event not happened: ``scenario`` says in which world
    composite              the event is part of the variable: ``value`` says as what it counts there
    while on treatment     the value up to the event: the variable says so
    principal stratum      those in whom the event would (not) happen: the population says so
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from medtwin.errors import AnalysisError


class Handling(Enum):
    """ICH E9(R1), A.3.2."""

    TREATMENT_POLICY = "treatment policy"
    HYPOTHETICAL = "hypothetical"
    COMPOSITE = "composite variable"
    WHILE_ON_TREATMENT = "while on treatment"
    PRINCIPAL_STRATUM = "principal stratum"


class Kind(Enum):
    """Of the variable."""

    CONTINUOUS = "continuous"
    BINARY = "binary"
    COUNT = "count"
    TIME_TO_EVENT = "time to event"


class Summary(Enum):
    """Population-level summary, for the comparison of the conditions of treatment."""

    MEAN_DIFFERENCE = "difference in means"
    RISK_DIFFERENCE = "risk difference"
    RISK_RATIO = "risk ratio"
    ODDS_RATIO = "odds ratio"
    RATE_RATIO = "rate ratio"
    HAZARD_RATIO = "hazard ratio"
    SURVIVAL_DIFFERENCE = "difference in survival probability"
    RESTRICTED_MEAN_DIFFERENCE = "difference in restricted mean survival time"


#: The summaries of each kind of variable.
SUMMARIES = {
    Kind.CONTINUOUS: (Summary.MEAN_DIFFERENCE,),
    Kind.BINARY: (Summary.RISK_DIFFERENCE, Summary.RISK_RATIO, Summary.ODDS_RATIO),
    Kind.COUNT: (Summary.RATE_RATIO,),
    Kind.TIME_TO_EVENT: (Summary.HAZARD_RATIO, Summary.SURVIVAL_DIFFERENCE, Summary.RESTRICTED_MEAN_DIFFERENCE),
}

#: What imputation may stand for an outcome that is missing after an event, by the event's strategy.
IMPUTATIONS = {
    Handling.HYPOTHETICAL: ("MAR", "JR", "CR", "CIR", "LMCF"),
    Handling.TREATMENT_POLICY: ("MAR", "JR", "CR", "CIR", "LMCF"),
}


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """The conditions that are compared, each an arm of the trial."""

    treated: tuple[str, ...]
    control: str

    def __post_init__(self) -> None:
        every = (*self.treated, self.control)
        if not self.treated or not all(every) or len(set(every)) < len(every):
            raise AnalysisError(f"treated {self.treated}, control {self.control!r}", where="treatment",
                                expected="at least one treated arm and a control, each by a name of its own")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Population:
    """Whom the question is about."""

    description: str  #: "adults with major depression, all randomised"
    strata_by: tuple[str, ...] = ()  #: intercurrent events whose potential occurrence defines a principal stratum


@dataclass(frozen=True, kw_only=True)
class Variable:
    """The endpoint of each patient."""

    name: str  #: "change from baseline in HAMD17"
    kind: Kind
    at: str = ""  #: visit or time at which it is taken; a restricted mean or survival probability needs one
    unit: str = "1"
    until_event: tuple[str, ...] = ()  #: intercurrent events at which it stops to be taken ("while on treatment")
    includes: tuple[str, ...] = ()  #: intercurrent events that are a part of it ("composite")


@dataclass(frozen=True, kw_only=True)
class IntercurrentEvent:
    """An event after treatment begins that affects what the variable means, or whether it exists."""

    name: str  #: as the data call it, such as the ``reason`` of a table
    handling: Handling
    terminal: bool = False  #: death: no value exists after it
    scenario: str = ""  #: hypothetical: "had rescue medication not been available"
    value: str = ""  #: composite: what it counts as, "non-responder", "worst value"
    imputation: str = ""  #: of an outcome missing after it: MAR, JR, CR, CIR, LMCF


@dataclass(frozen=True, kw_only=True)
class Estimand:
    """The five attributes. Raises :class:`AnalysisError` where they contradict each other."""

    treatment: Treatment
    population: Population
    variable: Variable
    events: tuple[IntercurrentEvent, ...]
    summary: Summary
    #: of missing outcomes that no event explains; MAR is their plain reading
    otherwise: str = field(default="MAR")

    def __post_init__(self) -> None:
        names = [event.name for event in self.events]
        if not all(names) or len(set(names)) < len(names):
            raise AnalysisError(f"intercurrent events {names}", where="events", expected="each by a name, once",
                                remedy="handled in two ways it is two events: say what tells them apart")  # fmt: skip
        if not self.population.description or not self.variable.name:
            raise AnalysisError("an attribute without words", expected="a population and a variable that are described")
        if self.summary not in SUMMARIES[self.variable.kind]:
            raise AnalysisError(
                f"{self.summary.value} of a {self.variable.kind.value} variable", where="summary",
                expected=f"one of {[one.value for one in SUMMARIES[self.variable.kind]]}",
            )  # fmt: skip
        timed = (Summary.SURVIVAL_DIFFERENCE, Summary.RESTRICTED_MEAN_DIFFERENCE)
        if self.summary in timed and not self.variable.at:
            raise AnalysisError(f"{self.summary.value} without a time", expected="the variable's time, in at")
        if self.otherwise not in ("MAR", "JR", "CR", "CIR", "LMCF"):
            raise AnalysisError(f"imputation {self.otherwise!r}", expected="MAR, JR, CR, CIR or LMCF")
        for event in self.events:
            _agrees(self, event)
        for listed, handling, where in (
            (self.variable.until_event, Handling.WHILE_ON_TREATMENT, "variable.until_event"),
            (self.variable.includes, Handling.COMPOSITE, "variable.includes"),
            (self.population.strata_by, Handling.PRINCIPAL_STRATUM, "population.strata_by"),
        ):
            meant = {event.name for event in self.events if event.handling is handling}
            if over := sorted(set(listed) - meant):
                raise AnalysisError(f"{over} in {where}", where=where,
                                    expected=f"events whose strategy is {handling.value}: {sorted(meant)}")  # fmt: skip

    def imputation(self) -> dict[str, str]:
        """Strategy for :mod:`medtwin.trials.missing` by reason, ``dropout`` standing for what no event explains.

        Raises :class:`AnalysisError` for a variable that is not continuous, and for an event after which nothing may be
        imputed: its outcomes are to be set (composite), cut (while on treatment) or its patients chosen (principal
        stratum) in the data before.
        """
        if self.variable.kind is not Kind.CONTINUOUS:
            raise AnalysisError(f"a {self.variable.kind.value} variable", where="imputation", expected="a continuous one",
                                remedy="name the strategy in medtwin.trials.missing's binary, count or survival")  # fmt: skip
        if other := [event.name for event in self.events if event.handling not in IMPUTATIONS]:
            raise AnalysisError(f"events {other} that are not imputed", where="imputation",
                                expected="treatment policy or hypothetical strategies",
                                remedy="make the variable or the stratum in the data first")  # fmt: skip
        return {"dropout": self.otherwise, **{event.name: event.imputation for event in self.events}}

    def text(self) -> str:
        """For the protocol and the first page of the report."""
        lines = [
            f"Treatment: {', '.join(self.treatment.treated)} against {self.treatment.control}",
            f"Population: {self.population.description}",
            f"Variable: {self.variable.name}{' at ' + self.variable.at if self.variable.at else ''} ({self.variable.kind.value})",
            "Intercurrent events:" if self.events else "Intercurrent events: none",
        ]
        for event in self.events:
            more = event.scenario or event.value
            imputed = f"; missing outcomes: {event.imputation}" if event.imputation else ""
            lines.append(f"  {event.name}: {event.handling.value}{' (' + more + ')' if more else ''}{imputed}")
        return "\n".join([*lines, f"Summary: {self.summary.value}"])


def _agrees(estimand: Estimand, event: IntercurrentEvent) -> None:
    """Raises :class:`AnalysisError` where a strategy is at odds with the other attributes."""
    where, handling = f"event {event.name}", event.handling

    def refuse(found: str, expected: str, remedy: str = "") -> None:
        raise AnalysisError(found, expected=expected, where=where, remedy=remedy)

    if event.terminal and handling is Handling.TREATMENT_POLICY and estimand.variable.kind is not Kind.TIME_TO_EVENT:
        refuse("treatment policy for a terminal event", "a strategy that needs no value after it (E9(R1), A.3.2)",
               "composite, while on treatment, hypothetical, or a principal stratum")  # fmt: skip
    if handling is Handling.HYPOTHETICAL and not event.scenario:
        refuse("a hypothetical strategy without its scenario", "words for the world in which the event does not happen")
    if handling is Handling.COMPOSITE and (not event.value or event.name not in estimand.variable.includes):
        refuse("a composite strategy that the variable does not show", "what the event counts as, in value, and its name "
               "in variable.includes")  # fmt: skip
    if handling is Handling.WHILE_ON_TREATMENT and event.name not in estimand.variable.until_event:
        refuse("while on treatment, but the variable goes on", "the event's name in variable.until_event")
    if handling is Handling.PRINCIPAL_STRATUM and event.name not in estimand.population.strata_by:
        refuse("a principal stratum that the population does not show", "the event's name in population.strata_by")
    if handling is not Handling.HYPOTHETICAL and event.scenario:
        refuse(f"a scenario with the strategy {handling.value}", "a scenario only where the strategy is hypothetical")
    if handling is not Handling.COMPOSITE and event.value:
        refuse(f"a value with the strategy {handling.value}", "a value only where the strategy is composite")
    allowed = IMPUTATIONS.get(handling, ("",))
    if event.imputation not in allowed and not (
        event.imputation == "" and estimand.variable.kind is not Kind.CONTINUOUS
    ):
        refuse(f"imputation {event.imputation!r} with the strategy {handling.value}",
               f"one of {list(allowed)}" if allowed != ("",) else "none: nothing is imputed after it")  # fmt: skip
