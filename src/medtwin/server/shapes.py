"""The JSON of the API, as ``ui/src/lib/api.ts`` states it: one struct for each of its interfaces.

Times are UTC and written with a ``Z``; numbers are in the quantity's one unit; a missing number is ``null`` (a field that
may be left out altogether is ``UNSET`` by default). The OpenAPI description is generated from these structs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from medtwin.evidence.calibrated import Calibration

Freshness = Literal["fresh", "late", "silent"]
Intended = Literal["happened", "planned", "ordered", "stated"]
Numbers = list[float | None]


class Problem(Struct, kw_only=True):
    """The body of every answer with status >= 400 (RFC 9457's words)."""

    title: str
    detail: str
    status: int
    advice: str | UnsetType = UNSET


class Value(Struct, kw_only=True):
    """One number with everything that makes it a statement."""

    value: float
    unit: str
    time: datetime | UnsetType = UNSET
    lower: float | UnsetType = UNSET
    upper: float | UnsetType = UNSET
    level: float | UnsetType = UNSET


class DisplayUnit(Struct, kw_only=True):
    """shown = value * scale + offset, rounded to ``decimals``."""

    unit: str
    scale: float
    decimals: int
    offset: float | UnsetType = UNSET


class Band(Struct, kw_only=True):
    """A series of beliefs in columns; ``lower`` and ``upper`` hold ``level`` of the belief between them."""

    times: list[datetime]
    mean: Numbers
    lower: Numbers
    upper: Numbers
    level: float


class Channel(Struct, kw_only=True):
    quantity: str
    label: str
    last: datetime | None
    expected_every_s: float | None
    state: Freshness


class ModelStatus(Struct, kw_only=True):
    kind: Literal["physiological", "statistical"]
    name: str
    reason: str | None


class ForecastSummary(Struct, kw_only=True):
    """One line about the future; with ``withheld`` true only ``reason`` is there."""

    withheld: bool
    reason: str | UnsetType = UNSET
    horizon_minutes: float | UnsetType = UNSET
    quantity: str | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    text: str | UnsetType = UNSET
    made_at: datetime | UnsetType = UNSET


class LastDatum(Struct, kw_only=True):
    quantity: str
    label: str
    time: datetime


class LastChange(Struct, kw_only=True):
    time: datetime
    text: str
    event: str | None


class Headline(Struct, kw_only=True):
    quantity: str
    label: str
    value: Value
    display_units: list[DisplayUnit]


class Recent(Struct, kw_only=True):
    times: list[datetime]
    values: Numbers
    unit: str


class PatientSummary(Struct, kw_only=True):
    id: str
    name: str
    synthetic: bool
    last_datum: LastDatum | None
    last_change: LastChange | None
    channels: list[Channel]
    open_disagreements: int
    model: ModelStatus
    headline: Headline | None
    forecast: ForecastSummary | None
    recent: Recent | None


class Worklist(Struct, kw_only=True):
    now: datetime
    patients: list[PatientSummary]


class SourceStatus(Struct, kw_only=True):
    system: str
    label: str
    first: datetime | None
    last: datetime | None
    received: datetime | None
    facts: int
    quarantined: int
    expected_every_s: float | None
    latency_s: float | None
    state: Freshness


class Withheld(Struct, kw_only=True):
    parameter: str
    label: str
    reason: str


class PlannableInput(Struct, kw_only=True):
    quantity: str
    label: str
    unit: str
    min: float
    max: float
    step: float
    default: float


class Identifier(Struct, kw_only=True):
    system: str
    value: str


class Zone(Struct, kw_only=True):
    name: str | None
    offset_known: bool


class ModelDetail(Struct, kw_only=True):
    kind: Literal["physiological", "statistical"]
    name: str
    reason: str | None
    quantities: list[str]
    references: list[str]


class TimelineChoice(Struct, kw_only=True):
    quantity: str
    label: str
    unit: str
    window_hours: int  #: the window to begin with: the shortest that shows a dozen readings


class PatientDetail(Struct, kw_only=True):
    now: datetime
    id: str
    name: str
    synthetic: bool
    identifiers: list[Identifier]
    sex: str | None
    birth: str | None
    zone: Zone
    sources: list[SourceStatus]
    models: list[ModelDetail]
    channels: list[Channel]
    withheld: list[Withheld]
    timelines: list[TimelineChoice]
    planned_inputs: list[PlannableInput]
    what_if_reason: str | None
    last_datum: LastDatum | None
    headline: Headline | None
    open_disagreements: int
    belief_hash: str | None


class InputMark(Struct, kw_only=True):
    event: str | None
    quantity: str
    label: str
    time: datetime
    until: datetime | None
    value: float
    unit: str
    intent: Intended
    inferred: bool


class PlausibleRange(Struct, kw_only=True):
    lower: float
    upper: float


class Target(Struct, kw_only=True):
    lower: float
    upper: float
    label: str


class Measurements(Struct, kw_only=True):
    times: list[datetime]
    values: list[float]
    sd: Numbers
    flags: list[str | None]
    events: list[str]
    omitted: int  #: older ones in the window that are too many to send


class Timeline(Struct, kw_only=True):
    now: datetime
    patient: str
    quantity: str
    label: str
    unit: str
    display_units: list[DisplayUnit]
    plausible: PlausibleRange
    target: Target | None
    since: datetime
    until: datetime
    measurements: Measurements
    belief: Band | None
    inputs: list[InputMark]


class ForecastBasis(Struct, kw_only=True):
    kind: Literal["physiological", "statistical"]
    label: str


class Coverage(Struct, kw_only=True):
    coverage90: float
    n: int
    horizon_minutes: float


class Forecast(Struct, kw_only=True):
    now: datetime
    patient: str
    quantity: str
    label: str
    unit: str
    display_units: list[DisplayUnit]
    made_at: datetime
    basis: ForecastBasis
    withheld: str | None
    widened: str | None
    times: list[datetime]
    median: list[float]
    lower50: list[float]
    upper50: list[float]
    lower90: list[float]
    upper90: list[float]
    calibration: Coverage | None


class IntervalEstimate(Struct, kw_only=True):
    median: float
    lower: float
    upper: float


class ParameterBelief(Struct, kw_only=True):
    name: str
    label: str
    meaning: str
    unit: str
    model: str
    scale: Literal["linear", "log"]
    source: str
    level: float
    prior: IntervalEstimate
    posterior: IntervalEstimate | None
    shrinkage: float | None
    state: Literal["learnt", "unknown", "withheld"]
    reason: str | None
    calibration: Calibration | None
    updated: datetime | None


class Parameters(Struct, kw_only=True):
    now: datetime
    patient: str
    parameters: list[ParameterBelief]


class Provenance(Struct, kw_only=True):
    system: str
    file: str | None
    locator: str | None
    raw_hash: str | None


class Coded(Struct, kw_only=True):
    system: str
    code: str
    display: str


class EventRow(Struct, kw_only=True):
    id: str
    quantity: str
    label: str
    value: float | None
    code: Coded | None
    artifact: str | None
    unit: str | None
    sd: float | None
    comparator: Literal["<", "<=", ">", ">="] | None
    text: str | None
    time: datetime | None
    until: datetime | None
    precision: Literal["instant", "minute", "hour", "day", "month", "year"]
    offset_known: bool
    available: datetime
    recorded: int
    recorded_at: datetime
    intent: Intended
    status: Literal["final", "corrected", "entered-in-error"]
    basis: Literal["observed", "derived"]
    flags: list[str]
    group: str | None
    source: Provenance
    superseded_by: str | None


class QuantityCount(Struct, kw_only=True):
    quantity: str
    label: str
    count: int


class EventPage(Struct, kw_only=True):
    now: datetime
    patient: str
    total: int
    offset: int
    limit: int
    quantities: list[QuantityCount]
    events: list[EventRow]


class SurpriseShown(Struct, kw_only=True):
    expected: Value
    log_density: float
    rank: float
    explanation: str | None


class EventDetail(Struct, kw_only=True):
    now: datetime
    patient: str
    event: EventRow
    chain: list[EventRow]
    group: list[EventRow]
    surprise: SurpriseShown | None


class Highlight(Struct, kw_only=True):
    start: int
    end: int


class RawExcerpt(Struct, kw_only=True):
    hash: str
    file: str | None
    media_type: str
    size: int
    locator: str | None
    start: int
    text: str
    highlight: Highlight | None
    truncated_before: bool
    truncated_after: bool


class Hypothesis(Struct, kw_only=True):
    name: str
    label: str
    probability: float
    detail: str | None


class Answer(Struct, kw_only=True):
    answer: str
    label: str


class Answered(Struct, kw_only=True):
    answer: str
    label: str
    time: datetime
    by: str


class Disagreement(Struct, kw_only=True):
    id: str
    quantity: str
    label: str
    opened: datetime
    since: datetime
    until: datetime
    question: str
    measured: Value
    expected: Value
    hypotheses: list[Hypothesis]
    winner: str
    answers: list[Answer]
    status: Literal["open", "answered", "closed"]
    answered: Answered | None
    events: list[str]


class Disagreements(Struct, kw_only=True):
    now: datetime
    patient: str
    disagreements: list[Disagreement]


class AnswerRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    answer: str


class PlannedEvent(Struct, kw_only=True, forbid_unknown_fields=True):
    quantity: str
    value: float
    unit: str
    time: datetime


class WhatIfRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    hours: float
    planned: list[PlannedEvent]
    quantity: str | UnsetType = UNSET


class Future(Struct, kw_only=True):
    median: list[float]
    lower50: list[float]
    upper50: list[float]
    lower90: list[float]
    upper90: list[float]


class Difference(Struct, kw_only=True):
    median: list[float]
    lower90: list[float]
    upper90: list[float]


class Outcome(Struct, kw_only=True):
    label: str
    baseline: Value
    scenario: Value


class WhatIf(Struct, kw_only=True):
    now: datetime
    patient: str
    quantity: str
    label: str
    unit: str
    display_units: list[DisplayUnit]
    made_at: datetime
    basis: ForecastBasis
    withheld: str | None
    widened: str | None
    target: Target | None
    times: list[datetime]
    baseline: Future
    scenario: Future
    difference: Difference
    outcomes: list[Outcome]
    planned: list[PlannedEvent]


class QuarantineReason(Struct, kw_only=True):
    found: str
    expected: str
    where: str
    todo: str


class QuarantineItem(Struct, kw_only=True):
    id: str
    time: datetime
    file: str
    size: int
    dialect: str | None
    patient: str | None
    reason: QuarantineReason
    excerpt: str | None
    replays: int


class Quarantine(Struct, kw_only=True):
    now: datetime
    items: list[QuarantineItem]


class ReplayResult(Struct, kw_only=True):
    id: str
    resolved: bool
    new_facts: int
    duplicates: int
    still: QuarantineItem | None


class SourceOfAll(Struct, kw_only=True):
    system: str
    label: str
    first: datetime | None
    last: datetime | None
    received: datetime | None
    facts: int
    quarantined: int
    expected_every_s: float | None
    latency_s: float | None
    state: Freshness
    patients: int


class Sources(Struct, kw_only=True):
    now: datetime
    sources: list[SourceOfAll]
    unassigned: int


class Status(Struct, kw_only=True):
    now: datetime
    version: str
    warm: bool
    store: str
    patients: int
    events: int
    quarantined: int
    research_notice: str


class Accepted(Struct, kw_only=True):
    """What became of facts that were sent; it exists only after the commit reached the disk."""

    events: list[str]  #: ids of the facts in what was sent, new and known ones
    new: int
    duplicate: int
    superseded: int
    unassigned: int
    quarantined: int
    reasons: list[str]
    patients: list[str]
    sequence: int


class BeliefMessage(Struct, kw_only=True):
    patient: str
    quantity: str
    time: datetime
    mean: float
    lower: float
    upper: float
    unit: str
    event: str | None
    latency_ms: float
    replayed_since: datetime | None


class EventMessage(Struct, kw_only=True):
    patient: str
    event: str
    quantity: str
    label: str
    time: datetime
    value: float | None
    unit: str | None
    text: str
    intent: Intended
    flag: str | None


class DisagreementMessage(Struct, kw_only=True):
    patient: str
    id: str
    status: Literal["open", "answered", "closed"]
    question: str
    open: int


class QuarantineMessage(Struct, kw_only=True):
    id: str
    file: str
    resolved: bool
    total: int


class HelloMessage(Struct, kw_only=True):
    now: datetime
    version: str
