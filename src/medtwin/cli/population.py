"""Cohorts of virtual people: draw, let live, look; and compare two ways of dosing insulin on the same people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note, progress, table


def register(app: typer.Typer) -> None:
    command(
        app, population,
        "medtwin population t1d -n 200 --days 7",
        "medtwin population t1d -n 1000 --days 14 --controller predictive --compare open-loop",
        "medtwin population t1d -n 500 --days 14 --controller pid --out cohort.html",
        "medtwin population t1d -n 100 --controller my_module:MyController --compare bolus-wizard",
        "medtwin population t1d -n 200 --model glucose_meals --exercise",
        "medtwin population healthy -n 200 --days 3 --json",
    )  # fmt: skip


def population(
    kind: Annotated[str, typer.Argument(metavar="t1d|t2d|healthy", help="Who they are.")],
    people: Annotated[int, typer.Option("-n", "--people", metavar="N", min=1, max=100_000, help="How many.")] = 200,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=366, help="How long they live.")] = 14,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="Of the random numbers.")] = 0,
    controller: Annotated[
        str | None,
        typer.Option(
            "--controller", metavar="NAME",
            help="What doses insulin: open-loop, bolus-wizard, pid, predictive, or your own as module:Class. "
            "Default for t1d: bolus-wizard.",
        ),
    ] = None,
    compare: Annotated[
        str | None, typer.Option("--compare", metavar="NAME", help="A second controller, on the same people and days.")
    ] = None,
    measure: Annotated[
        str, typer.Option("--measure", metavar="plasma|sensor", help="What the outcomes are of.")
    ] = "plasma",
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Another model: see `medtwin check-model --help`.")
    ] = None,
    exercise: Annotated[
        bool, typer.Option("--exercise", help="45 min at 120/min on some afternoons; for models that accept a heart rate.")
    ] = False,
    rescue: Annotated[
        float, typer.Option("--rescue", metavar="GRAMS", min=0.0, max=60.0, help="Eaten when the sensor reads below 65 mg/dL.")
    ] = 15.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the page (.html, .pdf), or one row a person (.parquet)."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Simulate a cohort of virtual people for days, and report their glucose. All of it is synthetic.

    People are drawn from a model's prior and held to what is plausible; how many were refused is said. They eat with variation,
    count carbohydrate wrongly, forget boluses; a sensor errs; a controller doses insulin every five minutes behind the limits
    of a pump. The same seed gives the same people. Your own controller: docs/write-a-controller.md.
    """
    from medtwin.applications.cohort_report.content import (
        compared_sentence,
        content,
        difference_rows,
        refusals,
        rows,
        sentence,
    )
    from medtwin.applications.cohort_report.write import SUFFIXES, save
    from medtwin.physiology.models import by_name
    from medtwin.population.cohort import cohort, compared
    from medtwin.population.controllers import controller_of
    from medtwin.population.days import Exercise, Scenario
    from medtwin.population.people import KINDS, virtual_people

    if kind not in KINDS:
        raise typer.BadParameter(f"one of {', '.join(KINDS)}", param_hint="KIND")
    if measure not in ("plasma", "sensor"):
        raise typer.BadParameter("plasma or sensor", param_hint="--measure")
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"a file that ends in {', '.join(SUFFIXES)}", param_hint="--out")
    if compare is not None and people < 2:
        raise typer.BadParameter("two people or more, for an interval over people", param_hint="--compare")
    asked = controller or ("bolus-wizard" if kind == "t1d" else None)
    chosen = [None if one is None else controller_of(one) for one in (asked, compare)]
    made = virtual_people(kind, people, seed, None if model is None else by_name(model))
    scenario = Scenario(rescue=rescue, exercise=Exercise() if exercise else None)
    measured = "blood_glucose" if measure == "plasma" else "sensor"
    with progress("simulating", quiet=as_json) as tell:
        first = cohort(made, chosen[0], days, scenario=scenario, measured=measured, tell=tell)
        second = (
            None if compare is None else cohort(made, chosen[1], days, scenario=scenario, measured=measured, tell=tell)
        )
    differences = None if second is None else compared(first, second)
    if out is not None:
        save(first, out, second, differences)
    if as_json:
        emit("population", {**content(first, second, differences), "file": str(out) if out else None})
        return
    typer.secho(f"SYNTHETIC DATA: {sentence(first)}", bold=True)
    if second is not None and differences is not None:
        typer.echo(compared_sentence(first, second, differences))
    columns = ("", "unit", "mean", "standard error", "5 %", "25 %", "50 %", "75 %", "95 %")
    table("Over people", columns, rows(first), right=range(2, 9))
    zones = ", ".join(f"{zone} {count}" for zone, count in first.zones.items())
    typer.echo(f"People by zone of the glycaemia risk index: {zones}")
    if second is not None and differences is not None:
        head = ("", "unit", "difference", "95 % interval", "rose in", "fell in")
        table(
            f"{first.controller} less {second.controller}, the same people",
            head,
            difference_rows(differences),
            right=range(2, 6),
        )
    note(refusals(first))
    if out is not None:
        note(f"wrote {out}")
