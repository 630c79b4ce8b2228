"""For people who adjust a trial for a prognostic score: train it, freeze it, look at it, apply it, watch for drift."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import ClockName, Home, Json, command, emit, note, opened, progress, table

if TYPE_CHECKING:
    from medtwin.trials.score import TrainedScore
    from medtwin.trials.score.figures import Figures
    from medtwin.trials.score.leak import LeakReport

score_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Prognostic scores: train, freeze, apply, watch for drift."
)
Score = Annotated[Path, typer.Argument(metavar="SCORE", help="A frozen score (JSON).")]
Data = Annotated[Path, typer.Argument(metavar="DATA", help="The trial's table, one row a patient (CSV, Parquet).")]
Arm = Annotated[str | None, typer.Option("--arm", metavar="COLUMN", help="Column of the arm.")]
Outcome = Annotated[
    str | None, typer.Option("--outcome", metavar="COLUMN", help="Column of the outcome; default: as in training.")
]
Randomised = Annotated[
    str | None,
    typer.Option("--randomised", metavar="COLUMN|DATE", help="When each patient, or the first, was randomised."),
]
Measured = Annotated[
    list[str] | None,
    typer.Option("--measured", metavar="COLUMN=DATES", help="The column of dates on which a baseline column was measured."),
]  # fmt: skip


def register(trial_app: typer.Typer) -> None:
    command(
        score_app, train,
        "medtwin trial score train history.csv --spec score.yaml --out score.json",
        "medtwin trial score train history.parquet --spec score.yaml --out score.json --json",
        name="train",
    )  # fmt: skip
    command(
        score_app,
        show,
        "medtwin trial score show score.json",
        "medtwin trial score show score.json --json",
        name="show",
    )
    command(
        score_app, apply, "medtwin trial score apply score.json trial.csv --out scored.parquet",
        "medtwin trial score apply score.json trial.csv --out scored.csv --arm ARM --randomised RANDDT --measured cd40=CD4DT",
        name="apply",
    )  # fmt: skip
    command(
        score_app, drift, "medtwin trial score drift score.json trial.csv",
        "medtwin trial score drift score.json trial.csv --historical history.csv --arm ARM --control placebo",
        name="drift",
    )  # fmt: skip
    command(
        score_app, forecasts,
        "medtwin trial score forecasts people.csv --quantity glucose --hours 6 --out forecasts.csv",
        name="forecasts",
    )  # fmt: skip
    trial_app.add_typer(score_app, name="score")


def train(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Historical patients (CSV, Parquet).")],
    spec: Annotated[Path, typer.Option("--spec", metavar="FILE", help="What to make of them (YAML).")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write the frozen score here (JSON).")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Train a prognostic score on historical patients and freeze it, with its hash, its context of use and what it is worth.

    The specification (`dialect: medtwin-score-specification/1`) names the kind (linear, boosting, mixed_model, physiology,
    ensemble), the endpoint, the outcome, the covariates, the baseline value and the context of use. What the score is worth is
    cross-validated, and always told twice: against no adjustment, and beyond the baseline value.

    The file keeps salted hashes of the patients' rows (prints), so that a score that saw a trial's patients is found out; it is
    readable by its owner alone. `keep_prints: false` in the specification leaves them out, and the check with them.
    """
    from medtwin.trials.files import refuse_input
    from medtwin.trials.score import freeze, read_specification
    from medtwin.trials.score import train as trained
    from medtwin.trials.tables import read_table

    refuse_input(out, data, spec)
    asked, read = read_specification(spec), read_table(data)
    made = trained(read.frame, asked, source=read.source)
    freeze(made, out)
    _tell("train", made, as_json, file=str(out), table_sha256=read.sha256)


def show(score: Score, home: Home = None, as_json: Json = False) -> None:
    """What a frozen score is: context of use, training data, worth, hash. A file that was changed is refused."""
    from medtwin.trials.score import read_score

    _tell("show", read_score(score), as_json, file=str(score))


def apply(
    score: Score,
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Write the table with the score here (.csv, .parquet).")
    ],
    column: Annotated[str, typer.Option("--column", metavar="NAME", help="Name of the score's column.")] = "score",
    arm: Arm = None,
    outcome: Outcome = None,
    randomised: Randomised = None,
    measured: Measured = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Give each patient of a trial the frozen score, and refuse a score that saw their outcomes.

    Looked at are dates (with `--randomised` and `--measured`), hashes of the rows, and correlations within arms, where the table
    has outcomes; what could not be looked at is said. Missing values follow the rules of the training data and are counted.
    """
    import polars as pl

    from medtwin.errors import AnalysisError
    from medtwin.trials.files import table_path, write_table
    from medtwin.trials.score import read_score
    from medtwin.trials.score.leak import refuse_leaks
    from medtwin.trials.tables import read_table

    table_path(out, data, score)
    held, read = read_score(score), read_table(data)
    if column in read.frame.columns:
        raise AnalysisError(f"a column {column!r} already", expected="a new name", remedy="name it with --column")
    report = refuse_leaks(held, read.frame, arm=arm, outcome=outcome, randomised=randomised, measured=_pairs(measured))
    made = held.apply(read.frame)
    whole = read.frame.with_columns(pl.Series(column, made.values))
    write_table(whole, out, data, score)
    if as_json:
        import msgspec

        emit("trial-score-apply", {
            "score": held.name, "sha256": held.sha256, "table_sha256": read.sha256, "file": str(out), "column": column,
            "unit": made.unit, "patients": whole.height, "counted": msgspec.to_builtins(made.counted), "notes": list(made.notes),
            "leaks": msgspec.to_builtins(report),
        })  # fmt: skip
        return
    typer.echo(f"{whole.height} patients, column {column} in {made.unit}, by {held.name} ({held.sha256[:16]}): {out}")
    for line in made.notes:
        note(line)
    _leaks(report)


def drift(
    score: Score,
    data: Data,
    historical: Annotated[
        Path | None,
        typer.Option("--historical", metavar="FILE", help="The training table: whole distributions are compared then."),
    ] = None,
    arm: Arm = None,
    control: Annotated[
        str | None,
        typer.Option("--control", metavar="LABEL", help="Label of the control arm: calibration among controls."),
    ] = None,
    outcome: Outcome = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare a trial's patients with those whom a score was trained on: baseline columns and the score alone.

    Outcomes are looked at only with `--arm` and `--control`, and only those of the controls: calibration at large, and slope.
    """
    from medtwin.trials.score import read_score
    from medtwin.trials.score.drift import drift as compared
    from medtwin.trials.tables import read_table

    held, read = read_score(score), read_table(data)
    before = None if historical is None else read_table(historical).frame
    made = compared(held, read.frame, historical=before, arm=arm, control=control, outcome=outcome)
    if as_json:
        import msgspec

        content: dict[str, Any] = msgspec.to_builtins(made)
        emit("trial-score-drift", {"score": held.name, "sha256": held.sha256, **content, "flags": list(made.flags)})
        return
    rows = [(m.column, m.measure, m.words or f"{m.value:.3f}", f"{m.p_value:.4f}", "drift" if m.flagged else "")
            for m in made.measures]  # fmt: skip
    table(f"{held.name}: {made.historical} historical, {made.trial} trial patients",
          ("column", "measure", "value", "p", ""), rows, right=(3,))  # fmt: skip
    if made.calibration is not None:
        large, slope = made.calibration.at_large, made.calibration.slope
        if large is not None:
            typer.echo(f"Controls, seen less foretold: {large.value:.4g} ({large.low:.4g} to {large.high:.4g})")
        typer.echo(f"Controls, slope on the score: {slope.value:.3g} ({slope.low:.3g} to {slope.high:.3g})")
    for line in (*made.flags, *made.notes):
        note(line)
    if not made.flags:
        typer.echo("No drift was flagged.")


def forecasts(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="One row a person: id, and moment of the baseline.")],
    quantity: Annotated[str, typer.Option("--quantity", metavar="NAME", help="The endpoint, such as glucose.")],
    hours: Annotated[
        float, typer.Option("--hours", metavar="HOURS", help="How long after the baseline the endpoint lies.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Write the table with the forecasts here (.csv, .parquet).")
    ],
    patient: Annotated[str, typer.Option("--patient", metavar="COLUMN", help="Column of the ids.")] = "patient",
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="COLUMN", help="Column of the moments, with their offset.")
    ] = "baseline",
    clock: ClockName = "available",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Add the twin's own forecasts of an endpoint, of each person of this home as of their baseline, without look-ahead.

    They are the column `forecast` of a score of the kind physiology. Who gets none stays in the table, with the reason.
    """
    from medtwin.errors import FormatError
    from medtwin.trials.files import table_path, write_table
    from medtwin.trials.score.twin_forecasts import twin_forecasts
    from medtwin.trials.tables import read_table

    if clock not in ("available", "recorded"):
        raise FormatError(f"the clock {clock!r}", expected="available or recorded")
    table_path(out, data)
    read = read_table(data)
    with opened(home) as (store, grant), progress("forecasts", quiet=as_json) as told:
        made = twin_forecasts(
            store, grant, read.frame, quantity=quantity, hours=hours, patient=patient, baseline=baseline,
            clock="recorded" if clock == "recorded" else "available", progress=lambda done, total: told("", done, total),
        )  # fmt: skip
    write_table(made, out, data)
    without = made["forecast"].null_count()
    if as_json:
        emit("trial-score-forecasts", {"file": str(out), "table_sha256": read.sha256, "people": made.height, "without": without,
                                       "quantity": quantity, "hours": hours, "clock": clock})  # fmt: skip
        return
    typer.echo(
        f"{made.height} people, {made.height - without} with a forecast of {quantity} {hours:g} h after baseline: {out}"
    )
    for reason, count in made["forecast_withheld"].drop_nulls().value_counts().rows():
        note(f"{count} without: {reason}")


def _pairs(listed: list[str] | None) -> dict[str, str]:
    made = {}
    for one in listed or ():
        name, equals, dates = one.partition("=")
        if not equals or not name or not dates:
            raise typer.BadParameter("COLUMN=DATES, such as cd40=CD4DT", param_hint="--measured")
        made[name] = dates
    return made


def _tell(verb: str, made: TrainedScore, as_json: bool, **more: Any) -> None:
    asked, training, worth = made.specification, made.training, made.figures
    if as_json:
        import msgspec

        plain = msgspec.to_builtins
        emit(f"trial-score-{verb}", {
            "score": made.name, "sha256": made.sha256, **more, "kind": asked.kind, "endpoint": asked.endpoint, "unit": made.unit,
            "specification": plain(asked), "training": plain(training), "figures": plain(worth), "worth": worth.sentence,
            "columns": plain(made.columns), "notes": list(made.notes),
        })  # fmt: skip
        return
    context = asked.context
    rows = [
        ("kind", f"{asked.kind}, {asked.endpoint} endpoint {asked.outcome}"), ("predicts", made.unit),
        ("population", context.population), ("endpoint", f"{context.endpoint}, {context.time}, {context.unit}"),
        ("intended use", context.intended_use), ("not for", context.not_for),
        ("trained on", f"{training.source}: {training.with_outcome} patients with outcome, {training.rows} rows"),
        ("outcomes", f"{training.first_outcome or 'date not known'} to {training.last_outcome or 'date not known'}"
                     + (f", cut {training.cut}" if training.cut else "")),
        ("columns", ", ".join(asked.covariates)), ("worth", worth.sentence),
        ("controls saved", f"{worth.controls_saved:.1%} at equal power, treated arm fixed, 1:1, against no adjustment; "
                           f"{_beyond(worth)}"),
        ("training data", training.sha256), ("score", made.sha256),
    ]  # fmt: skip
    table(made.name, ("", ""), rows)
    for line in made.notes:
        note(line)


def _beyond(worth: Figures) -> str:
    """What the score saves where the baseline value is adjusted for anyway."""
    from medtwin.trials.planning.allocation import controls_removable

    if worth.beyond_baseline is None:
        return "against the baseline value it is unknown: none is named"
    saved = controls_removable(math.sqrt(max(worth.beyond_baseline.value, 0.0)))
    return f"{saved:.1%} against adjustment for {worth.baseline}"


def _leaks(report: LeakReport) -> None:
    for finding in report.findings:
        note(f"suspicion: {finding.words}")
    if report.not_looked_at:
        note(f"leaks not looked for: {'; '.join(report.not_looked_at)}")
