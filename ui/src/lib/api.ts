/**
 * The JSON API that the page reads: the contract between `ui/` and `medtwin.server`.
 *
 * Rules that hold everywhere
 * - Prefix `/api/v1`. JSON, UTF-8. Keys are snake_case.
 * - Times are ISO 8601 in UTC with a `Z` ("2026-03-01T07:40:00Z"; milliseconds are allowed). Where a source gave no
 *   offset or no hour, the instant is the best reading of it and `offset_known` / `precision` say so.
 * - Numbers are in the quantity's one unit (`unit`, UCUM spelling). The page converts for display only, with
 *   `display_units`: shown = value * scale + offset.
 * - No number travels without its unit. A single number is a `Value`; a series is columnar, its unit stated once.
 * - Intervals: `lower` and `upper` are quantiles that hold `level` (0.9 = 90 %) of the belief between them.
 * - Missing numbers are `null`, never NaN, never 0.
 * - Errors: status >= 400 and a body `Problem`. 403 carries the policy's reason; 404 an unknown id.
 * - Every answer that a page shows carries `now`, the server's clock, so that ages are counted against it.
 * - A writing request carries `X-Medtwin-Request: 1`; the server refuses a POST without it (403).
 */

export type Time = string;

/** Body of every answer with status >= 400 (RFC 9457's words). */
export interface Problem {
  title: string; // what went wrong, one line
  detail: string; // what was found, what was expected, where
  advice?: string; // what to do
  field?: string; // of the request, where one is at fault
  status: number;
}

/** One number with everything that makes it a statement. */
export interface Value {
  value: number;
  unit: string;
  time?: Time;
  lower?: number;
  upper?: number;
  level?: number; // 0.9 = 90 %
}

/** How a unit is shown to a person: shown = value * scale + (offset ?? 0), rounded to `decimals`. The first is the default. */
export interface DisplayUnit {
  unit: string; // "mg/dL", "mmol/L"
  scale: number;
  offset?: number;
  decimals: number;
}

/** A series of beliefs: columns of equal length. */
export interface Band {
  times: Time[];
  mean: (number | null)[];
  lower: (number | null)[]; // 5 %
  upper: (number | null)[]; // 95 %
  level: number; // 0.9
}

// ------------------------------------------------------------------------------------------- GET /patients

/** fresh: as often as the source promises; late: overdue; silent: overdue so long that beliefs on it are withheld. */
export type Freshness = 'fresh' | 'late' | 'silent';

export interface Channel {
  quantity: string; // "glucose"
  label: string; // "Glucose (CGM)"
  last: Time | null; // true time of the last datum
  expected_every_s: number | null; // null: no promise, so judged by its own usual pace
  state: Freshness | null; // null: measured too seldom to be late
}

export interface ModelStatus {
  kind: 'physiological' | 'statistical';
  name: string; // "Glucose-insulin S2008" | "statistical forecast"
  reason: string | null; // statistical: "no physiological model for this person yet"
}

/** One line about the future, or why there is none. */
export type ForecastSummary =
  | { withheld: false; horizon_minutes: number; quantity: string; value: Value; text: string; made_at: Time }
  | { withheld: true; reason: string };

export interface PatientSummary {
  id: string;
  name: string;
  synthetic: boolean; // labelled wherever the person is shown
  last_datum: { quantity: string; label: string; time: Time } | null;
  last_change: { time: Time; text: string; event: string | null } | null; // "Glucose 142 mg/dL", "Meal 45 g"
  channels: Channel[];
  open_disagreements: number;
  model: ModelStatus;
  headline: { quantity: string; label: string; value: Value; display_units: DisplayUnit[] } | null;
  forecast: ForecastSummary | null;
  as_of: Time | null; // shown as of then, since nothing was heard for three weeks
  recent: { times: Time[]; values: (number | null)[]; unit: string } | null; // the last ~3 h of the headline quantity
}

export interface Worklist {
  now: Time;
  patients: PatientSummary[];
}

// -------------------------------------------------------------------------------------- GET /patients/{id}

export interface SourceStatus {
  system: string; // "Dexcom Clarity CSV", "FHIR R4"
  label: string;
  first: Time | null;
  last: Time | null; // true time of its last fact
  received: Time | null; // when we last took something in from it
  facts: number;
  quarantined: number;
  expected_every_s: number | null;
  latency_s: number | null; // the source's stated latency
  state: Freshness | null;
}

export interface Withheld {
  parameter: string;
  label: string;
  reason: string; // "90 % intervals cover 71 %, outside 86-94 %"
}

/** An input that a scenario may plan: what the model accepts, with the range that a slider offers. */
export interface PlannableInput {
  quantity: string; // "carbohydrate_intake", "insulin_bolus"
  label: string; // "Meal, carbohydrate"
  unit: string; // "g", "U"
  min: number;
  max: number;
  step: number;
  default: number;
}

export interface PatientDetail {
  now: Time;
  id: string;
  name: string;
  synthetic: boolean;
  identifiers: { system: string; value: string }[]; // linked source keys
  sex: string | null;
  birth: string | null; // as precise as the source said: "1981", "1981-04", "1981-04-12"
  zone: { name: string | null; offset_known: boolean }; // "Europe/London"; false: times are as the source wrote them
  sources: SourceStatus[];
  models: (ModelStatus & { quantities: string[]; references: string[] })[];
  channels: Channel[];
  withheld: Withheld[];
  as_of: Time | null; // shown as of then, the last reading, since nothing was heard for three weeks
  timelines: { quantity: string; label: string; unit: string; measured: boolean; window_hours: number }[]; // what /timeline can show; the first is the default
  planned_inputs: PlannableInput[]; // empty: what-if is not offered, `what_if_reason` says why
  what_if_reason: string | null;
  last_datum: { quantity: string; label: string; time: Time } | null;
  headline: PatientSummary['headline'];
  open_disagreements: number;
  belief_hash: string | null; // content address of the current snapshot
}

// ------------------------------- GET /patients/{id}/timeline?quantity=glucose&since=TIME&until=TIME (both optional)

/** One treatment, meal or activity that the model accepts. */
export interface InputMark {
  event: string | null;
  quantity: string; // "carbohydrate_intake", "insulin_bolus", "insulin_basal", ...
  label: string; // "Meal"
  time: Time;
  until: Time | null;
  value: number;
  unit: string;
  intent: 'happened' | 'planned' | 'ordered' | 'stated';
  inferred: boolean; // true: a disagreement's winning explanation, not a fact of the record
}

export interface Timeline {
  now: Time;
  patient: string;
  quantity: string;
  label: string;
  unit: string;
  display_units: DisplayUnit[];
  plausible: { lower: number; upper: number }; // the quantity's range; a value outside is flagged, not dropped
  target: { lower: number; upper: number; label: string } | null; // a range worth shading, with its name
  since: Time;
  until: Time;
  measurements: {
    times: Time[];
    values: number[];
    sd: (number | null)[]; // the measurement's own error, 1 sd
    flags: (string | null)[]; // null, or "implausible", "sensor suspected low", ...
    events: string[]; // event id
    omitted: number; // older ones in the window that were too many to send
  };
  belief: Band | null; // null: no physiological model
  inputs: InputMark[];
}

// ------------------------------------------------- GET /patients/{id}/forecast?quantity=glucose&hours=6&as_of=TIME

export interface Forecast {
  now: Time;
  patient: string;
  quantity: string;
  label: string;
  unit: string;
  display_units: DisplayUnit[];
  made_at: Time; // the moment after which nothing was known
  basis: { kind: 'physiological' | 'statistical'; label: string }; // "S2008 with calibrated residual"
  withheld: string | null; // a reason: then the columns are empty
  widened: string | null; // a reason: "no insulin reported for 9 h"
  times: Time[];
  median: number[];
  lower50: number[]; // 25 %
  upper50: number[]; // 75 %
  lower90: number[]; // 5 %
  upper90: number[]; // 95 %
  calibration: { coverage90: number; n: number; horizon_minutes: number } | null; // how such intervals did so far
}

// ----------------------------------------------------------------------------- GET /patients/{id}/parameters

export interface IntervalEstimate {
  median: number;
  lower: number; // 5 %
  upper: number; // 95 %
}

export interface ParameterBelief {
  name: string; // "insulin_sensitivity"
  label: string; // "Insulin sensitivity"
  meaning: string;
  unit: string;
  model: string;
  scale: 'linear' | 'log';
  source: string; // where the prior comes from
  level: number; // 0.9
  prior: IntervalEstimate;
  posterior: IntervalEstimate | null; // null when withheld
  shrinkage: number | null; // 1 - posterior variance / prior variance: 0 nothing learnt, 1 known
  state: 'learnt' | 'unknown' | 'withheld'; // unknown: the posterior is as wide as the prior
  reason: string | null; // withheld: why
  calibration: { coverage: number; level: number; n: number; days: number; even: boolean } | null; // simulation-based, before this person
  updated: Time | null; // the last fact that moved it
}

export interface Parameters {
  now: Time;
  patient: string;
  parameters: ParameterBelief[];
}

// ---------------------- GET /patients/{id}/events?offset=0&limit=100&quantity=glucose   newest true time first

export interface Provenance {
  system: string;
  file: string | null; // name only, never a path of the server
  locator: string | null; // "line 812", "entry[3]/resource", "byte 1200-1320"
  raw_hash: string | null; // salted hash of the raw bytes
}

export interface EventRow {
  id: string;
  quantity: string;
  label: string;
  value: number | null; // null where the fact is a code or an artifact
  code: { system: string; code: string; display: string } | null;
  artifact: string | null;
  unit: string | null;
  sd: number | null;
  comparator: '<' | '<=' | '>' | '>=' | null;
  text: string | null; // as it was written: "7.40", "<5", "Low"
  time: Time | null; // true time
  until: Time | null;
  precision: 'instant' | 'minute' | 'hour' | 'day' | 'month' | 'year';
  offset_known: boolean;
  available: Time; // when it could be known
  recorded: number; // our commit sequence
  recorded_at: Time;
  intent: 'happened' | 'planned' | 'ordered' | 'stated';
  status: 'preliminary' | 'final' | 'corrected' | 'entered-in-error';
  basis: 'observed' | 'derived';
  flags: string[];
  group: string | null;
  source: Provenance;
  superseded_by: string | null;
}

export interface EventPage {
  now: Time;
  patient: string;
  total: number;
  offset: number;
  limit: number;
  quantities: { quantity: string; label: string; count: number }[]; // for the filter
  events: EventRow[];
}

// ----------------------------------------------------------------- GET /patients/{id}/events/{event_id}

export interface EventDetail {
  now: Time;
  patient: string;
  event: EventRow;
  chain: EventRow[]; // the supersession chain, oldest first, this event included
  group: EventRow[]; // the others of its meal, panel or beat
  surprise: {
    // what the twin made of it; null where it was not assimilated
    expected: Value;
    log_density: number; // nats, per datum
    rank: number; // 0..1, the predictive rank
    explanation: string | null;
  } | null;
}

// ------------------------------------------------------- GET /patients/{id}/raw/{hash}?locator=LOCATOR

export interface RawExcerpt {
  hash: string;
  file: string | null;
  media_type: string;
  size: number; // bytes of the whole
  locator: string | null;
  start: number; // byte offset of `text` in the whole
  text: string; // decoded with replacement; never markup, the page shows it as text
  highlight: { start: number; end: number } | null; // in characters of `text`
  truncated_before: boolean;
  truncated_after: boolean;
}

// ---------------------------------------------------------------------- GET /patients/{id}/disagreements

export interface Hypothesis {
  name: string; // "missed_meal"
  label: string; // "A meal was not announced"
  probability: number; // 0..1, among the named ones
  detail: string | null; // "about 38 g (22 to 55 g), 12:40"
}

export interface Disagreement {
  id: string;
  quantity: string;
  label: string; // "Glucose (CGM)"
  opened: Time;
  since: Time;
  until: Time;
  question: string; // "Was there a meal around 12:40 that was not entered?"
  measured: Value;
  expected: Value;
  hypotheses: Hypothesis[]; // most probable first
  winner: string; // name of the hypothesis in force
  answers: { answer: string; label: string }[]; // "yes": "Yes, I ate"
  status: 'open' | 'answered' | 'closed';
  answered: { answer: string; label: string; time: Time; by: string } | null;
  events: string[]; // the facts it is about
}

export interface Disagreements {
  now: Time;
  patient: string;
  disagreements: Disagreement[]; // open ones first, then newest first
}

/** POST /patients/{id}/disagreements/{disagreement_id}/answer  {answer} -> the Disagreement, answered. */
export interface AnswerRequest {
  answer: string;
}

// --------------------------------------------------------------------------- POST /patients/{id}/what-if

export interface PlannedEvent {
  quantity: string;
  value: number;
  unit: string; // must be the quantity's own
  time: Time;
  until?: Time | null; // the end of what lasts: a walk's heart rate
}

export interface WhatIfRequest {
  hours: number; // 1..24
  quantity?: string; // default: the headline quantity
  planned: PlannedEvent[];
}

/** A future on the common times. */
export interface Future {
  median: number[];
  lower50: number[];
  upper50: number[];
  lower90: number[];
  upper90: number[];
}

export interface WhatIf {
  now: Time;
  patient: string;
  quantity: string;
  label: string;
  unit: string;
  display_units: DisplayUnit[];
  made_at: Time;
  basis: Forecast['basis'];
  withheld: string | null;
  widened: string | null;
  target: Timeline['target'];
  times: Time[];
  baseline: Future;
  scenario: Future;
  difference: { median: number[]; lower90: number[]; upper90: number[] }; // scenario - baseline, paired member by member
  outcomes: { label: string; baseline: Value; scenario: Value }[]; // "Lowest in 6 h", "Chance below 70 mg/dL" (unit "%")
  planned: PlannedEvent[]; // as understood
}

// --------------------------------------------------------------------------------------- GET /quarantine

export interface QuarantineItem {
  id: string;
  time: Time; // when it came in
  file: string; // name only
  size: number; // bytes
  dialect: string | null; // what it was recognised as, or null
  patient: string | null;
  reason: { found: string; expected: string; where: string; todo: string };
  excerpt: string | null;
  replays: number; // how often it was tried again
}

export interface Quarantine {
  now: Time;
  items: QuarantineItem[];
}

/** POST /quarantine/{id}/replay -> what came of it. */
export interface ReplayResult {
  id: string;
  resolved: boolean; // true: it left the quarantine
  new_facts: number;
  duplicates: number;
  still: QuarantineItem | null;
}

// ------------------------------------------------- GET /people/matches, POST /people/link, unlink, refuse

/** One field of both sides; bits above 0 speak for one person, null: a side says nothing. */
export interface MatchField {
  field: string;
  older: string;
  newer: string;
  level: string; // "same", "different", ...; empty where nothing is said
  bits: number | null;
}

export interface MatchSide {
  name: string; // the patient, or the key that waits
  patient: string | null;
  key: string; // SYSTEM|VALUE
  facts: number;
  first: Time | null;
  last: Time | null;
}

export interface Match {
  id: string;
  time: Time; // when it was found
  probability: number;
  reasons: string[]; // why it was not linked
  older: MatchSide;
  newer: MatchSide;
  fields: MatchField[];
}

export interface Matches {
  now: Time;
  matches: Match[];
}

export interface PeopleRequest {
  one: string; // a patient, or a key SYSTEM|VALUE
  other: string;
  why?: string;
}

export interface PeopleDecided {
  one: string;
  other: string;
  keys: number; // keys that moved; of a refusal, pairs of keys
}

// ------------------------------------------------------------------------- GET /sources, GET /status

export interface Sources {
  now: Time;
  sources: (SourceStatus & { patients: number })[];
  unassigned: number; // facts whose owner is not known
}

export interface Status {
  now: Time;
  version: string;
  warm: boolean; // the models are compiled
  store: string; // "SQLite", "PostgreSQL"
  patients: number;
  events: number;
  quarantined: number;
  research_notice: string; // shown in the footer
}

// ------------------------------------------------------------------------------------ POST /trials/plan

/** What a trial is planned from: the names of a plan file. What an endpoint does not use must not be given. */
export interface PlanInput {
  endpoint: 'continuous' | 'binary' | 'count' | 'survival' | 'repeated';
  dialect?: string;
  title?: string;
  unit?: string; // of the effect
  alpha?: number; // of the whole test
  sides?: number;
  power?: number;
  allocation?: number; // treated patients per control
  n_control?: number | null; // given: the power of these numbers
  n_treated?: number | null;
  margin?: number | null;
  correlation?: number; // of all that is adjusted for with the outcome, within an arm
  covariates?: number | null;
  baseline_correlation?: number;
  inflation?: number;
  deflation?: number;
  convention?: string; // variance | standard-deviation
  dropout?: number; // share without an outcome: continuous, binary
  cost_ratio?: number;
  historical?: number | null; // patients that the correlation was estimated from
  correlation_se?: number | null;
  effect_sd?: number;
  looks?: number[] | null; // share of the information at each analysis
  boundary?: string;
  spending?: string;
  parameter?: number | null;
  futility?: string | null;
  futility_parameter?: number | null;
  futility_z?: number[] | null;
  binding?: boolean;
  effect?: number | null;
  sd?: number | null;
  sd_treated?: number | null;
  correlation_treated?: number | null;
  heterogeneity?: number | null;
  risk_control?: number | null;
  risk_treated?: number | null;
  scale?: string; // risk-difference | risk-ratio | odds-ratio
  rate_control?: number | null; // per unit of time
  rate_ratio?: number | null;
  exposure?: number; // units of time
  dispersion?: number;
  dropout_hazard?: number; // per unit of time: count, survival
  hazard_ratio?: number | null;
  hazard_control?: number | null;
  median_control?: number | null; // units of time
  accrual?: number | null;
  followup?: number | null;
  sds?: number[] | null; // at each visit
  visit_correlation?: number | null;
  covariance_kind?: string; // ar1 | compound-symmetry
  covariance?: number[][] | null;
  retention?: number[] | null; // share still observed at each visit, control
  retention_treated?: number[] | null;
  correlations?: number[] | null;
}

/** One planned number with the method that made it. */
export interface PlannedNumber {
  name: string;
  value: number;
  unit: string; // "1", "%", "patients", "events"
  method: string;
}

export interface PlanMethod {
  method: string;
  n_control: number | null; // null: numbers were given, or none reaches the power
  n_treated: number | null;
  power: number; // of the planned trial
}

/** What the score saves at equal power, in whole patients. */
export interface PlanSaving {
  against: string; // "no adjustment", "adjustment for the baseline alone"
  without_control: number;
  without_treated: number;
  total_saved: number; // same allocation
  controls_saved: number | null; // treated arm kept
  method: string;
}

export interface PlanLook {
  information: number;
  patients: number; // of a time to an event: events
  time: number | null;
  efficacy: number | null; // Z
  nominal: number; // one-sided level
  futility: number | null; // Z
  alpha_spent: number;
  stops_null: number; // probability
  stops_planned: number;
}

export interface PlanCurve {
  name: string; // "with score", "baseline alone", "without score"
  x: number[];
  power: number[]; // 0 to 1
  method: string;
}

export interface PlanFigure {
  title: string;
  kind: 'controls' | 'correlation' | 'dropout';
  across: string; // what x is
  curves: PlanCurve[];
  target: number;
  marked: number | null; // the plan's own x
}

export interface TrialPlan {
  now: Time;
  method: string;
  n_control: number;
  n_treated: number;
  enrolled: number; // in all, with those who leave without an outcome
  power: number;
  methods: PlanMethod[];
  numbers: PlannedNumber[];
  savings: PlanSaving[];
  looks: PlanLook[];
  boundary: string;
  figures: PlanFigure[];
  notes: string[];
  text: string; // the block for the analysis plan
  file: string; // the plan file (YAML), as `medtwin trial plan` reads it
}

// -------------------------------------------------------------- GET and POST /patients/{id}/decisions

export interface DecisionRequest {
  hours: number;
  suggested: PlannedEvent[];
  verdict: 'accepted' | 'changed' | 'refused';
  planned?: PlannedEvent[]; // what it was changed to; of another verdict nothing
  because?: string; // asked for where the verdict is changed or refused
}

/** A reading after the decision, in what was promised. */
export interface OutcomePoint {
  time: Time;
  measured: number;
  lower: number;
  median: number;
  upper: number;
  place: number; // in the promised distribution, 0 to 1
}

export interface DecisionShown {
  id: string;
  question: string;
  verdict: string;
  by: string;
  because: string;
  suggested_by: string;
  decided_at: Time;
  unit: string;
  planned: PlannedEvent[];
  carried: string; // "carried out", "not recorded", "otherwise" or "open"
  why: string;
  promised: Value | null; // two hours later
  measured: Value | null;
  counted: boolean;
  inside: number | null; // share of readings within the promised 90 %
  readings: OutcomePoint[];
}

export interface PromisesKept {
  decisions: number;
  counted: number;
  inside: number;
  lower: number | null; // exact 95 % interval of the share
  upper: number | null;
}

export interface Decisions {
  now: Time;
  patient: string;
  synthetic: boolean;
  decisions: DecisionShown[];
  kept: PromisesKept;
}

// ------------------------------ GET /patients/{id}/glucose-report?days=14&unit=mg/dL&until=TIME&goals=adult  (also .html, .pdf)

/** One metric in words, as the printed report has it. */
export interface ReportRow {
  name: string;
  value: string;
  unit: string;
  interval: string; // 95 %
  goal: string;
  before: string; // the period before
}

export interface ReportFigure {
  path: string; // of its SVG
  title: string;
  description: string;
  caption: string;
  width: number;
  height: number;
}

export interface ReportFile {
  path: string;
  label: string;
}

export interface GlucoseReportPage {
  now: Time;
  patient: string;
  synthetic: boolean;
  since: Time;
  until: Time;
  days: number;
  unit: string;
  units: string[];
  active: number; // % of the period with readings
  summary: string;
  rule: string | null; // why these numbers may not speak for the person
  rows: ReportRow[];
  figures: ReportFigure[];
  files: ReportFile[];
  notes: string[];
}

// ------------------------------------------- GET /patients/{id}/therapy-review?days=14  (also .html; takes some seconds)

/** One setting of insulin in words, as the printed review has it. */
export interface ReviewRow {
  setting: string;
  in_use: string;
  daily: string; // U a day
  suggestion: string;
  in_range: string; // change, points, 90 %
  below_70: string; // % of time then
  risk: string; // chance of too many lows then
  why: string;
}

export interface TherapyReviewPage {
  now: Time;
  patient: string;
  synthetic: boolean;
  at: Time;
  days: number;
  summary: string;
  together: string | null; // all suggestions at once
  withheld: string | null; // why nothing is suggested
  limit: string;
  rows: ReviewRow[];
  files: ReportFile[];
  notes: string[];
}

// --------------------------------------------------- GET /stream  (Server-Sent Events; `id:` on each; resumable)

/** event: belief. The twin's belief after assimilating `event`. */
export interface BeliefMessage {
  patient: string;
  quantity: string;
  time: Time;
  mean: number;
  lower: number; // 5 %
  upper: number; // 95 %
  unit: string;
  event: string | null; // the event that caused it
  latency_ms: number; // from the event's acceptance to this belief
  replayed_since: Time | null; // a late or corrected fact changed the past from here on: read the timeline again
}

/** event: event. A fact was committed. */
export interface EventMessage {
  patient: string;
  event: string;
  quantity: string;
  label: string;
  time: Time;
  value: number | null;
  unit: string | null;
  text: string; // "Glucose 142 mg/dL"
  intent: EventRow['intent'];
  flag: string | null;
}

/** event: disagreement. One was opened, changed or answered. */
export interface DisagreementMessage {
  patient: string;
  id: string;
  status: Disagreement['status'];
  question: string;
  open: number; // open ones of this patient
}

/** event: quarantine. Something was put in or left. */
export interface QuarantineMessage {
  id: string;
  file: string;
  resolved: boolean;
  total: number;
}

/** event: hello. The first message of each connection. */
export interface HelloMessage {
  now: Time;
  version: string;
}

export interface StreamMessages {
  hello: HelloMessage;
  belief: BeliefMessage;
  event: EventMessage;
  disagreement: DisagreementMessage;
  quarantine: QuarantineMessage;
}

// ------------------------------------------------------------------------------------------------- client

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

const PREFIX = 'api/v1';

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${PREFIX}${path}`, { headers: { Accept: 'application/json' }, ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError({
      title: 'The server does not answer',
      detail: 'The request did not reach it, or its answer was cut off.',
      advice: 'See whether it still runs; the page tries again with the next update.',
      status: 0,
    });
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    throw new ApiError(
      body && typeof body.title === 'string'
        ? { detail: '', status: response.status, ...body }
        : { title: `The server answered ${response.status}`, detail: response.statusText, status: response.status },
    );
  }
  return body as T;
}

function query(parameters: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return call<T>(path, {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json', 'X-Medtwin-Request': '1' },
    body: JSON.stringify(body),
    signal,
  });
}

const at = (id: string) => `/patients/${encodeURIComponent(id)}`;

export const api = {
  patients: () => call<Worklist>('/patients'),
  patient: (id: string) => call<PatientDetail>(at(id)),
  timeline: (id: string, options: { quantity?: string; since?: Time; until?: Time }, signal?: AbortSignal) =>
    call<Timeline>(`${at(id)}/timeline${query(options)}`, { signal }),
  forecast: (id: string, options: { quantity?: string; hours?: number }, signal?: AbortSignal) =>
    call<Forecast>(`${at(id)}/forecast${query(options)}`, { signal }),
  decisions: (id: string) => call<Decisions>(`${at(id)}/decisions`),
  decide: (id: string, decision: DecisionRequest) => post<Decisions>(`${at(id)}/decisions`, decision),
  glucoseReport: (id: string, options: { days: number; unit: string }, signal?: AbortSignal) =>
    call<GlucoseReportPage>(`${at(id)}/glucose-report${query(options)}`, { signal }),
  therapyReview: (id: string, signal?: AbortSignal) =>
    call<TherapyReviewPage>(`${at(id)}/therapy-review`, { signal }),
  parameters: (id: string) => call<Parameters>(`${at(id)}/parameters`),
  events: (id: string, options: { offset?: number; limit?: number; quantity?: string }) =>
    call<EventPage>(`${at(id)}/events${query(options)}`),
  event: (id: string, event: string) => call<EventDetail>(`${at(id)}/events/${encodeURIComponent(event)}`),
  raw: (id: string, hash: string, locator: string | null) =>
    call<RawExcerpt>(`${at(id)}/raw/${encodeURIComponent(hash)}${query({ locator })}`),
  disagreements: (id: string) => call<Disagreements>(`${at(id)}/disagreements`),
  answer: (id: string, disagreement: string, answer: string) =>
    post<Disagreement>(`${at(id)}/disagreements/${encodeURIComponent(disagreement)}/answer`, {
      answer,
    } satisfies AnswerRequest),
  whatIf: (id: string, request: WhatIfRequest, signal?: AbortSignal) =>
    post<WhatIf>(`${at(id)}/what-if`, request, signal),
  quarantine: () => call<Quarantine>('/quarantine'),
  replay: (id: string) => post<ReplayResult>(`/quarantine/${encodeURIComponent(id)}/replay`, {}),
  matches: () => call<Matches>('/people/matches'),
  linkPeople: (request: PeopleRequest) => post<PeopleDecided>('/people/link', request),
  refusePeople: (request: PeopleRequest) => post<PeopleDecided>('/people/refuse', request),
  sources: () => call<Sources>('/sources'),
  status: () => call<Status>('/status'),
  planTrial: (plan: PlanInput, signal?: AbortSignal) => post<TrialPlan>('/trials/plan', plan, signal),
  streamUrl: `${PREFIX}/stream`,
};
