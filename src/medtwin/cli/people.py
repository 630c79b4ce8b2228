"""Who is here, and what is known of one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import (
    AsOf,
    ClockName,
    Home,
    Json,
    ModelName,
    PatientId,
    ago,
    command,
    emit,
    note,
    opened,
    progress,
    table,
)

if TYPE_CHECKING:
    from medtwin.governance.grant import Grant
    from medtwin.record import Event
    from medtwin.record.store import Store
    from medtwin.twin.patients import Life, Patients

SILENT = timedelta(days=21)  #: after so long a silence the present says nothing that the prior does not say


def register(app: typer.Typer) -> None:
    command(app, patients, "medtwin patients", "medtwin patients --json")
    command(
        app, show,
        "medtwin show anna",
        "medtwin show anna --as-of 2026-05-01T08:00+02:00",
        "medtwin show anna --as-of -2h --clock recorded",
        "medtwin show anna --as-of last --json",
        "medtwin show anna --hypotheses wide   # asks about boluses, drift and illness too",
    )  # fmt: skip


def patients(home: Home = None, as_json: Json = False) -> None:
    """List the patients of this home."""
    with opened(home) as (store, grant):
        entries, waiting = store.patients(grant), store.unassigned(grant)
    if as_json:
        emit("patients", {"patients": entries, "unassigned": waiting})
        return
    now = datetime.now(UTC)
    rows = [
        (
            e.id, e.name + (" (synthetic)" if e.synthetic else ""), e.zone or "unknown", e.events,
            f"{e.first:%Y-%m-%d}" if e.first else "", f"{e.last:%Y-%m-%d %H:%M}" if e.last else "",
            ago((now - e.last).total_seconds()) if e.last else "", ", ".join(sorted({key.system for key in e.keys})),
        )
        for e in entries
    ]  # fmt: skip
    table("Patients", ("id", "name", "zone", "facts", "first", "last (UTC)", "age", "sources"), rows, right=(3, 6))
    if waiting:
        typer.echo(f"{len(waiting)} keys of sources wait for their person: see `medtwin assign`.")


def moment_of(
    store: Store, grant: Grant, patient: str, as_of: str | None
) -> tuple[datetime | None, datetime, str | None]:
    """(the moment asked for or None, the newest reading, the patient's zone); raises UnknownPatient."""
    from medtwin.errors import InferenceError
    from medtwin.sources.times import instant
    from medtwin.twin.choice import choose

    record = store.record(patient, grant)
    now = datetime.now(UTC)
    headline = choose(record).headline
    last = max((e for e in record.of(headline) if e.instant <= now), key=lambda e: e.instant, default=None)
    if last is None:
        raise InferenceError("no reading that could be shown", where=f"patient {patient}", remedy="ingest some")
    if as_of is None:
        return None, last.instant, record.zone
    when = min(last.available, now) if as_of == "last" else instant(as_of, now, record.zone)
    return when, last.instant, record.zone


def read_as_utc(patient: str, zone: str | None, *times: str | None) -> list[str]:
    """A sentence, said on standard error too, for each time that had to be read as UTC: no offset, and no zone known."""
    from medtwin.sources.times import without_offset

    said = [
        f"{text} has no offset and the zone of {patient} is not known: it was read as UTC; "
        "write an offset (+02:00, Z), or take files in with --timezone"
        for text in dict.fromkeys(times)
        if zone is None and text is not None and without_offset(text)
    ]
    for sentence in said:
        note(sentence)
    return said


def living(
    store: Store,
    grant: Grant,
    patient: str,
    as_of: str | None,
    clock: str,
    *,
    quiet: bool,
    model: str | None = None,
    bank: str = "usual",
) -> tuple[Patients, Life, datetime, datetime]:
    """(patients, life, its moment, the newest reading). Of a long silent patient only the last known life is made."""
    from medtwin.twin.patients import Patients

    if clock not in ("available", "recorded"):
        raise typer.BadParameter("available or recorded", param_hint="--clock")
    moment, newest, _ = moment_of(store, grant, patient, as_of)
    now = datetime.now(UTC)
    with progress("assimilating", quiet=quiet) as tell:
        step: Callable[[int, int], None] = lambda done, total: tell("", done, total)  # noqa: E731
        door = Patients(store, grant, model=model, bank=bank)
        if moment is not None:
            return door, door.as_of(patient, moment, clock, step), moment, newest  # type: ignore[arg-type]
        if now - newest > SILENT:
            if not quiet:
                note(f"The last reading is {ago((now - newest).total_seconds())} old; what follows is as of then.")
            then = moment_of(store, grant, patient, "last")[0] or newest
            return door, door.as_of(patient, then, "available", step), then, newest
        return door, door.life(patient, at=now, progress=step), now, newest


def show(
    patient: PatientId,
    as_of: AsOf = None,
    clock: ClockName = "available",
    model: ModelName = None,
    hypotheses: Annotated[
        str, typer.Option("--hypotheses", metavar="usual|wide", help="Why data may disagree: those that ship, or more.")
    ] = "usual",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what is known of a patient, how surely, how old it is, and what disagrees.

    Intervals hold 90 %. After three weeks of silence the patient is shown as of the last reading, and it says so.
    """
    with opened(home) as (store, grant):
        _, life, at, _ = living(store, grant, patient, as_of, clock, quiet=as_json, model=model, bank=hypotheses)
        from medtwin.evidence import calibrated
        from medtwin.twin.summary import summary

        entry = next((e for e in store.patients(grant) if e.id == patient), None)
        said = summary(life, at)
    notes = read_as_utc(patient, life.record.zone, as_of)
    withheld = {
        p.name: calibrated.withheld(said.model or "", p.name, life.twin) if hypotheses == "usual" else
        "calibrated with the usual hypotheses only" for p in said.parameters
    }  # fmt: skip
    newest = next((one.event.instant for one in said.latest if one.event.quantity == said.headline), None)
    if as_json:
        emit(
            "show",
            {
                "patient": patient, "name": entry.name if entry else "", "synthetic": bool(entry and entry.synthetic),
                "zone": life.record.zone, "at": at, "clock": clock, "notes": notes, "newest_reading": newest,
                "newest_reading_age_s": newest and (datetime.now(UTC) - newest).total_seconds(),
                "headline": said.headline,
                "model": {"name": said.model, "reason": said.reason, "physiological": life.twin is not None},
                "snapshot": said.snapshot, "belief_level": 0.9,
                "belief": {
                    q: {**_interval(i, unit_of(q)), "measured": any(one.event.quantity == q for one in said.latest)}
                    for q, i in said.belief.items()
                },
                "parameters": [
                    {
                        "name": p.name, "meaning": p.meaning, "prior": _interval(p.prior, p.unit),
                        "posterior": None if withheld[p.name] else _interval(p.posterior, p.unit),
                        "withheld": withheld[p.name],
                    }
                    for p in said.parameters
                ],
                "explanations": said.explanations, "diagnoses": said.diagnoses,
                "latest": [
                    {
                        "quantity": one.event.quantity, "value": value_of(one.event), "negated": negated(one.event),
                        "unit": unit_of(one.event.quantity),
                        "time": one.event.instant, "offset_known": one.event.time.offset_known, "age_s": one.age,
                        "facts": one.facts, "source": one.event.source.system, "flags": one.event.flags,
                    }
                    for one in said.latest
                ],
            },
        )  # fmt: skip
        return
    from medtwin.quantities.units import written as shown

    name = f"{patient}" + (f", {entry.name}" if entry and entry.name else "")
    typer.secho(name + (" (synthetic)" if entry and entry.synthetic else ""), bold=True)
    age = f"newest {said.headline} {ago((at - newest).total_seconds())} before" if newest else "nothing was known here"
    typer.echo(f"As of {at:%Y-%m-%d %H:%M} UTC; {age}; zone {life.record.zone or 'unknown'}")
    typer.echo(f"Model: {said.model or 'none'} ({said.reason})")
    rows = [
        (
            one.event.quantity, written(one.event), f"{one.event.instant:%Y-%m-%d %H:%M}", ago(one.age), one.facts,
            one.event.source.system, ", ".join(one.event.flags),
        )
        for one in said.latest
    ]  # fmt: skip
    table("Newest facts", ("quantity", "value", "time (UTC)", "age", "facts", "source", "flags"), rows, right=(1, 3, 4))
    if life.twin is None:
        return
    measured = {one.event.quantity for one in said.latest}
    believed = [
        (q, *_figures(i), unit_shown(q), "measured" if q in measured else "model alone") for q, i in said.belief.items()
    ]
    table("Belief now", ("quantity", "5 %", "median", "95 %", "unit", "from"), believed, right=(1, 2, 3))
    if len(measured & set(said.belief)) < len(said.belief):
        typer.echo(
            "From the model alone: never measured in this person, and no calibration stands behind the interval."
        )
    hidden = ("withheld", "", "")
    learnt = [
        (p.meaning, *_figures(p.prior), *(hidden if withheld[p.name] else _figures(p.posterior)), shown(p.unit))
        for p in said.parameters
    ]
    columns = ("what is learnt", "prior 5 %", "median", "95 %", "now 5 %", "median", "95 %", "unit")
    table("Prior against posterior", columns, learnt, right=range(1, 7))
    for reason in dict.fromkeys(reason for reason in withheld.values() if reason):
        names = ", ".join(p.name for p in said.parameters if withheld[p.name] == reason)
        typer.echo(f"Withheld ({names}): {reason}")
    reasons = [(e.name, f"{e.probability:.0%}", e.meaning) for e in said.explanations]
    table("Why readings and model may disagree", ("explanation", "probability", "meaning"), reasons, right=(1,))
    first = said.explanations[0] if said.explanations else None
    if first is not None and first.question:
        typer.secho(first.question, fg=typer.colors.YELLOW)
    typer.echo(f"Belief {said.snapshot}")


def _interval(interval: tuple[float, float, float], unit: str) -> dict[str, Any]:
    return {"lower": interval[0], "median": interval[1], "upper": interval[2], "unit": unit}


def _figures(interval: tuple[float, float, float]) -> tuple[str, ...]:
    return tuple(f"{value:.3g}" for value in interval)


def unit_of(quantity: str) -> str:
    from medtwin.quantities import registry

    return registry.get(quantity).unit


def unit_shown(quantity: str) -> str:
    """The unit as people write it."""
    from medtwin.quantities.units import written as shown

    return shown(unit_of(quantity))


def lowest(quantity: str) -> float:
    """The lowest value that is plausible, in the quantity's unit: no forecast goes below it."""
    from medtwin.quantities import registry

    return registry.get(quantity).low


def way_out(withheld: str, as_of: str | None) -> str:
    """Why something is withheld and, of a reading that is old, what to ask instead."""
    if as_of is None and withheld.startswith("the last reading is"):
        return f"{withheld}; see what would have been said then: --as-of last"
    return withheld


def negated(event: Event) -> bool:
    """Whether a coded fact says that something is not so: a diagnosis that was refuted, no known allergy."""
    return bool(getattr(event.value, "negated", False))


def value_of(event: Event) -> float | str | None:
    """The value of a fact for JSON: a number, or its code, which holds only where :func:`negated` is false."""
    value = event.value
    return value if isinstance(value, float) or value is None else getattr(value, "code", None) or str(value)


def written(event: Event) -> str:
    """The value of a fact for people, with its unit."""
    value = event.value
    if isinstance(value, float):
        return f"{event.comparator or ''}{value:.4g} {unit_shown(event.quantity)}".strip()
    words = getattr(value, "display", "") or getattr(value, "code", "") or (event.text or "")[:40]
    return f"no {words}" if negated(event) else words
