"""The road: months and years of weight and HbA1c under a plan."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from medtwin.cli.common import Home, Json, PatientId, command, emit, note, opened, table
from medtwin.errors import AnalysisError


def register(app: typer.Typer) -> None:
    command(
        app, road,
        "medtwin road anna --intake -500",
        'medtwin road anna --taking "metformin 2000 mg daily" --stop metformin --intake -500 --walk 30',
        'medtwin road anna --start "semaglutide 2.4 mg weekly" --months 18 --out road.html',
        "medtwin road anna --months 24 --plan plan.yaml --json",
        'medtwin road anna --taking "metformin 2000 mg daily" --taking "glimepiride 4 mg daily" --step-down',
    )  # fmt: skip


def road(
    patient: PatientId,
    months: Annotated[int, typer.Option("--months", metavar="MONTHS", min=1, max=120, help="Of 30 days.")] = 12,
    intake: Annotated[float, typer.Option("--intake", metavar="KCAL", help="More or less eaten a day, kept up.")] = 0.0,
    walk: Annotated[float, typer.Option("--walk", metavar="MINUTES", help="Walked a day beside the usual.")] = 0.0,
    taking: Annotated[
        list[str] | None,
        typer.Option("--taking", metavar="DOSE", help="Taken now; without it what the record's last four weeks hold."),
    ] = None,
    start: Annotated[
        list[str] | None, typer.Option("--start", metavar="DOSE", help='For instance "semaglutide 2.4 mg weekly".')
    ] = None,
    stop: Annotated[list[str] | None, typer.Option("--stop", metavar="DRUG", help="No longer taken.")] = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="YAML: intake, walk, taking, start, stop.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the page here: .html or .pdf.")
    ] = None,
    stepping: Annotated[
        bool,
        typer.Option("--step-down", help="Rank which drug to stop first, by the rise of HbA1c without it."),
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show weight, and HbA1c where trials stand behind it, months ahead, as now and under a plan.

    For adults with type 2 diabetes. Drugs: metformin, dapagliflozin, glimepiride, semaglutide, tirzepatide. HbA1c and the chance
    of less than 6.5 % without drugs are stated as far as trials of weight loss were held against the model
    (docs/evidence/road.md) and withheld beyond, with the reason; what the DiRECT trial saw at that weight loss stands beside
    them. --step-down stops each drug in turn under the plan. Research output, no treatment decision.
    """
    from medtwin.applications.metabolic_road.members import members
    from medtwin.applications.metabolic_road.person import person
    from medtwin.applications.metabolic_road.plan import dose, plan
    from medtwin.applications.metabolic_road.road import road as lived

    if out is not None and out.suffix.lower() not in (".html", ".pdf"):
        raise typer.BadParameter("a file that ends in .html or .pdf", param_hint="--out")
    told = _file(plan_file) if plan_file else {}
    taken, begun, ended = (
        [*(own or []), *told.get(name, [])] for own, name in ((taking, "taking"), (start, "start"), (stop, "stop"))
    )
    intake, walk = intake + float(told.get("intake", 0.0)), walk + float(told.get("walk", 0.0))
    with opened(home) as (store, grant):
        record = store.record(patient, grant)
        entry = next((one for one in store.patients(grant) if one.id == patient), None)
    who, held = person(record, datetime.now(UTC), {one.drug: one for one in map(dose, taken)})
    planned = plan(months, intake, walk, ended, begun, held)
    note("drawing persons, and living the months: about half a minute")
    people = members(who)
    made = lived(people, who.weight, held, planned)
    ranked = None
    if stepping:
        from medtwin.applications.metabolic_road.step_down import step_down

        ranked = step_down(people, who.weight, held, planned)
    words = _words(intake, walk, begun, ended)
    synthetic = bool(entry and entry.synthetic)
    if out is not None:
        from medtwin.applications.metabolic_road.write import save

        save(made, patient, words, synthetic, out, ranked)
    if as_json:
        courses = {
            name: {
                "weight": course.weight, "hba1c": _told(course.hba1c), "levels": [5, 50, 95], "chance": course.chance,
                "chance_interval": course.chance_interval, "withheld": course.withheld,
                "direct_trial": asdict(course.trial) if course.trial else None,
            }
            for name, course in (("as_now", made.as_now), ("planned", made.planned))
        }  # fmt: skip
        taken_now = {name: {"mg": one.amount, "every_days": one.days} for name, one in held.items()}
        emit("road", {
            "patient": patient, "synthetic": synthetic, "months": months, "plan": words, "taking": taken_now,
            "hba1c": who.hba1c, "sensor_mean": who.sensor_mean, "effective_draws": made.effective, **courses,
            "file": str(out) if out else None, "step_down": asdict(ranked) if ranked else None,
        })  # fmt: skip
        return
    _show(patient, synthetic, words, made, ranked)
    if out is not None:
        note(f"wrote {out}")


def _told(levels: Any) -> list[list[float | None]]:
    """Nothing where it is withheld."""
    return [[None if value != value else float(value) for value in row] for row in levels]


def _show(patient: str, synthetic: bool, words: str, made: Any, ranked: Any) -> None:
    from medtwin.applications.metabolic_road.write import LIMITS, STEP_HEAD, chance, order, rows, step_rows

    typer.secho(f"{patient}{' (SYNTHETIC DATA)' if synthetic else ''}: {words}", bold=True)
    typer.echo("HbA1c below 6.5 % without drugs at the end:")
    typer.echo(f"  under the plan: {chance(made.planned)}")
    typer.echo(f"  as now: {chance(made.as_now)}")
    head = ("month", "weight as now, kg", "planned", "HbA1c as now, %", "planned")
    table("Median and 90 % interval", head, rows(made), right=(1, 2, 3, 4))
    if ranked is not None:
        typer.echo(order(ranked))
        if ranked.steps:
            table("Which drug to stop first", STEP_HEAD, step_rows(ranked), right=(1, 2, 3, 4))
    note(f"{LIMITS[0]} {LIMITS[2]}")


def _words(intake: float, walk: float, begun: list[str], ended: list[str]) -> str:
    said = [f"{intake:+g} kcal a day"] if intake else []
    said += [f"{walk:g} min of walking a day"] if walk else []
    said += [f"start {one}" for one in begun] + [f"stop {one}" for one in ended]
    return ", ".join(said) or "as now"


def _file(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise AnalysisError("a plan that cannot be read", where=str(path), remedy="look at its YAML") from error
    keys = {"intake", "walk", "taking", "start", "stop"}
    if not isinstance(found, dict) or set(found) - keys:
        raise AnalysisError("a plan with other keys", expected=", ".join(sorted(keys)), where=str(path))
    return found
