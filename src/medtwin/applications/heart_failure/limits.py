"""Whom and what the circulation under drugs does not answer, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from medtwin.errors import AnalysisError
from medtwin.physiology.drugs.heart_failure.regimen import Regimen
from medtwin.record import Record
from medtwin.twin.choice import diagnosed

#: Conditions by the word that the user writes: SNOMED CT concepts, ICD-10 (concepts from memory, check before relying on
#: them), and why.
CONDITIONS: Mapping[str, tuple[tuple[frozenset[str], str | tuple[str, ...]], str]] = {
    "atrial-fibrillation": (
        (  # paroxysmal, persistent, permanent, and flutter with it
            frozenset({"49436004", "282825002", "440059007", "440028005", "5370000"}),
            "I48",
        ),
        "a regular beat is assumed",
    ),
    "shock": (
        (frozenset({"89138009", "27942005"}), "R57"),
        "the reflex and the drugs' effects are those of people who are not in shock",
    ),
    "left-bundle-branch-block": ((frozenset({"63467002"}), "I44.7"), "the ventricle has no walls that move apart"),
    "resynchronisation": ((frozenset({"704708004"}), ()), "the ventricle has no walls that move apart"),
    "pacemaker": ((frozenset(), "Z95.0"), "a paced beat, perhaps with resynchronisation, is not in this circulation"),
    "infarction": (
        (frozenset({"22298006", "57054005", "401303003", "401314000"}), "I21"),
        "the ventricle has no walls, and a fresh infarct changes by the hour",
    ),
    "assist-device": ((frozenset({"129113007"}), ("Z95.811", "Z95.812")), "the pump is not in this circulation"),
}
FRESH = timedelta(days=28)  #: an infarction as long ago is old (I21 is coded within four weeks of its onset)
ALSO = {"cardiogenic-shock": "shock", "atrial-flutter": "atrial-fibrillation"}  #: other words for a condition
SHOCK_PRESSURE, SHOCK_OUTPUT = (
    90.0,
    1.8,
)  #: systolic mm[Hg] together with L/min/m2 (definition of cardiogenic shock in trials, from memory)
SQUARE_METRES = 1.9  #: where no body surface is known
REDUCED = 50.0  #: %, ejection fraction above which no study set an effect


def refuse_conditions(conditions: Sequence[str]) -> None:
    """Raise AnalysisError for a condition that the circulation does not have; for an unknown word as well."""
    for word in (ALSO.get(one, one) for one in conditions):
        if word not in CONDITIONS:
            raise AnalysisError(f"the condition {word[:40]!r}", expected=f"one of {', '.join(CONDITIONS)}")
        raise AnalysisError(
            f"{word.replace('-', ' ')}: {CONDITIONS[word][1]}",
            expected="a regular beat without these",
            remedy="nothing can be said of drugs then",
        )


def refuse_record(record: Record, now: datetime) -> None:
    """Raise AnalysisError where a current diagnosis is one of :data:`CONDITIONS`."""
    for word, (kind, why) in CONDITIONS.items():
        if diagnosed(record, kind, now, since=now - FRESH if word == "infarction" else None):
            raise AnalysisError(
                f"{word.replace('-', ' ')} in the record: {why}", where=f"patient {record.patient}",
                remedy="nothing can be said of drugs then",
            )  # fmt: skip


def refuse_state(seen: Mapping[str, float]) -> None:
    """Raise AnalysisError for a circulation in shock or with a preserved ejection fraction; ``seen`` by quantity, in its unit,
    what was measured before what is believed."""
    index = seen["cardiac_output"] / SQUARE_METRES
    if seen["systolic_pressure"] < SHOCK_PRESSURE and index < SHOCK_OUTPUT:
        raise AnalysisError(
            f"a systolic pressure of {seen['systolic_pressure']:.0f} mmHg and {index:.1f} L/min/m2: shock",
            expected=f"at least {SHOCK_PRESSURE:g} mmHg or {SHOCK_OUTPUT:g} L/min/m2", remedy="nothing can be said of drugs then",
        )  # fmt: skip
    ejection = seen["left_ventricular_ejection_fraction"]
    if ejection > REDUCED:
        raise AnalysisError(
            f"an ejection fraction of {ejection:.0f} %", expected=f"at most {REDUCED:g} %",
            remedy="the effects were set by people with a reduced ejection fraction; nothing can be said of others",
        )  # fmt: skip


def refuse_time(planned: Sequence[Regimen], days: float) -> None:
    """Raise AnalysisError where a drug was not studied for so long."""
    for one in planned:
        if days > (longest := one.longest_days) * (1 + 1e-9):
            raise AnalysisError(
                f"{one.agent.name} for {days / 7:.3g} weeks",
                expected=f"at most {longest:g} days, as it was studied",
                remedy=(f"look {longest / 7:.2f} weeks ahead: --weeks "
                    f"{int(100 * longest / 7) / 100:g}"),
            )  # fmt: skip
