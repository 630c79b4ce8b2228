"""The JSON of the API, as ``ui/src/lib/api.ts`` states it: one struct for each of its interfaces.

One file a subject, named after the file of its routes (``patient.py`` is the second half of ``worklist.py``); ``common.py``
has what many answers are made of.
Times are UTC and written with a ``Z``; numbers are in the quantity's one unit; a missing number is ``null`` (a field that
may be left out altogether is ``UNSET`` by default). The OpenAPI description is generated from these structs.
"""

from medtwin.server.shapes.common import Band, DisplayUnit, Freshness, Intended, Numbers, Problem, Target, Value
from medtwin.server.shapes.decisions import DecisionRequest, Decisions, DecisionShown, OutcomePoint, PromisesKept
from medtwin.server.shapes.disagreements import Answer, Answered, AnswerRequest, Disagreement, Disagreements, Hypothesis
from medtwin.server.shapes.facts import (
    Accepted,
    Coded,
    EventDetail,
    EventPage,
    EventRow,
    Provenance,
    QuantityCount,
    SurpriseShown,
)
from medtwin.server.shapes.forecast import Coverage, Forecast, ForecastBasis, Future
from medtwin.server.shapes.glucose_report import GlucoseReportPage, ReportFigure, ReportFile, ReportRow
from medtwin.server.shapes.live import BeliefMessage, DisagreementMessage, EventMessage, HelloMessage, QuarantineMessage
from medtwin.server.shapes.parameters import IntervalEstimate, ParameterBelief, Parameters
from medtwin.server.shapes.patient import (
    Identifier,
    ModelDetail,
    PatientDetail,
    PlannableInput,
    TimelineChoice,
    Withheld,
    Zone,
)
from medtwin.server.shapes.people import Match, Matches, MatchField, MatchSide, PeopleDecided, PeopleRequest
from medtwin.server.shapes.quarantine import Quarantine, QuarantineItem, QuarantineReason, ReplayResult
from medtwin.server.shapes.raw import Highlight, RawExcerpt
from medtwin.server.shapes.sources import SourceOfAll, Sources, SourceStatus
from medtwin.server.shapes.status import Status
from medtwin.server.shapes.therapy_review import ReviewRow, TherapyReviewPage
from medtwin.server.shapes.timeline import InputMark, Measurements, PlausibleRange, Timeline
from medtwin.server.shapes.trials import (
    PlanCurve,
    PlanFigure,
    PlanInput,
    PlanLook,
    PlanMethod,
    PlannedNumber,
    PlanSaving,
    TrialPlan,
)
from medtwin.server.shapes.what_if import Difference, Outcome, PlannedEvent, WhatIf, WhatIfRequest
from medtwin.server.shapes.worklist import (
    Channel,
    ForecastSummary,
    Headline,
    LastChange,
    LastDatum,
    ModelStatus,
    PatientSummary,
    Recent,
    Worklist,
)

__all__ = [
    "Accepted", "Answer", "AnswerRequest", "Answered", "Band", "BeliefMessage", "Channel", "Coded", "Coverage",
    "DecisionRequest", "DecisionShown", "Decisions", "Difference", "Disagreement", "DisagreementMessage",
    "Disagreements", "DisplayUnit", "EventDetail", "EventMessage", "EventPage", "EventRow", "Forecast", "ForecastBasis",
    "ForecastSummary", "Freshness", "Future", "GlucoseReportPage", "Headline", "HelloMessage", "Highlight",
    "Hypothesis", "Identifier", "InputMark", "Intended", "IntervalEstimate", "LastChange", "LastDatum", "Match",
    "MatchField", "MatchSide", "Matches", "Measurements", "ModelDetail", "ModelStatus", "Numbers", "Outcome",
    "OutcomePoint", "ParameterBelief", "Parameters", "PatientDetail", "PatientSummary", "PeopleDecided",
    "PeopleRequest", "PlanCurve", "PlanFigure", "PlanInput", "PlanLook", "PlanMethod", "PlanSaving", "PlannableInput",
    "PlannedEvent", "PlannedNumber", "PlausibleRange", "Problem", "PromisesKept", "Provenance", "QuantityCount",
    "Quarantine", "QuarantineItem", "QuarantineMessage", "QuarantineReason", "RawExcerpt", "Recent", "ReplayResult",
    "ReportFigure", "ReportFile", "ReportRow", "ReviewRow", "SourceOfAll", "SourceStatus", "Sources", "Status",
    "SurpriseShown", "Target", "TherapyReviewPage", "Timeline", "TimelineChoice", "TrialPlan", "Value", "WhatIf",
    "WhatIfRequest", "Withheld", "Worklist", "Zone",
]  # fmt: skip
