"""For people who want to know what a patient would go through under control: joint draws of visits and outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note, table

if TYPE_CHECKING:
    from medtwin.trials.prognostic.outcome import Outcome


def register(app: typer.Typer) -> None:
    command(app, twins, "medtwin trial twins visits.csv --subject patient --time weeks --outcome cd4:square-root --at 20,48",
            "medtwin trial twins history.csv --subject id --time year --outcome bili:log:mg/dL --outcome albumin "
            "--covariates age,sex --at 1,2,5 --for trial.csv --out draws.parquet",
            name="twins")  # fmt: skip


def twins(
    data: Annotated[
        Path, typer.Argument(metavar="HISTORICAL", help="One row a patient and visit; time 0 is the baseline.")
    ],
    subject: Annotated[str, typer.Option("--subject", metavar="COLUMN", help="Who.")],
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="Since baseline; each patient has a row at 0.")],
    outcome: Annotated[
        list[str],
        typer.Option(
            "--outcome", metavar="NAME[:SCALE[:UNIT]]", help="Scale: identity, log or square-root. Repeat for more."
        ),
    ],
    at: Annotated[str, typer.Option("--at", metavar="LIST", help="Times to draw: 1,2,5.")],
    covariates: Annotated[str, typer.Option("--covariates", metavar="LIST", help="Baseline columns.")] = "",
    patients: Annotated[
        Path | None,
        typer.Option("--for", metavar="FILE", help="Baseline rows of these patients; none: the historical ones."),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Joint draws for each patient.")] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed, the same draws.")] = 0,
    time_unit: Annotated[str, typer.Option("--time-unit", metavar="WORD", help="Of the time column.")] = "year",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write every draw here (Parquet or CSV), labelled synthetic."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Draw what patients would go through, visits and outcomes together, from a mixed model of historical patients.

    Draws hold under what the model was fitted to: being measured, and no other treatment than the historical one. They are for
    planning and for a prognostic covariate; a synthetic control arm does not stand in for patients.
    """
    from medtwin.errors import AnalysisError
    from medtwin.trials.files import table_path, write_table
    from medtwin.trials.prognostic import Mean, draw, fit_mixed, read_cohort
    from medtwin.trials.tables import read_table

    given = [data] if patients is None else [data, patients]
    if out is not None:
        table_path(out, *given)
    wanted = [_outcome(one) for one in outcome]
    named = [one for one in covariates.split(",") if one]
    history = read_table(data).frame
    levels = {
        name: sorted(history[name].drop_nulls().unique().to_list())
        for name in named
        if name in history.columns and not history.schema[name].is_numeric()
    }
    cohort = read_cohort(history, subject=subject, time=time, outcomes=wanted, covariates=named, time_unit=time_unit,
                         levels=levels)  # fmt: skip
    model = fit_mixed(cohort, Mean(covariates=cohort.baseline.names))
    people = cohort.baseline
    if patients is not None:
        rows = read_table(patients).frame
        if time not in rows.columns:
            raise AnalysisError(f"no column {time!r}", where=patients.name, expected="rows at time 0")
        people = read_cohort(rows.filter(rows[time] == 0), subject=subject, time=time, outcomes=wanted, covariates=named,
                             time_unit=time_unit, levels=levels).baseline  # fmt: skip
    drawn = draw(model, people, _times(at), draws=draws, seed=seed)
    tidy = drawn.table()
    if out is not None:
        write_table(tidy, out, *given)
    low, high = drawn.interval(0.9)
    shown = [
        {"patient": drawn.subjects[drawn.subject[v]], "time": float(drawn.time[v]), "outcome": one.name, "unit": one.unit,
         "mean": float(drawn.mean[v, k]), "low": float(low[v, k]), "high": float(high[v, k])}
        for v in range(len(drawn.time)) for k, one in enumerate(drawn.outcomes)
    ]  # fmt: skip
    if as_json:
        emit("trial-twins", {"synthetic": True, "generator": drawn.generator, "conditions": list(drawn.conditions),
                             "notes": list(cohort.notes), "draws": draws, "forecasts": shown,
                             "out": str(out) if out else None})  # fmt: skip
        return
    rows_ = [(r["patient"], f"{r['time']:g}", r["outcome"], f"{r['mean']:.4g}", f"{r['low']:.4g} to {r['high']:.4g}", r["unit"])
             for r in shown[:60]]  # fmt: skip
    columns = ("patient", time_unit, "outcome", "mean", "90 % of draws", "unit")
    table(f"SYNTHETIC: {drawn.generator}, {draws} draws", columns, rows_, right=(1, 3))
    if len(shown) > len(rows_):
        note(f"{len(shown) - len(rows_)} more rows: --json or --out")
    for line in (*drawn.conditions, *cohort.notes):
        note(line)


def _outcome(written: str) -> Outcome:
    from medtwin.trials.prognostic import Outcome

    name, _, rest = written.partition(":")
    scale, _, unit = rest.partition(":")
    return Outcome(name, unit or "1", (scale or "identity").replace("-", " "))


def _times(listed: str) -> list[float]:
    try:
        return [float(one) for one in listed.split(",")]
    except ValueError:
        raise typer.BadParameter("numbers with commas between them: 1,2,5", param_hint="--at") from None
