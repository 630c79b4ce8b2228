"""For people who analyse a trial: fix the plan, carry it out, report it; an example to try it on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import Home, Json, command, complain, emit, note, progress, table

if TYPE_CHECKING:
    from medtwin.trials.analysis_plan.analysed import Analysed, Result

Plan = Annotated[Path, typer.Option("--plan", metavar="PLAN", help="The analysis plan (YAML).")]


def register(app: typer.Typer) -> None:
    command(app, lock, "medtwin trial lock plan.yaml", "medtwin trial lock plan.yaml --data trial.csv",
            "medtwin trial lock plan.yaml --amend 'the steering committee asked for week 24'", name="lock")  # fmt: skip
    command(app, analyse, "medtwin trial analyse trial.csv --plan plan.yaml",
            "medtwin trial analyse adlb.xpt --plan plan.yaml --report report",
            "medtwin trial analyse trial.parquet --plan plan.yaml --json", name="analyse")  # fmt: skip
    command(app, example, "medtwin trial example study", name="example")


def lock(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The analysis plan (YAML).")],
    data: Annotated[Path | None, typer.Option("--data", metavar="FILE", help="Lock the bytes of the data too.")] = None,
    amend: Annotated[
        str | None,
        typer.Option("--amend", metavar="REASON", help="Amend the lock that is there; it keeps what it said."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Fix plan, estimand, score and data cut before the outcomes are looked at: writes PLAN.lock.json beside the plan.

    An analysis that is not what was locked says so on its first page. The hash shows a change; it is no signature: register it
    where others can see it.
    """
    import medtwin
    from medtwin.trials.analysis_plan.lock import lock as made
    from medtwin.trials.analysis_plan.lock import read_lock, write_lock
    from medtwin.trials.analysis_plan.plan import read_plan
    from medtwin.trials.analysis_plan.score import plan_score
    from medtwin.trials.tables import read_table

    asked, path = read_plan(plan), lock_path(plan)
    earlier = read_lock(path)[0] if path.exists() else None
    held, score = read_table(data) if data is not None else None, plan_score(asked, plan.parent)
    done = made(
        asked, version=medtwin.__version__, score_sha256=score.sha256 if score else "", earlier=earlier, reason=amend or "",
        data_sha256=held.sha256 if held else "", data_rows=held.frame.height if held else 0,
    )  # fmt: skip
    write_lock(done, path)
    if as_json:
        emit("trial-lock", {"file": str(path), "sha256": done.sha256, "locked_at": done.locked_at, "plan": done.plan_sha256,
                            "score": done.score_sha256, "data": done.data_sha256, "amendments": len(done.before)})  # fmt: skip
        return
    rows = [("plan", done.plan_sha256), ("score", done.score_sha256 or "none"), ("data", done.data_sha256 or "not yet"),
            ("data cut", done.data_cut or "none"), ("this lock", done.sha256)]  # fmt: skip
    table(f"Locked at {done.locked_at}: {path}", ("what", "sha256, or date"), rows)


def analyse(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV, Parquet, SAS xpt or sas7bdat.")],
    plan: Plan,
    locked: Annotated[
        Path | None,
        typer.Option("--lock", metavar="FILE", help="The lock; if nothing is said, PLAN.lock.json beside the plan."),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FOLDER", help="Write the report here.")] = None,
    formats: Annotated[
        str, typer.Option("--formats", metavar="LIST", help="Of the report: html,pdf,json,ars.")
    ] = "html,pdf,json,ars",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Carry out every analysis of a plan on a table; ends with code 1 where the primary one could not be made.

    Every method is named in the plan; docs/reference/analysis-plan.md lists them with their options. Nobody is left out
    silently: notes say who was, and why.
    """
    from medtwin.trials.analysis_plan.carry_out import carry_out
    from medtwin.trials.analysis_plan.lock import read_lock
    from medtwin.trials.analysis_plan.plan import read_plan
    from medtwin.trials.report.json import content
    from medtwin.trials.report.save import write_report
    from medtwin.trials.tables import read_table

    asked = read_plan(plan)
    path = locked or lock_path(plan)
    if locked is not None and not locked.exists():
        raise typer.BadParameter(f"no file {locked}", param_hint="--lock")
    held = read_lock(path) if path.exists() else None
    with progress("analysing", quiet=as_json) as tell:
        done = carry_out(asked, read_table(data), folder=plan.parent, locked=held, progress=tell)
    written = write_report(done, report, kinds=tuple(formats.split(","))) if report is not None else ()
    if as_json:
        emit("trial-analyse", {**content(done), "report": [str(one) for one in written]})
    else:
        _show(done)
        for one in written:
            note(f"wrote {one}")
    if any(one.failure and one.role == "primary" for one in done.results):
        complain("the primary analysis could not be made")
        raise typer.Exit(1)


def example(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other patients.")] = 1,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write a synthetic trial with its historical controls, score, plans and truth, for the tutorial."""
    from medtwin.trials.example.write import write_example

    written = write_example(folder, seed=seed)
    if as_json:
        emit("trial-example", {"files": [str(one) for one in written], "synthetic": True})
        return
    table("Synthetic patients: nobody is real", ("file",), [(str(one),) for one in written])


def lock_path(plan: Path) -> Path:
    """Beside the plan."""
    return plan.with_name(f"{plan.stem}.lock.json")


def _show(done: Analysed) -> None:
    if done.synthetic:
        note("SYNTHETIC DATA: nobody in them is real")
    for amendment in done.amendments:
        note(f"the lock was amended at {amendment.at}: {amendment.reason}")
    for deviation in done.deviations:
        note(f"deviation from the lock: {deviation.words}")
    if not done.locked_at:
        note("this analysis was not locked (medtwin trial lock PLAN)")
    elif not done.deviations:
        note(f"as locked at {done.locked_at}")
    rows = [row for one in done.results for row in _rows(one)]
    columns = ("analysis", "n", "estimate", "value", "low", "high", "unit", "p", "method")
    table(done.title, columns, rows, right=(1, 3, 4, 5, 7))
    for line in done.notes:
        note(line)
    for one in done.results:
        for line in (*(one.analysis.notes if one.analysis else ()), *(one.tipping.notes if one.tipping else ())):
            note(f"{one.name}: {line}")


def _rows(one: Result) -> list[tuple[Any, ...]]:
    from medtwin.trials.report.numbers import bayesian

    if one.analysis is None:
        return [(f"{one.name} ({one.role})", "", "FAILED", "", "", "", "", "", one.failure)]
    rows = []
    for number, estimate in enumerate(one.analysis.estimates):
        compares = " - " in estimate.name or " / " in estimate.name
        if number and (not compares or one.role == "subgroup"):
            continue
        value, low, high = estimate.reported
        p = "" if bayesian(estimate) else "< 0.0001" if estimate.p_value < 1e-4 else f"{estimate.p_value:.4f}"
        unit = "ratio" if estimate.scale == "log" else "" if estimate.unit == "1" else estimate.unit
        size = str(sum(one.analysis.patients.values())) if not number else ""
        rows.append((f"{one.name} ({one.role})" if not number else "", size, estimate.name, f"{value:.4g}", f"{low:.4g}",
                     f"{high:.4g}", unit, p, estimate.method if not number else ""))  # fmt: skip
    return rows
