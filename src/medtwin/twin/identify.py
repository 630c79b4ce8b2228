"""Identify a patient: the record's last days -> the parameters of a model, with intervals, or a reason why not.

A window is the last days up to the newest reading, with ``LEAD`` hours of doses and meals before it. It is withheld, with the
reason, where too little is told: days with readings, meals, insulin; or where the model does not speak for this person. A heart
rate holds for ``HEART`` minutes after it was read: a watch that is taken off after a run does not run on.

See :mod:`medtwin.inference.identification` for the method. A model that does not fit is said to: by its error, by parameters at
the edge of what is known of anybody (:mod:`medtwin.twin.fit` has the rule), by what a second model says of the same days.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from medtwin.errors import InferenceError
from medtwin.physiology.model import Model, Variable, priors, variables
from medtwin.record import Event, Record
from medtwin.twin.axis import Axis
from medtwin.twin.choice import diagnosed, told
from medtwin.twin.covariates import known as known_covariates
from medtwin.twin.fit import EDGE, SHARE
from medtwin.twin.tapes import Facts, facts

LEAD = 6.0  #: hours of inputs before the first reading that counts
HEART = 900.0  #: seconds for which a heart rate holds
SIZES = (1, 2, 3, 4, 5, 7, 10, 14, 21, 28)  #: days; one compilation each
LEAST_DAYS, LEAST_READINGS = 3, 0.4  #: days, and the share of a day's quarter hours with a reading that makes it one
LEAST_MEALS = 1.5  #: a day that counts
SLOT = 4.0  #: minutes; of readings that come closer only the first counts
LEVEL = 0.9
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Found:
    """One parameter; intervals are (5 %, median, 95 %) in its unit."""

    name: str
    meaning: str
    unit: str
    prior: tuple[float, float, float]
    posterior: tuple[float, float, float]
    moved: bool  #: whether the data say much of it
    edge: bool  #: whether they pull it to where nobody is
    narrower: float = 0.0  #: share of the prior's sd that the data took away; negative where modes lie apart


@dataclass(frozen=True)
class Identification:
    """What was found of a patient by one model; ``withheld`` says why nothing was."""

    patient: str
    model: Model
    since: datetime
    until: datetime
    days: int  #: with readings
    meals: int
    readings: int
    withheld: str | None = None
    parameters: tuple[Found, ...] = ()
    rmse: float = float("nan")  #: mg/dL, of the replay at the mode on the readings it was fitted to
    mard: float = float("nan")  #: %
    spread: float = float("nan")  #: mg/dL, sd of those readings
    log_evidence: float = float("nan")
    mismatch: dict[str, float] = field(default_factory=dict)  #: slow_sd and white_sd (mg/dL), slow_time (min)
    modes: tuple[tuple[float, int], ...] = ()  #: share of the mass, starts that ended there
    notes: tuple[str, ...] = ()
    replay: Any = field(default=None, repr=False)
    identified: Any = field(default=None, repr=False)
    facts: Facts | None = field(default=None, repr=False)
    first: int = 0  #: step at which the lead begins
    steps: int = 0

    @property
    def explained(self) -> float:
        """Share of the readings' variance that the replay explains; negative where the person's mean does better."""
        return 1.0 - (self.rmse / self.spread) ** 2

    @property
    def fits(self) -> bool:
        """Whether the parameters may be read at all: few at the edge, and a replay that does better than the mean."""
        return not self.withheld and self.explained > 0.0 and not _beyond([p.edge for p in self.parameters])

    def verdict(self, hidden: Collection[str] = ()) -> str:
        """One sentence: whether these days identify this person; ``hidden`` are parameters that are not shown of anybody."""
        if self.withheld:
            return f"Not identified: {self.withheld}."
        shown = [p for p in self.parameters if p.name in self.model.inferred and p.name not in hidden]
        learnt = [p.name for p in shown if p.moved and not p.edge]
        share = f"the replay explains {max(self.explained, 0.0):.0%} of how glucose varied (RMSE {self.rmse:.0f} mg/dL)"
        if not self.fits:
            why = (
                "it does worse than this person's mean"
                if self.explained <= 0.0
                else "too many parameters lie at the edge"
            )
            return f"The model does not fit these days: {why}; {share}. Do not read the parameters."
        if not learnt:
            return f"These days say little of any parameter: what is shown is the prior; {share}."
        return f"These days say something of {len(learnt)} of {len(shown)} parameters ({', '.join(learnt)}); {share}."


def _beyond(edges: Sequence[bool]) -> bool:
    return sum(edges) > SHARE * len(edges)


def too_little(
    model: Model, events: tuple[Event, ...], since: datetime, until: datetime
) -> tuple[str | None, int, int]:
    """(why these facts are too few, None where they are enough; days with readings; meals)."""
    inside = [e for e in events if since <= e.instant <= until]
    slots = {(e.instant - since) // timedelta(minutes=15) for e in inside if e.quantity == "glucose"}
    by_day = np.bincount([s // 96 for s in slots], minlength=1) if slots else np.zeros(1, int)
    days = int((by_day >= LEAST_READINGS * 96).sum())
    meals = sum(e.quantity == "carbohydrate_intake" and float(e.value) > 0 for e in inside)  # type: ignore[arg-type]
    if days < LEAST_DAYS:
        return (
            f"{days} days with readings for at least {LEAST_READINGS:.0%} of the time; {LEAST_DAYS} are needed",
            days,
            meals,
        )
    if meals < LEAST_MEALS * days:
        return f"{meals} meals in {days} days; {LEAST_MEALS:g} a day are needed", days, meals
    if any(a.quantity == "insulin_bolus" for a in model.accepts) and _injects(model):
        doses = {(e.instant - since) // timedelta(days=1) for e in inside if e.quantity == "insulin_bolus"}
        basal = any(e.quantity in ("insulin_basal_rate", "insulin_long_acting") for e in events if e.instant <= until)
        if len(doses) < 0.6 * days:
            return f"boluses on {len(doses)} of {days} days; 60 % of them are needed", days, meals
        if not basal:
            return "no basal insulin recorded; a basal rate or long-acting doses are needed", days, meals
    return None, days, meals


def _injects(model: Model) -> bool:
    return model.speaks_for is not None and "46635009" in model.speaks_for.snomed


def spoken_for(model: Model, record: Record, at: datetime) -> str | None:
    """Why the model does not speak for this person; None where it does."""
    if model.speaks_for is None:
        return None
    category = "E10" if _injects(model) else "E11"
    if diagnosed(record, (frozenset(model.speaks_for.snomed), category), at):
        return None
    return f"no diagnosis is recorded for which this model speaks. {model.speaks_for.because}"


def told_window(model: Model, record: Record, at: datetime, days: int) -> tuple[Facts, datetime, datetime, int]:
    """(facts, beginning, end, size class in days) of the last ``days`` days with readings up to ``at``.

    The size class, not shorter than the window, is for compiling alone: after the end nothing is read.
    """
    axis = Axis.of(model, record.zone)
    events = [e for e in told(model, record) if e.instant <= at]
    seen = [e.instant for e in events if e.quantity == "glucose"]
    if not seen:
        raise InferenceError(
            "no reading of glucose", expected="readings of a sensor", where=f"patient {record.patient}"
        )
    until = max(seen)
    span = (until - min(seen)) / timedelta(days=1)
    size = next((s for s in SIZES if s >= min(days, span) - 0.02), SIZES[-1])
    since = until - timedelta(days=min(days, size))
    made = facts(model, axis, events)
    doses = dict(made.doses)
    if "heart_rate" in doses:
        held = doses["heart_rate"]
        doses["heart_rate"] = dataclasses.replace(held, until=np.minimum(held.until, held.time + HEART))
    return dataclasses.replace(made, doses=doses), since, until, size


def tape_of(known: Facts, since: datetime, size: int) -> tuple[Any, int, int]:
    """(tape of ``size`` days from ``since``, of batch one, with the lead before it; its first step; its steps).

    Readings of the lead do not count.
    """
    axis = known.axis
    lead, steps = round(LEAD * 3600.0 / axis.length), round(size * 86400.0 / axis.length)
    first = axis.boundary(since) - lead
    made = known.window(first, lead + steps)
    held = made.readings["glucose"]
    held.present[:lead] = False
    least, last = SLOT * 60.0 / axis.length, float("-inf")
    for i in np.flatnonzero(held.present):
        held.present[i] = i - last >= least
        last = float(i) if held.present[i] else last
    return _batched(made), first, lead + steps


def most_readings(size: int) -> int:
    """Room for readings that are ``SLOT`` minutes apart."""
    return size * math.ceil(1440.0 / SLOT) + 96


def _batched(tape: Any) -> Any:
    import jax

    wide = jax.tree.map(lambda x: np.asarray(x)[..., None], tape)
    return dataclasses.replace(wide, start=tape.start, first=tape.first)


def identify_patient(
    record: Record,
    model: Model,
    *,
    days: int = 14,
    at: datetime | None = None,
    starts: int | None = None,
    seed: int = 0,
) -> Identification:
    """The parameters of ``model`` for this patient from the last ``days`` days up to ``at`` (default: the newest reading), from
    what was known then.

    Withheld, with the reason, where too little is told. Raises InferenceError for a record without any reading.
    """
    import jax

    from medtwin.inference import identification as method
    from medtwin.inference.problem import problem

    record = record if at is None else record.known_by(at)
    now = at or max((e.instant for e in record.of("glucose")), default=datetime.now(UTC))
    known, since, until, size = told_window(model, record, now, days)
    events = tuple(e for e in told(model, record) if e.instant <= now)
    why = spoken_for(model, record, until)
    little, counted, meals = too_little(model, events, since, until)
    if why or little:
        return Identification(record.patient, model, since, until, counted, meals, 0, withheld=why or little)
    tape, first, steps = tape_of(known, since, size)
    covariates = known_covariates(model, record)(until)
    posed = problem(model, covariates)
    replay = method.replay_of(posed)
    held = method.window(tape, dt=model.clock.step, readings=most_readings(size))
    found = method.identify(replay, held, jax.random.PRNGKey(seed), starts=starts or method.STARTS)
    return Identification(
        record.patient, model, since, until, counted, meals, int(found.readings[0]),
        parameters=_rows(model, covariates, replay, found),
        rmse=float(found.rmse[0]), mard=float(found.mard[0]), spread=_spread(tape), log_evidence=float(found.log_evidence[0]),
        mismatch=dict(zip(("slow_sd", "slow_time", "white_sd"), map(float, found.mismatch[:, 0]), strict=True)),
        modes=tuple((m.weight, m.starts) for m in method.modes(found, 0)),
        notes=_notes(known, replay, found), replay=replay, identified=found, facts=known, first=first, steps=steps,
    )  # fmt: skip


def _spread(tape: Any) -> float:
    """The sd of the readings that count, mg/dL."""
    held = tape.readings["glucose"]
    return float(np.std(np.asarray(held.value)[np.asarray(held.present)]))


def _rows(model: Model, covariates: dict[str, float], replay: Any, found: Any) -> tuple[Found, ...]:
    from medtwin.inference.identification import WIDER, draws, moved

    declared: dict[str, Variable] = {v.name: v for v in variables(model.Parameters)}
    resolved = priors(model, covariates)
    tail = (1.0 - LEVEL) / 2.0
    sample = draws(found, 0, 4000, wider=WIDER)
    _, covariance = replay.prior()
    prior_sd = np.sqrt(np.diagonal(np.asarray(covariance)))
    says = moved(found, 0, prior_sd)
    rows = []
    for i, name in enumerate(replay.problem.inferred):
        z = np.quantile(sample[i], [tail, 0.5, 1.0 - tail])
        low, middle, high = (float(v) for v in np.asarray(replay.problem.curves[name].value(z)))
        before = tuple(resolved[name].quantile(p) for p in (tail, 0.5, 1.0 - tail))
        edge = bool(abs(found.mode[i, 0]) > EDGE)
        rows.append(
            Found(
                name, declared[name].meaning, declared[name].unit, before, (low, middle, high), bool(says[i]), edge,  # type: ignore[arg-type]
                float(1.0 - np.std(sample[i]) / prior_sd[i]),
            )
        )  # fmt: skip
    return tuple(rows)


def _notes(known: Facts, replay: Any, found: Any) -> tuple[str, ...]:
    said = []
    from medtwin.inference.identification import modes

    names = replay.problem.inferred
    beyond = [n for i, n in enumerate(names) if abs(found.mode[i, 0]) > EDGE]
    if len(beyond) > SHARE * len(names):
        said.append(
            f"the model does not fit this person: {len(beyond)} of its {len(names)} parameters are pulled to the edge of "
            "what is plausible, so their intervals cannot be trusted"
        )
    several = modes(found, 0, 0.05)
    if len(several) > 1:
        shares = ", ".join(f"{m.weight:.0%}" for m in several)
        said.append(f"the days can be explained in {len(several)} ways ({shares}); intervals cover all of them")
    if found.outliers[0] > 0.02:
        said.append(f"{found.outliers[0]:.0%} of readings were given less weight as outliers")
    if "heart_rate" in known.doses and not len(known.doses["heart_rate"].time):
        said.append("no heart rate is recorded: exercise is not seen, and its parameters stay where the prior put them")
    return tuple(said)
