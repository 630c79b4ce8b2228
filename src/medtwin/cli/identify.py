"""Identify: the parameters of one patient from the last days, by one model or by two that are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import (
    AsOf,
    Home,
    Json,
    PatientId,
    command,
    emit,
    is_synthetic,
    note,
    opened,
    progress,
    table,
    titled,
)
from medtwin.cli.people import read_as_utc

if TYPE_CHECKING:
    from medtwin.twin.identify import Identification
    from medtwin.twin.responses import Response

MODELS = "glucose_meals, glucose_insulin, hovorka (type 1 diabetes), glucose_type_2"


def register(app: typer.Typer) -> None:
    command(
        app, identify,
        "medtwin identify anna",
        "medtwin identify anna --days 28",
        "medtwin identify anna --model glucose_meals --model hovorka   # where do two structures disagree?",
        "medtwin identify anna --as-of 2026-05-01T00:00+02:00 --json",
    )  # fmt: skip


def identify(
    patient: PatientId,
    days: Annotated[int, typer.Option("--days", metavar="DAYS", min=3, max=28, help="Length of the window.")] = 14,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help=f"Give it twice to compare: {MODELS}.")
    ] = None,
    starts: Annotated[
        int, typer.Option("--starts", metavar="N", min=1, max=64, help="Starts of the search: more find more modes.")
    ] = 6,
    as_of: AsOf = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Identify a patient's parameters from the last days of sensor, insulin, meals and heart rate, each with an interval.

    It says which parameters the days did not move (what is shown is then the prior), how well the model fits, and whether several
    explanations are possible. A parameter whose intervals were not shown to hold (docs/evidence/identification.md) is withheld.
    Two models show where their answers to a meal or a unit of insulin differ. It takes a minute or so for two weeks. Nothing
    here is a treatment decision.
    """
    from medtwin.evidence.calibrated import withheld_of_days
    from medtwin.physiology.models import by_name
    from medtwin.sources.times import instant
    from medtwin.twin.identify import identify_patient
    from medtwin.twin.precision import prepare
    from medtwin.twin.responses import responses

    prepare()
    asked = [by_name(name) for name in (model or ["glucose_meals"])]
    with opened(home) as (store, grant):
        record = store.record(patient, grant)
        synthetic = is_synthetic(store, grant, patient)
    moment = None if as_of in (None, "last") else instant(str(as_of), datetime.now(UTC), record.zone)
    said = read_as_utc(patient, record.zone, as_of if moment else None)
    found: list[Identification] = []
    with progress("identifying", quiet=as_json) as tell:
        for done, one in enumerate(asked):
            tell(one.name, done, len(asked))
            found.append(identify_patient(record, one, days=days, at=moment, starts=starts))
    answers = [responses(one) for one in found]
    hidden = [
        {p.name: why for p in one.parameters if (why := withheld_of_days(one.model.name, p.name))} for one in found
    ]
    if as_json:
        emit(
            "identify",
            {
                "patient": patient,
                "synthetic": synthetic,
                "research_only": True,
                "models": [_content(f, a, h) for f, a, h in zip(found, answers, hidden, strict=True)],
                "notes": said,
            },
        )
        return
    for each, refused in zip(found, hidden, strict=True):
        _show(each, synthetic, refused)
    _compare(found, answers)
    note("research output, no treatment decision")


def _content(one: Identification, answers: tuple[Response, ...], hidden: dict[str, str]) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if value == value else None

    return {
        "model": one.model.name, "since": one.since, "until": one.until, "days": one.days, "meals": one.meals,
        "readings": one.readings, "withheld": one.withheld, "rmse": number(one.rmse), "mard": number(one.mard),
        "log_evidence": number(one.log_evidence), "mismatch": one.mismatch,
        "modes": [{"share": share, "starts": starts} for share, starts in one.modes], "notes": list(one.notes),
        "parameters": [
            {
                "name": p.name, "meaning": p.meaning, "unit": p.unit, "prior": p.prior,
                "posterior": None if p.name in hidden else p.posterior, "withheld": hidden.get(p.name),
                "moved": p.moved, "at_edge": p.edge, "shown": p.name in one.model.inferred and p.name not in hidden,
            }
            for p in one.parameters
        ],
        "responses": [{"given": r.given, "at": r.at, "change": r.change, "unit": "mg/dL"} for r in answers],
    }  # fmt: skip


def _three(values: tuple[float, float, float]) -> str:
    low, middle, high = values
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _show(one: Identification, synthetic: bool, hidden: dict[str, str]) -> None:
    titled(f"{one.patient}: {one.model.name}", synthetic)
    typer.echo(
        f"{one.since:%Y-%m-%d %H:%M} to {one.until:%Y-%m-%d %H:%M} UTC; {one.days} days with readings, {one.meals} meals"
    )
    if one.withheld:
        note(f"withheld: {one.withheld}")
        return
    typer.echo(
        f"replay of {one.readings} readings: RMSE {one.rmse:.1f} mg/dL, MARD {one.mard:.1f} %; left to a slow error of "
        f"{one.mismatch['slow_sd']:.0f} mg/dL over {one.mismatch['slow_time']:.0f} min and a quick one of "
        f"{one.mismatch['white_sd']:.1f} mg/dL"
    )
    shown = [p for p in one.parameters if p.name in one.model.inferred]
    rows = [
        (p.name, p.unit, _three(p.prior), "withheld" if p.name in hidden else _three(p.posterior),
         "at the edge" if p.edge else "moved" if p.moved else "not moved: the prior")
        for p in shown
    ]  # fmt: skip
    table("Parameters, median (90 % interval)", ("", "unit", "prior", "after the days", "the data"), rows, right=(2, 3))
    for reason in dict.fromkeys(hidden[p.name] for p in shown if p.name in hidden):
        note(f"{', '.join(p.name for p in shown if hidden.get(p.name) == reason)}: {reason}")
    for sentence in one.notes:
        note(sentence)


def _compare(found: list[Identification], answers: list[tuple[Response, ...]]) -> None:
    from medtwin.twin.responses import disagree

    given = [(f, a) for f, a in zip(found, answers, strict=True) if a]
    if not given:
        return
    names = [f.model.name for f, _ in given]
    rows = []
    for each in zip(*(a for _, a in given), strict=False):
        apart = len(each) > 1 and any(disagree(each[0].change, other.change) for other in each[1:])
        rows.append((each[0].given, each[0].at, *(_three(r.change) for r in each), "they disagree" if apart else ""))
    last = range(2, 2 + len(names))
    table("Greatest change within 5 h, mg/dL", ("given", "at", *names, ""), rows, right=last)
    if len(given) > 1:
        best = max(given, key=lambda pair: pair[0].log_evidence)[0]
        others = ", ".join(
            f"{f.model.name} {f.log_evidence - best.log_evidence:.0f}" for f, _ in given if f is not best
        )
        typer.echo(
            f"log evidence against {best.model.name}: {others}. Both are wrong somewhere; trust what they agree on."
        )
