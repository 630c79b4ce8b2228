"""Whose circulation: that of a record, of a row of a table, or of a published group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from medtwin.applications.heart_failure.limits import refuse_record
from medtwin.errors import AnalysisError
from medtwin.evidence.circulation_sets import ERRORS
from medtwin.evidence.haemodynamic_table import read
from medtwin.inference.haemodynamics import Personalised, personalise
from medtwin.physiology.circulation_beat import OBSERVED
from medtwin.physiology.circulation_sets import GROUPS, values_of
from medtwin.record import Basis, Intent, Record

WITHIN = timedelta(days=90)  #: older readings are of another state (judgement)
LEAST = ("systolic_pressure", "left_ventricular_ejection_fraction")  #: without which no answer is given
SETS: Mapping[str, str] = {
    "hfref-severe": "severe_heart_failure", "severe_heart_failure": "severe_heart_failure",
    "hfref-moderate": "moderate_heart_failure", "moderate_heart_failure": "moderate_heart_failure",
}  # fmt: skip
LEAKING = 20.0  #: %, regurgitant fraction from which the mitral valve is taken to leak with the ventricle's size
TIGHT: Mapping[str, float] = {"mitral_leak_reference": 230.0, "mitral_leak_growth": 0.0, "mitral_leak_area": 0.0}
#: Leaks that are tried of somebody whose valve leaks: ventricular volume at which it is as large as the area, and that area;
#: the growth is that of
#: the severe set.
REFERENCES, AREAS = (130.0, 180.0, 230.0, 300.0), (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class Whose:
    """A belief over a circulation, what it was made of, and what is known beside it."""

    label: str
    belief: Personalised
    held: Mapping[str, float]
    readings: Mapping[str, float]
    notes: tuple[str, ...]
    potassium: float | None = None
    filtration: float | None = None
    errors: float = 1.0  #: by which the errors of readings were multiplied


def of_set(name: str) -> Whose:
    """A published group, taken for one person. Raises AnalysisError for another name."""
    if name not in SETS:
        raise AnalysisError(f"the parameter set {name[:40]!r}", expected=f"one of {', '.join(SETS)}")
    group = next(one for one in GROUPS if one.name == SETS[name])
    held = {key: float(values_of(group.name)[key]) for key in group.held}
    belief = _belief({k: float(v) for k, v in group.values.items()}, held, errors=ERRORS)
    return Whose(
        group.meaning,
        belief,
        held,
        dict(group.values),
        (f"a published group taken for one person: {group.source}",),
        errors=ERRORS,
    )


def of_row(table: Path, mapping: Path, row: str) -> Whose:
    """A row of a table of people. Raises AnalysisError for a name that it does not hold."""
    people = read(table, mapping)
    found = next((one for one in people if one.name == row), None)
    if found is None:
        raise AnalysisError(
            f"no row {row[:40]!r}", expected=f"one of {', '.join(one.name for one in people[:20])}", where=str(table)
        )
    return of_readings(row, found.readings)


def of_record(record: Record, now: datetime) -> Whose:
    """The newest of each reading of the last 90 days. Raises AnalysisError where they do not suffice."""
    refuse_record(record, now)
    taken: dict[str, tuple[datetime, float]] = {}
    for name in (*OBSERVED, "potassium", "glomerular_filtration_rate"):
        for event in record.of(name, since=now - WITHIN, until=now):
            if isinstance(event.value, float) and event.basis is Basis.OBSERVED and event.intent is Intent.HAPPENED:
                taken[name] = (event.instant, float(event.value))
    if "heart_rate" not in taken:
        for event in record.of("resting_heart_rate", since=now - WITHIN, until=now):
            if isinstance(event.value, float):
                taken["heart_rate"] = (event.instant, float(event.value))
    readings = {name: value for name, (_, value) in taken.items() if name in OBSERVED}
    whose = of_readings(f"patient {record.patient}", readings)
    oldest = min((when for name, (when, _) in taken.items() if name in OBSERVED), default=now)
    note = f"{len(readings)} readings of the last {WITHIN.days} days, the oldest of {oldest:%Y-%m-%d}"
    labs = tuple(
        f"{name.replace('_', ' ')} {taken[name][1]:g} of {taken[name][0]:%Y-%m-%d}, {(now - taken[name][0]).days} days ago"
        for name in ("potassium", "glomerular_filtration_rate")
        if name in taken
    )
    potassium, filtration = (taken.get(name, (now, None))[1] for name in ("potassium", "glomerular_filtration_rate"))
    return Whose(whose.label, whose.belief, whose.held, readings, (note, *labs, *whose.notes), potassium, filtration)


def of_readings(label: str, readings: Mapping[str, float]) -> Whose:
    """Somebody of whom these were measured."""
    missing = [name for name in LEAST if name not in readings]
    if missing:
        raise AnalysisError(
            f"no {' and no '.join(missing)}", expected="blood pressure and ejection fraction at least", where=label,
            remedy="ingest an echocardiogram, or state them: medtwin state PATIENT left_ventricular_ejection_fraction '28 %'",
        )  # fmt: skip
    leaks = readings.get("mitral_regurgitant_fraction", 0.0) > LEAKING
    belief, held = _leaking(readings) if leaks else (_belief(readings, TIGHT, errors=1.0), TIGHT)
    notes = [one.sentence for one in belief.contradictions]
    if "pulmonary_wedge_pressure" not in readings:
        notes.append("no wedge pressure was measured: filling pressures are hardly known, and their bands say so")
    if not leaks:
        notes.append(
            "the mitral valve is taken to hold, since no regurgitant fraction above 20 % is known; without a leak "
            "vasodilators raise flow less"
        )
    return Whose(label, belief, held, readings, tuple(notes))


def _leaking(readings: Mapping[str, float]) -> tuple[Personalised, Mapping[str, float]]:
    """The belief with the leak, among those that are tried, that fits the readings best."""
    growth = float(values_of("severe_heart_failure")["mitral_leak_growth"])
    tried = [
        {"mitral_leak_reference": reference, "mitral_leak_growth": growth, "mitral_leak_area": area}
        for reference in REFERENCES for area in AREAS
    ]  # fmt: skip
    beliefs = personalise([dict(readings)] * len(tried), held=tried)
    fitted = [(belief.misfit, k) for k, belief in enumerate(beliefs) if belief.withheld is None]
    if not fitted:
        raise AnalysisError(f"no belief over the circulation: {beliefs[0].withheld}", remedy="look at the readings")
    best = min(fitted)[1]
    return beliefs[best], tried[best]


def _belief(readings: Mapping[str, float], held: Mapping[str, float], *, errors: float) -> Personalised:
    belief = personalise([dict(readings)], held=[dict(held)], errors=errors)[0]
    if belief.withheld is not None:
        raise AnalysisError(f"no belief over the circulation: {belief.withheld}", remedy="look at the readings")
    return belief
