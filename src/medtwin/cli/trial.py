"""For people who plan a clinical trial: how many patients, how surely, and which method said so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli import trial_analyse, trial_fair, trial_reestimate, trial_score, trial_simulate, trial_twins
from medtwin.cli.common import Home, Json, command, emit, note, table

if TYPE_CHECKING:
    from medtwin.trials.planning.plan import TrialPlan

trial_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Plan a clinical trial with a prognostic score."
)


def register(app: typer.Typer) -> None:
    command(
        trial_app, plan,
        "medtwin trial plan --endpoint continuous --effect 0.3 --sd 1 --correlation 0.5",
        "medtwin trial plan --endpoint continuous --effect 0.3 --sd 1 --correlation 0.6 --baseline-correlation 0.5 "
        "--covariates 2 --n-control 120 --n-treated 240",
        "medtwin trial plan --endpoint binary --risk-control 0.3 --risk-treated 0.45 --scale risk-ratio --correlation 0.4",
        "medtwin trial plan --endpoint count --rate-control 1.2 --ratio 0.7 --dispersion 0.6 --correlation 0.4",
        "medtwin trial plan --endpoint survival --ratio 0.7 --median-control 12 --accrual 12 --followup 12 "
        "--looks 0.6,1 --correlation 0.33",
        "medtwin trial plan --endpoint repeated --effect 3 --sds 8,9,10,11 --visit-correlation 0.7 "
        "--retention 1,0.95,0.9,0.85 --correlation 0.5",
        "medtwin trial plan plan.yaml --power 0.8 --figure power.svg --text analysis_plan.txt",
        "medtwin trial plan plan.yaml --json",
        name="plan",
    )  # fmt: skip
    trial_analyse.register(trial_app)
    trial_fair.register(trial_app)
    trial_reestimate.register(trial_app)
    trial_score.register(trial_app)
    trial_simulate.register(trial_app)
    trial_twins.register(trial_app)
    app.add_typer(trial_app, name="trial")


def plan(
    file: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="A plan file (YAML); options replace what it says.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="KIND", help="continuous, binary, count, survival or repeated.")
    ] = None,
    effect: Annotated[
        float | None, typer.Option("--effect", metavar="D", help="Difference of means, treated - control.")
    ] = None,
    sd: Annotated[
        float | None, typer.Option("--sd", metavar="SD", help="Standard deviation of the outcome within an arm.")
    ] = None,
    risk_control: Annotated[float | None, typer.Option("--risk-control", metavar="P", help="Control risk.")] = None,
    risk_treated: Annotated[float | None, typer.Option("--risk-treated", metavar="P", help="Treated risk.")] = None,
    scale: Annotated[
        str | None, typer.Option("--scale", metavar="SCALE", help="risk-difference, risk-ratio or odds-ratio.")
    ] = None,
    rate_control: Annotated[
        float | None, typer.Option("--rate-control", metavar="RATE", help="Control events per unit of time.")
    ] = None,
    ratio: Annotated[
        float | None, typer.Option("--ratio", metavar="RATIO", help="Rate ratio or hazard ratio, treated to control.")
    ] = None,
    exposure: Annotated[
        float | None, typer.Option("--exposure", metavar="TIME", help="Time over which events are counted.")
    ] = None,
    dispersion: Annotated[
        float | None, typer.Option("--dispersion", metavar="K", help="Variance is mean + K mean^2; 0: Poisson.")
    ] = None,
    median_control: Annotated[
        float | None, typer.Option("--median-control", metavar="TIME", help="Median time to event of controls.")
    ] = None,
    accrual: Annotated[
        float | None, typer.Option("--accrual", metavar="TIME", help="How long patients come in, evenly.")
    ] = None,
    followup: Annotated[
        float | None, typer.Option("--followup", metavar="TIME", help="How long after the last one came in.")
    ] = None,
    dropout_hazard: Annotated[
        float | None, typer.Option("--dropout-hazard", metavar="RATE", help="Drop-out per unit of time.")
    ] = None,
    sds: Annotated[
        str | None, typer.Option("--sds", metavar="LIST", help="Standard deviation at each visit: 8,9,10.")
    ] = None,
    visit_correlation: Annotated[
        float | None, typer.Option("--visit-correlation", metavar="R", help="Of neighbouring visits, AR(1).")
    ] = None,
    retention: Annotated[
        str | None, typer.Option("--retention", metavar="LIST", help="Share still observed at each visit: 1,0.9,0.8.")
    ] = None,
    correlation: Annotated[
        float | None,
        typer.Option("--correlation", metavar="R", help="Of all that is adjusted for with the outcome, within an arm."),
    ] = None,
    baseline_correlation: Annotated[
        float | None,
        typer.Option("--baseline-correlation", metavar="R", help="Of what would be adjusted for without the score."),
    ] = None,
    covariates: Annotated[
        int | None, typer.Option("--covariates", metavar="N", help="How many covariates, the score among them.")
    ] = None,
    inflation: Annotated[
        float | None, typer.Option("--inflation", metavar="FACTOR", help="Caution: the spread times this.")
    ] = None,
    deflation: Annotated[
        float | None, typer.Option("--deflation", metavar="FACTOR", help="Caution: the gain by the score times this.")
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(
            "--convention",
            metavar="NAME",
            help="What they multiply: variance (variance, R2) or standard-deviation (SD, correlation).",
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", metavar="NULL", help="Null value: a difference, or a ratio.")
    ] = None,
    alpha: Annotated[float | None, typer.Option("--alpha", metavar="LEVEL", help="Level; default 0.05.")] = None,
    sides: Annotated[int | None, typer.Option("--sides", metavar="1|2", help="Default: two-sided.")] = None,
    power: Annotated[float | None, typer.Option("--power", metavar="SHARE", help="Default 0.9.")] = None,
    allocation: Annotated[
        float | None, typer.Option("--allocation", metavar="RATIO", help="Treated patients per control; default 1.")
    ] = None,
    n_control: Annotated[
        int | None,
        typer.Option("--n-control", metavar="N", help="Power of these numbers instead of numbers for a power."),
    ] = None,
    n_treated: Annotated[int | None, typer.Option("--n-treated", metavar="N", help="As --n-control.")] = None,
    dropout: Annotated[
        float | None, typer.Option("--dropout", metavar="SHARE", help="Share without an outcome.")
    ] = None,
    historical: Annotated[
        int | None, typer.Option("--historical", metavar="N", help="Patients behind the correlation: for assurance.")
    ] = None,
    effect_sd: Annotated[
        float | None, typer.Option("--effect-sd", metavar="SD", help="Uncertainty of the effect: for assurance.")
    ] = None,
    looks: Annotated[
        str | None, typer.Option("--looks", metavar="LIST", help="Information at each analysis: 0.5,0.75,1.")
    ] = None,
    boundary: Annotated[
        str | None, typer.Option("--boundary", metavar="KIND", help="spending, wang-tsiatis or haybittle-peto.")
    ] = None,
    spending: Annotated[
        str | None,
        typer.Option("--spending", metavar="NAME", help="obrien-fleming, pocock, power or hwang-shih-decani."),
    ] = None,
    futility: Annotated[
        str | None, typer.Option("--futility", metavar="NAME", help="Beta spending, one-sided: the same names.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Write the power curve here (SVG).")
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--text", metavar="FILE", help="Write the block for the analysis plan here.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Plan a trial: patients for a power, or the power of given numbers, by the exact method and by others beside it.

    What a prognostic score saves is printed twice: controls at equal power, and patients in all. A plan file holds the same
    names with underscores (`dialect: medtwin-trial-plan/1`) and some that have no option, such as `sd_treated`,
    `correlation_treated`, `heterogeneity`, `covariance`, `futility_z`. No patient's data are read.
    """
    given = {
        name: value for name, value in locals().items()
        if name not in ("file", "figure", "text", "home", "as_json", "ratio", "looks", "sds", "retention") and value is not None
    }  # fmt: skip
    for name, listed in (("looks", looks), ("sds", sds), ("retention", retention)):
        if listed is not None:
            given[name] = _numbers(listed, name)
    from medtwin.errors import AnalysisError
    from medtwin.trials.planning.inputs import plan_input, read

    whole = (read(file) if file is not None else {}) | given
    if "endpoint" not in whole:
        raise AnalysisError("no endpoint", expected="--endpoint, or a plan file that names one")
    if ratio is not None:
        whole["hazard_ratio" if whole["endpoint"] == "survival" else "rate_ratio"] = ratio
    asked = plan_input(whole, str(file) if file is not None else "the options")
    from medtwin.trials.planning.curve import svg
    from medtwin.trials.planning.plan import plan_trial
    from medtwin.trials.planning.wording import analysis_plan

    made = plan_trial(asked, figures=as_json or figure is not None)
    if figure is not None:
        figure.write_text(svg(made.figures[0]), encoding="utf-8")
    words = analysis_plan(made)
    if text is not None:
        text.write_text(words, encoding="utf-8")
    if as_json:
        import msgspec

        content: dict[str, Any] = msgspec.to_builtins(made)
        emit("trial-plan", {**content, "text": words})
    else:
        _show(made)


def _numbers(listed: str, name: str) -> list[float]:
    try:
        return [float(part) for part in listed.split(",")]
    except ValueError:
        raise typer.BadParameter("numbers with commas between them: 0.5,1", param_hint=f"--{name}") from None


def _show(made: TrialPlan) -> None:
    rows = [
        (row.method, row.n_control, row.n_treated, None if row.n_control is None else row.n_control + (row.n_treated or 0),
         f"{row.power:.2%}")
        for row in made.methods
    ]  # fmt: skip
    title = f"{made.n_control} control and {made.n_treated} treated patients: power {made.power:.1%}"
    table(title, ("method", "controls", "treated", "in all", "power as planned"), rows, right=range(1, 5))
    if made.looks:
        what = "events" if made.plan.endpoint == "survival" else "patients"
        looks = [
            (f"{k.information:.1%}", f"{k.patients:.0f}", "" if k.efficacy is None else f"{k.efficacy:.4f}", f"{k.nominal:.5f}",
             "" if k.futility is None else f"{k.futility:.4f}", f"{k.alpha_spent:.5f}", f"{k.stops_null:.1%}",
             f"{k.stops_planned:.1%}")
            for k in made.looks
        ]  # fmt: skip
        columns = ("information", what, "efficacy Z", "one-sided p", "futility Z", "level spent", "ends, no effect",
                   "ends, planned effect")  # fmt: skip
        table(f"Analyses: {made.boundary}", columns, looks, right=range(8))
    figures = [(n.name, f"{n.value:.4g}" if abs(n.value) < 1e4 else f"{n.value:.0f}", "" if n.unit == "1" else n.unit, n.method)
               for n in made.numbers]  # fmt: skip
    table("Planned numbers, each with its method", ("what", "value", "unit", "method"), figures, right=(1,))
    for line in made.notes:
        note(line)
