"""For people who want to know how good it is, and what it is made of: evaluate, check-model, quantities."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note, opened, progress, table

if TYPE_CHECKING:
    from medtwin.physiology.model import Model


def register(app: typer.Typer) -> None:
    command(
        app, evaluate,
        "medtwin evaluate anna",
        "medtwin evaluate anna ben --quantity glucose --horizons 30m,60m --train 0.7",
        "medtwin evaluate anna --json > evaluation.json",
        "medtwin evaluate anna --markdown evaluation.md",
        "medtwin evaluate --table people.csv --mapping people.yaml --leave-out pulmonary_wedge_pressure --json",
    )  # fmt: skip
    command(
        app, check_models,
        "medtwin check-model",
        "medtwin check-model glucose_insulin --json",
        "medtwin check-model my_model.py:MyModel",
        name="check-model",
    )  # fmt: skip
    command(app, quantities, "medtwin quantities", "medtwin quantities glucose", "medtwin quantities --kind amount")


def evaluate(
    patients: Annotated[
        list[str] | None, typer.Argument(metavar="PATIENT...", help="Whose data; nobody where a table is given.")
    ] = None,
    quantity: Annotated[str, typer.Option("--quantity", metavar="NAME", help="What is forecast.")] = "glucose",
    horizons: Annotated[str, typer.Option("--horizons", metavar="SPANS", help="How far ahead.")] = "30m,60m",
    train: Annotated[float, typer.Option("--train", metavar="SHARE", help="Share of time before the test.")] = 0.7,
    to: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write the page here too.")] = None,
    people: Annotated[
        Path | None,
        typer.Option("--table", metavar="FILE", help="A CSV of people's haemodynamics instead of patients."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="Which variable of the table is which quantity, in what unit."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out", metavar="NAME", help="A quantity that is predicted from the others; may be repeated."
        ),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Forecast people's own past with this very pipeline, and score it beside baselines.

    No look-ahead: each forecast uses what was known when its reading was. RMSE, MAE and CRPS of medians and quantiles,
    and how many readings the 50 % and 90 % intervals held, beside persistence and a ridge autoregression.

    With --table and --mapping: fit the circulation to each person of a table of pressures, flows and volumes, and predict
    each quantity of --leave-out from the others, beside a cross-validated ridge regression.
    """
    if people is not None or mapping is not None or leave_out:
        if people is None or mapping is None or patients:
            raise typer.BadParameter("--table and --mapping belong together, without patients", param_hint="--table")
        _evaluate_table(people, mapping, leave_out or [], to, as_json)
        return
    if not patients:
        raise typer.BadParameter("name patients, or a table by --table and --mapping", param_hint="PATIENT...")
    from medtwin.evidence import evaluation
    from medtwin.sources.times import spans

    with opened(home) as (store, grant):
        records = [store.record(patient, grant) for patient in patients]
    with progress("evaluating", quiet=as_json) as tell:
        found = evaluation.evaluate(records, quantity, spans(horizons), train=train, progress=tell)
    if to is not None:
        asked = f"medtwin evaluate {' '.join(patients)} --quantity {quantity} --horizons {horizons} --train {train:g}"
        to.write_text(evaluation.markdown(found, "Forecasts of people's own data", asked))
    if as_json:
        emit("evaluate", found.builtins())
        return
    for minutes in sorted({r.horizon_minutes for r in found.results}):
        rows = [
            (r.patient, s.method, s.n, f"{s.rmse:.1f}", f"{s.mae:.1f}", f"{s.crps:.2f}", f"{s.coverage50:.0%}",
             f"{s.coverage90:.1%}", "{:.1%} to {:.1%}".format(*s.coverage90_interval))
            for r in found.results if r.horizon_minutes == minutes for s in r.scores
        ]  # fmt: skip
        columns = ("person", "method", "n", "RMSE", "MAE", "CRPS", "in 50 %", "in 90 %", "95 % interval")
        unit = found.results[0].unit
        table(f"{quantity}, {minutes:.0f} min ahead ({unit})", columns, rows, right=range(2, 9))
    for line in evaluation.grades(found):
        typer.echo(line)
    for line in found.notes:
        note(line)


def _evaluate_table(people: Path, mapping: Path, leave_out: list[str], to: Path | None, as_json: bool) -> None:
    import medtwin.twin  # noqa: F401 - 64 bit, and the compilation cache
    from medtwin.evidence import haemodynamic_table

    with progress("fitting", quiet=as_json) as _:
        found = haemodynamic_table.evaluate(haemodynamic_table.read(people, mapping), leave_out)
    if to is not None:
        asked = " ".join(
            [f"medtwin evaluate --table {people.name} --mapping {mapping}", *(f"--leave-out {q}" for q in leave_out)]
        )
        to.write_text(haemodynamic_table.markdown(found, asked))
    if as_json:
        emit("evaluate-table", haemodynamic_table.builtins(found))
        return
    rows = [
        (one.quantity, s.method, s.n, f"{s.rmse:.2f} {one.unit}", f"{s.bias:+.2f}", f"{s.correlation:.2f}", f"{s.crps:.2f}",
         f"{s.inside} of {s.n}", f"{s.low:.0%} to {s.high:.0%}")
        for one in found.left_out for s in one.scores
    ]  # fmt: skip
    columns = ("left out", "method", "n", "RMSE", "bias", "r", "CRPS", "in 90 %", "95 % interval")
    typer.echo(
        f"{found.entered} of {found.people} people have at least {found.least} readings; "
        f"mean squared standardised error of the fit {found.misfit:.3f}"
    )  # fmt: skip
    table(f"Predicted from the other readings ({people.name})", columns, rows, right=range(2, 9))
    for line in (*found.withheld, *found.odd):
        note(line)


def check_models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="A shipped model, or FILE.py:Class; default: all.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Check that models keep their contract; ends with code 1 where one does not.

    Docstring, units, priors and sources; finite and plausible draws; order of accuracy; conservation; gradients.
    """
    import medtwin.twin  # noqa: F401 - 64 bit, and the compilation cache
    from medtwin.physiology.check import check_model
    from medtwin.physiology.models import all_models

    reports = [check_model(model) for model in (map(_model, names) if names else all_models())]
    if as_json:
        emit("check-model", {"passed": all(r.passed for r in reports), "models": reports})
    else:
        for report in reports:
            rows = [(c.verdict, c.name, c.meaning, c.measured, c.limit, c.detail) for c in report.checks]
            title = f"{report.model}: {'passed' if report.passed else 'FAILED'}"
            table(title, ("", "check", "meaning", "measured", "allowed", "detail"), rows)
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def _model(name: str) -> Model:
    from importlib import import_module
    from importlib.util import module_from_spec, spec_from_file_location

    from medtwin.errors import ModelError
    from medtwin.physiology.models import by_name

    place, colon, kind = name.rpartition(":")
    if not colon:
        return by_name(name)
    try:
        if place.endswith(".py"):
            spec = spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            module = module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
        else:
            module = import_module(place)
        made: Model = getattr(module, kind)()
    except (ImportError, OSError, AttributeError, TypeError) as error:
        raise ModelError(f"no model at {name!r} ({error})", expected="FILE.py:Class or package.module:Class") from error
    return made


def quantities(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Some; default: all.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="level, amount, rate, code or artifact.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List what can be measured or given: names, units, plausible ranges, codes."""
    from medtwin.quantities import registry
    from medtwin.quantities.quantity import Kind

    if kind is not None and kind not in {k.value for k in Kind}:
        raise typer.BadParameter(f"one of {', '.join(k.value for k in Kind)}", param_hint="--kind")
    wanted = [registry.get(name) for name in names] if names else list(registry.everything().values())
    found = [q for q in wanted if kind is None or q.kind.value == kind]
    if as_json:
        rows = [
            {"name": q.name, "meaning": q.meaning, "kind": q.kind, "unit": q.unit,
             "low": None if q.low == float("-inf") else q.low, "high": None if q.high == float("inf") else q.high,
             "error_sd": q.error_sd, "error_cv": q.error_cv, "loinc": q.loinc, "snomed": q.snomed, "rxnorm": q.rxnorm}
            for q in found
        ]  # fmt: skip
        emit("quantities", {"quantities": rows, "notice": registry.LOINC_NOTICE})
        return
    table(
        "Quantities", ("name", "kind", "unit", "plausible", "LOINC", "meaning"),
        [(q.name, q.kind, q.unit, f"{q.low:g} to {q.high:g}" if q.unit else "", " ".join(q.loinc), q.meaning)
         for q in found],
    )  # fmt: skip
    typer.echo(registry.LOINC_NOTICE)
