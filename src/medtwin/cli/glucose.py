"""Glucose: the one-page report of a person's sensor, and error grids of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import (
    RESEARCH,
    AsOf,
    GlucoseUnit,
    Home,
    Json,
    PatientId,
    command,
    emit,
    glucose_unit,
    is_synthetic,
    note,
    opened,
    progress,
    table,
    titled,
)
from medtwin.cli.people import living, read_as_utc, way_out

if TYPE_CHECKING:
    from medtwin.applications.glucose_report.report import GlucoseReport
    from medtwin.twin.forecast import Effect

UNSPOKEN = (
    "state a diagnosis that no file names (`medtwin state PATIENT diagnosis 46635009`), and take doses of insulin in"
)
glucose_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Report a person's glucose; judge a sensor."
)


def register(app: typer.Typer) -> None:
    command(
        glucose_app, report,
        "medtwin glucose report anna",
        "medtwin glucose report anna --days 28 --until 2026-05-01T00:00+02:00",
        "medtwin glucose report anna --out anna.html",
        "medtwin glucose report anna --out anna.pdf --goals older --unit mmol/L",
        "medtwin glucose report anna --json",
    )  # fmt: skip
    command(
        glucose_app, plan,
        "medtwin glucose plan deniz",
        "medtwin glucose plan deniz --out deniz.html",
        "medtwin glucose plan deniz --json",
    )  # fmt: skip
    command(
        glucose_app, review,
        "medtwin glucose review anna",
        "medtwin glucose review anna --days 21 --out anna.html",
        "medtwin glucose review anna --json",
    )  # fmt: skip
    command(
        glucose_app, doses,
        "medtwin glucose doses anna --carbs 60 --in 20m --units 2,4,6",
        "medtwin glucose doses anna --carbs 60 --units 0,3,6 --bolus-in 5m --json",
    )  # fmt: skip
    command(glucose_app, grid, "medtwin glucose grid pairs.csv", "medtwin glucose grid pairs.csv --json")
    app.add_typer(glucose_app, name="glucose")


def report(
    patient: PatientId,
    days: Annotated[int, typer.Option("--days", metavar="DAYS", min=1, max=366, help="Length of the period.")] = 14,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Its end; without it the newest reading.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the page here: .html or .pdf.")
    ] = None,
    goals: Annotated[
        str, typer.Option("--goals", metavar="adult|older", help="Whose goals: older is for those at high risk too.")
    ] = "adult",
    unit: GlucoseUnit = "mg/dL",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Report sensor glucose on one page (AGP): ranges, variability, episodes, risk, the day's profile, what changed.

    Intervals (95 %) come from resampling days. With fewer than 14 days or 70 % of readings it is said that the numbers may not
    speak for the person. Nothing here is a treatment decision.
    """
    from medtwin.applications.glucose_report.content import content
    from medtwin.applications.glucose_report.report import glucose_report
    from medtwin.sources.times import instant

    if goals not in ("adult", "older"):
        raise typer.BadParameter("adult or older", param_hint="--goals")
    glucose_unit(unit)
    if out is not None and out.suffix.lower() not in (".html", ".pdf"):
        raise typer.BadParameter("a file that ends in .html or .pdf", param_hint="--out")
    with opened(home) as (store, grant):
        record = store.record(patient, grant)
        entry = next((one for one in store.patients(grant) if one.id == patient), None)
    end = instant(until, datetime.now(UTC), record.zone) if until else None
    said = read_as_utc(patient, record.zone, until)
    made = glucose_report(record, end, days, goals=goals, synthetic=bool(entry and entry.synthetic), unit=unit)
    if out is not None:
        from medtwin.applications.glucose_report.write import save

        save(made, out)
    if as_json:
        emit("glucose-report", {**content(made), "notes": [*made.notes, *said], "file": str(out) if out else None,
                                "research_only": True})  # fmt: skip
        return
    _show(made)
    note(RESEARCH)
    if out is not None:
        note(f"wrote {out}")


def _show(made: GlucoseReport) -> None:
    from medtwin.applications.glucose_report import episode_rows
    from medtwin.applications.glucose_report.rows import rows
    from medtwin.applications.glucose_report.sentences import change, sufficiency

    now = made.now
    typer.secho(f"{made.patient}{' (SYNTHETIC DATA)' if made.synthetic else ''}", bold=True)
    since, until = (episode_rows.local(moment, made) for moment in (now.since, now.until))
    typer.echo(f"{since} to {until} ({made.zone or 'UTC or the device clock'}); sensor active {now.active:.1f} %")
    typer.echo(change(made))
    if rule := sufficiency(made):
        typer.secho(rule, fg=typer.colors.YELLOW)
    table("Glucose", ("", "value", "unit", "95 % interval", "goal", "before"), rows(made), right=(1, 3, 5))
    if told := episode_rows.rows(made):
        left = episode_rows.left_out(made)
        older = f"; {left} older ones are not shown" if left else ""
        clock = made.zone or "UTC or the device clock"
        table(f"Episodes, {made.unit.name}, times in {clock}{older}", episode_rows.HEAD, told, right=(3, 4, 5))
    for one in made.notes:
        note(one)


def plan(
    patient: PatientId,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="As of then; without it the newest reading.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the plan here: .html or .pdf.")
    ] = None,
    unit: GlucoseUnit = "mg/dL",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Rank a person's own meals by the rise of glucose that is expected, and say what changes it.

    For people who inject no insulin, who logged meals while they wore a sensor. A person's own meals correct what other
    people's showed; what the record does not tell (a walk, sleep) is called unknown. Research output, no advice.
    """
    from medtwin.applications.day_plan.plan import day_plan
    from medtwin.applications.day_plan.write import content, effect_rows, headline, meal_rows, save
    from medtwin.sources.times import instant

    if out is not None and out.suffix.lower() not in (".html", ".pdf"):
        raise typer.BadParameter("a file that ends in .html or .pdf", param_hint="--out")
    shown = glucose_unit(unit)
    with opened(home) as (store, grant):
        record = store.record(patient, grant)
        entry = next((one for one in store.patients(grant) if one.id == patient), None)
    made = day_plan(
        record,
        instant(until, datetime.now(UTC), record.zone) if until else None,
        synthetic=bool(entry and entry.synthetic),
        unit=shown.name,
    )
    if out is not None:
        save(made, out)
    if as_json:
        emit("glucose-plan", {**content(made), "file": str(out) if out else None})
        return
    typer.secho(f"{made.patient}{' (SYNTHETIC DATA)' if made.synthetic else ''}", bold=True)
    typer.echo(headline(made))
    typer.echo(f"Usual level before eating: {shown.words(made.usual_before)} {shown.name}; each rise is from there.")
    limits = (f"> {shown.words(140.0)}", f"> {shown.words(180.0)}")
    head = ("meal", "hour", "carbs, g", "expected rise", "next time", *limits, "with a walk", "measured")
    table(f"Meals, rise in {shown.name} (90 %), mildest first", head, meal_rows(made), right=(2, 5, 6))
    table("What changes the rise", ("what", "per", f"{shown.name} (90 %)", "rests on"), effect_rows(made))
    for one in made.notes:
        note(one)
    note("research output, no advice on treatment or diet")
    if out is not None:
        note(f"wrote {out}")


def review(
    patient: PatientId,
    days: Annotated[int, typer.Option("--days", metavar="DAYS", min=7, max=60, help="How many of the last days.")] = 14,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the review here: .html or .pdf.")
    ] = None,
    as_of: AsOf = None,
    unit: GlucoseUnit = "mg/dL",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Review basal rates and boluses on a person's own days, each step with its uncertainty.

    The last days are lived again with 10 and 20 % more or less insulin of each setting. Nothing that gives more insulin is
    suggested beyond a stated limit of hypoglycaemia. Research output: a clinician decides.
    """
    from medtwin.applications.therapy_review import write
    from medtwin.applications.therapy_review.review import review as reviewed
    from medtwin.errors import InferenceError

    if out is not None and out.suffix.lower() not in (".html", ".pdf"):
        raise typer.BadParameter("a file that ends in .html or .pdf", param_hint="--out")
    shown = glucose_unit(unit)
    with opened(home) as (store, grant):
        entry = next((one for one in store.patients(grant) if one.id == patient), None)
        _, life, at, _ = living(store, grant, patient, as_of, "available", quiet=as_json)
        if life.twin is None:
            raise InferenceError(
                life.choice.reason, expected="a person for whom a model of glucose speaks", where=f"patient {patient}",
                remedy=UNSPOKEN,
            )  # fmt: skip
        with progress("living days again", quiet=as_json) as tell:
            step: Callable[[int, int], None] = lambda done, total: tell("", done, total)  # noqa: E731
            made = reviewed(
                life.twin,
                life.record,
                at,
                count=days,
                residual=life.residual,
                synthetic=bool(entry and entry.synthetic),
                progress=step,
                unit=shown,
            )
    if out is not None:
        write.save(made, out)
    if as_json:
        emit("glucose-review", {**write.content(made), "file": str(out) if out else None})
        return
    typer.secho(f"{made.patient}{' (SYNTHETIC DATA)' if made.synthetic else ''}", bold=True)
    typer.echo(
        f"{made.days} days; {made.total_daily:.1f} U a day, {made.basal_share:.0%} basal; in range "
        f"{made.now.in_range[1]:.1f} %, "
        f"below {shown.words(70.0)} {shown.name} {made.now.below_70[1]:.1f} %"
    )
    typer.echo(write.headline(made))
    if said := write.together(made):
        typer.echo(said)
    table("Settings (90 % intervals)", write.head(shown), write.setting_rows(made), right=(2, 4, 5, 6))
    note(write.limit(shown))
    for one in made.notes:
        note(one)
    if out is not None:
        note(f"wrote {out}")


def doses(
    patient: PatientId,
    units: Annotated[str, typer.Option("--units", metavar="U,U,...", help="Doses of rapid insulin to compare.")],
    carbs: Annotated[float, typer.Option("--carbs", metavar="GRAMS", min=0.0, max=300.0, help="The meal.")] = 0.0,
    start: Annotated[str, typer.Option("--in", metavar="SPAN", help="When the meal begins (20m, 1h).")] = "0m",
    bolus_in: Annotated[str, typer.Option("--bolus-in", metavar="SPAN", help="When the dose is given.")] = "0m",
    hours: Annotated[float, typer.Option("--hours", metavar="HOURS", min=1.0, max=12.0, help="How far to look.")] = 5.0,
    as_of: AsOf = None,
    unit: GlucoseUnit = "mg/dL",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare doses of rapid insulin for one meal: how low, how high, and with what chance.

    A dose beyond the limit of hypoglycaemia risk is never named, and none is where the forecast is not calibrated on this
    person, where the last reading is old, or where less than four hours after the dose are looked at.
    Research output, not a prescription.
    """
    from medtwin.applications.doses.sweep import DEEP, LIMIT, UNHEARD, sweep
    from medtwin.errors import FormatError, InferenceError
    from medtwin.sources.times import instant
    from medtwin.twin.fit import misfit
    from medtwin.twin.scenario import Planned, Scenario, events

    shown = glucose_unit(unit)
    try:
        asked = [float(one) for one in units.split(",") if one.strip()]
    except ValueError:
        raise FormatError(f"the doses {units[:40]!r}", expected="numbers with commas, such as 2,4,6") from None
    with opened(home) as (store, grant):
        synthetic = is_synthetic(store, grant, patient)
        door, life, at, _ = living(store, grant, patient, as_of, "available", quiet=as_json)
        if life.twin is None or "insulin_bolus" not in life.twin.facts.doses:
            raise InferenceError(
                life.choice.reason, expected="a person for whom a model takes insulin", where=f"patient {patient}",
                remedy=UNSPOKEN,
            )  # fmt: skip

        def ask(dose: float) -> Effect:
            meal = [Planned("carbohydrate_intake", f"{carbs} g", f"+{start.lstrip('+')}")] if carbs else []
            given = [Planned("insulin_bolus", f"{dose} U", f"+{bolus_in.lstrip('+')}")] if dose else []
            planned = events(Scenario("medtwin-scenario/1", [*meal, *given], "doses"), at, life.record.zone)
            return door.forecast(patient, life, hours=hours, planned=planned)

        given_in = instant(f"+{bolus_in.lstrip('+')}", at, life.record.zone) - at
        doubt = misfit(life.twin)
        if not life.record.of("insulin_bolus", "insulin_basal_rate", until=at):
            doubt = UNHEARD
        made = sweep(asked, ask, doubt, given_in, shown)
    if as_json:
        emit("glucose-doses", {
            "patient": patient, "synthetic": synthetic, "at": at,
            "carbs_g": carbs, "hours": hours, "label": made.label, "unit": shown.name,
            "options": [
                {**asdict(one), "lowest": [shown.of(v) for v in one.lowest], "highest": [shown.of(v) for v in one.highest]}
                for one in made.options
            ],
            "named_U": made.named, "why": made.why, "withheld": made.withheld,
            "limit": {"below_70": LIMIT, "below_54": DEEP}, "research_only": True,
        })  # fmt: skip
        return
    rows = [
        (f"{one.units:g}",
         *(f"{shown.words(b[1])} ({shown.words(b[0])} to {shown.words(b[2])})" for b in (one.lowest, one.highest)),
         f"{one.below_70:.0%}", f"{one.below_54:.0%}", f"{one.above_180:.0%}", f"{one.time_above_180:.0%}", one.words(shown))
        for one in made.options
    ]  # fmt: skip
    titled(f"{patient}: doses of rapid insulin" + (f" for {carbs:g} g" if carbs else ""), synthetic)
    begins = f"meal in {start.lstrip('+')}, " if carbs else ""
    typer.echo(
        f"{made.label}, made at {at:%Y-%m-%d %H:%M} UTC; {begins}dose in {bolus_in.lstrip('+')}, {hours:g} h ahead"
    )
    if made.withheld:
        typer.secho(f"Withheld: {way_out(made.withheld, as_of)}", fg=typer.colors.YELLOW)
        note("research output, not a prescription")
        return
    deep, low, high = (shown.words(limit) for limit in (54.0, 70.0, 180.0))
    head = ("U", "lowest median", "highest median", f"< {low}", f"< {deep}", f"> {high}", f"time > {high}", "")
    table(f"Glucose in {hours:g} h, {shown.name} (90 %); chances at the worst moment", head, rows, right=range(7))
    typer.echo(made.why)
    note("research output, not a prescription")


def grid(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns reference, estimate, unit.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Sort pairs of a reference and an estimate of glucose into the zones of Clarke and Parkes.

    A point on an edge belongs to the worse zone of Parkes. The surveillance error grid is not among them: no
    table of its scores with a clear origin was found.
    """
    from medtwin.applications.glucose_report.grids import GRIDS, read_pairs

    found = read_pairs(file)
    pairs = len(found.reference)
    counts = {name: found.counts(name) for name in GRIDS}
    if as_json:
        content: dict[str, Any] = {
            name: {zone: {"pairs": held, "percent": 100.0 * held / pairs} for zone, held in counted.items()}
            for name, counted in counts.items()
        }
        emit(
            "glucose-grid", {"pairs": pairs, "mean_absolute_relative_difference": found.mean_relative, "grids": content}
        )
        return
    shown = {"clarke": "Clarke", "parkes_1": "Parkes, type 1", "parkes_2": "Parkes, type 2"}
    rows = [
        (shown[name], *(f"{held} ({100.0 * held / pairs:.1f} %)" for held in counted.values()))
        for name, counted in counts.items()
    ]
    table(f"{pairs} pairs, MARD {found.mean_relative:.1f} %", ("grid", *"ABCDE"), rows, right=range(1, 6))
