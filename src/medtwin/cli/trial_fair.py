"""trial fair: what a prognostic score does for each group of patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import Home, Json, command, emit, note, table

if TYPE_CHECKING:
    from medtwin.trials.fair import FairUse

COLUMNS = (
    ("in the large", "calibration in the large"), ("slope", "calibration slope"), ("O:E", "O:E"), ("O:E", "O:E at the horizon"),
    ("AUC", "AUC"), ("AUC", "AUC at the horizon"), ("RMSE", "RMSE"), ("coverage", "coverage, one width for all"),
    ("r", "correlation"),
    ("partial r", "partial correlation beyond baseline"),
)  # fmt: skip


def register(trial_app: typer.Typer) -> None:
    command(
        trial_app, fair,
        "medtwin trial fair scored.csv --outcome died --prediction risk --groups sex,race --threshold 0.2",
        "medtwin trial fair scored.csv --outcome cd4_20wk --prediction twin --groups sex,age --bands age=40,65 "
        "--baseline cd4 --treatment arm --control placebo",
        "medtwin trial fair scored.parquet --outcome days --event died --horizon 730 --prediction risk --groups sex",
        "medtwin trial fair scored.csv --outcome died --prediction risk --groups sex,race --target registry.csv "
        "--covariates age,sex,cd4 --json",
        name="fair",
    )  # fmt: skip


def fair(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="One row a patient, with outcome and prediction.")],
    outcome: Annotated[
        str, typer.Option("--outcome", metavar="COLUMN", help="Measured value, 0/1, or with --event a time.")
    ],
    prediction: Annotated[
        str, typer.Option("--prediction", metavar="COLUMN", help="What the score said: a value, or a risk.")
    ],
    groups: Annotated[str, typer.Option("--groups", metavar="LIST", help="Columns of groups: sex,race.")],
    bands: Annotated[
        list[str] | None, typer.Option("--bands", metavar="COLUMN=EDGES", help="Cut a number into groups: age=40,65.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="LIST", help="Columns that an analysis would adjust for anyway.")
    ] = None,
    treatment: Annotated[str | None, typer.Option("--treatment", metavar="COLUMN", help="Column of the arm.")] = None,
    control: Annotated[
        str | None, typer.Option("--control", metavar="LABEL", help="Arm whose outcome the score predicts.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="COLUMN", help="1: event at the outcome's time, 0: censored.")
    ] = None,
    horizon: Annotated[
        float | None, typer.Option("--horizon", metavar="TIME", help="Time by which the risk is predicted.")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option("--threshold", metavar="LIST", help="Risks from which one would act: 0.1,0.2.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option("--calibration", metavar="COLUMN", help="1: sets the width of conformal intervals.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="COLUMN", help="Patient's key: a second row is refused.")
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--target", metavar="POPULATION", help="Table of those the result is for, or margins (YAML, JSON)."
        ),
    ] = None,
    covariates: Annotated[
        str | None, typer.Option("--covariates", metavar="LIST", help="What trial and target are compared on.")
    ] = None,
    min_patients: Annotated[
        int, typer.Option("--min-patients", metavar="N", help="Below, a group's figures are withheld.")
    ] = 30,
    min_events: Annotated[
        int, typer.Option("--min-events", metavar="N", help="The same, of patients with and without the event.")
    ] = 10,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Bootstrap samples; 0: none.")] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the bootstrap and of lots.")] = 0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Report what a score does for each group: calibration, errors, coverage, benefit, and who is missing from the trial.

    Every figure has an interval; a group that is too small has a reason instead. Differences are flagged after a test of
    heterogeneity and Holm's correction over all comparisons. Margins of a population are written as
    `age: {mean: 38, sd: 9}` and `sex: {shares: {F: 0.4, M: 0.6}}`.
    """
    from medtwin.trials.fair import Rules, fair_use
    from medtwin.trials.tables import read_table

    read = read_table(data)
    made = fair_use(
        read.frame, outcome=outcome, prediction=prediction, groups=_list(groups), baseline=_list(baseline), treatment=treatment,
        control=control, event=event, horizon=horizon, thresholds=_numbers(threshold, "--threshold"), calibration=calibration,
        subject=subject, target=_population(target), covariates=_list(covariates), bands=_bands(bands or []), draws=draws,
        seed=seed, rules=Rules(min_patients=min_patients, min_events=min_events),
    )  # fmt: skip
    if as_json:
        emit("trial-fair", {"source": read.source, "sha256": read.sha256, **made.to_builtins()})
    else:
        _show(made)


def _list(words: str | None) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()] if words else []


def _numbers(listed: str | None, option: str) -> list[float]:
    try:
        return [float(part) for part in _list(listed)]
    except ValueError:
        raise typer.BadParameter("numbers with commas between them: 0.1,0.2", param_hint=option) from None


def _bands(given: list[str]) -> dict[str, list[float]]:
    cut = [one.partition("=") for one in given]
    return {name: _numbers(edges, "--bands") for name, _, edges in cut}


def _population(path: Path | None) -> Any:
    if path is None:
        return None
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        from medtwin.trials.fair.margins import read_margins

        return read_margins(path)
    from medtwin.trials.tables import read_table

    return read_table(path).frame


def _show(made: FairUse) -> None:
    held = [(title, name) for title, name in COLUMNS if any(n.name == name for row in made.groups for n in row.numbers)]
    rows = []
    for row in made.groups:
        cells = {number.name: f"{number.value:.3g}\n{number.low:.3g} to {number.high:.3g}" for number in row.numbers}
        name = "everybody" if row.column == "all" else row.level if " x " in row.column else f"{row.column} {row.level}"
        rows.append((name, row.words, *(cells.get(figure, "withheld") for _, figure in held)))
    table(f"{made.prediction} as a prediction of {made.outcome}, by group ({made.confidence:.0%} intervals)",
          ("group", "", *(title for title, _ in held)), rows, right=range(2, 2 + len(held)))  # fmt: skip
    if made.representativeness is not None:
        them = made.representativeness
        lines = [(r.name, f"{r.trial:.4g}", f"{r.target:.4g}", "" if r.smd is None else f"{r.smd.value:+.3f}",
                  "" if r.psi is None else f"{r.psi:.3f}", "" if r.ks is None else f"{r.ks:.3f}") for r in them.rows]  # fmt: skip
        table(f"The trial's {them.trial_patients} patients against {them.target}",
              ("covariate", "trial", "target", "SMD", "PSI", "KS"), lines, right=range(1, 6))  # fmt: skip
    if made.flags:
        table("What must be said", ("kind", ""), [(flag.kind, flag.words) for flag in made.flags])
    for one in made.withheld:
        where = one.level if " x " in one.column else f"{one.column} {one.level}"
        note(f"withheld, {where}: {one.name}: {one.reason}")
    for line in made.notes:
        note(line)
