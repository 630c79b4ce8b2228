"""What comes next, and what if."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli import drug_futures
from medtwin.cli.common import (
    RESEARCH,
    AsOf,
    ClockName,
    GlucoseUnit,
    Home,
    Json,
    ModelName,
    PatientId,
    ago,
    command,
    emit,
    glucose_unit,
    is_synthetic,
    note,
    opened,
    show,
    table,
    titled,
)
from medtwin.cli.people import SILENT, living, lowest, moment_of, read_as_utc, unit_of, unit_shown, way_out
from medtwin.cli.plot import plot

if TYPE_CHECKING:
    from medtwin.applications.glucose_report.unit import Unit
    from medtwin.record import Event
    from medtwin.twin.forecast import Effect, Forecast
    from medtwin.twin.scenario import Scenario

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
Hours = Annotated[float, typer.Option("--hours", metavar="HOURS", min=0.25, max=24.0, help="How far to look ahead.")]
ScenarioFile = Annotated[
    Path | None, typer.Option("--scenario", metavar="FILE.yaml", help="Planned events; see the example below.")
]
EXAMPLE = """A scenario file:

\b
  dialect: medtwin-scenario/1
  events:
    - {quantity: insulin_bolus, value: 3.5 U, at: +10m}
    - {quantity: carbohydrate_intake, value: 45 g, at: +20m, until: +35m}
    - {quantity: heart_rate, value: 110 /min, at: 14:00, lasts: 45min}   # a walk

"""


def register(app: typer.Typer) -> None:
    command(
        app, forecast,
        "medtwin forecast anna --hours 6",
        "medtwin forecast anna --scenario lunch.yaml",
        "medtwin forecast anna --as-of 2026-05-01T14:05+02:00 --clock recorded",
        "medtwin forecast anna --as-of last --json",
        before=EXAMPLE,
    )  # fmt: skip
    command(
        app, what_if,
        "medtwin what-if anna --carbs 45 --bolus 3.5 --in 20m",
        "medtwin what-if anna --plan 'insulin_bolus=2 U' --in 5m --hours 4",
        "medtwin what-if anna --carbs 45 --bolus 3.5 --decide accepted",
        "medtwin what-if anna --carbs 45 --model glucose_insulin --beside glucose_meals",
        "medtwin what-if anna --carbs 45 --walk 14:00/45min@110bpm --model glucose_meals",
        "medtwin what-if anna --scenario lunch.yaml --as-of last",
        "medtwin what-if anna --drug sacubitril/valsartan:200mg:bid --drug empagliflozin:10mg:qd --weeks 12",
        "medtwin what-if --set hfref-severe --drug carvedilol:25mg:bid --option furosemide:80mg:qd+spironolactone:25mg:qd",
        name="what-if", before=EXAMPLE,
    )  # fmt: skip


def forecast(
    patient: PatientId,
    hours: Hours = 6.0,
    scenario: ScenarioFile = None,
    as_of: AsOf = None,
    clock: ClockName = "available",
    model: ModelName = None,
    unit: GlucoseUnit = "mg/dL",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Forecast a patient's headline quantity, with bands calibrated on the person's own past.

    With a scenario, its planned events count. A forecast widens or is withheld when inputs are stale, and says so.
    """
    plan = None
    if scenario is not None:
        from medtwin.twin.scenario import load

        plan = load(scenario)
    effect, planned, at, notes = _effect(home, patient, hours, plan, as_of, clock, quiet=as_json, model=model)
    chosen = effect.scenario if planned else effect.baseline
    shown = _shown_in(chosen.quantity, unit)
    if as_json:
        content = {"patient": patient, "synthetic": _synthetic(home, patient), "at": at, "clock": clock, "notes": notes,
                   "planned": _plans(planned)}  # fmt: skip
        emit("forecast", {**content, **_future(chosen, shown), "research_only": True})
        return
    titled(patient, _synthetic(home, patient))
    _head(chosen, as_of)
    if chosen.withheld:
        note(RESEARCH)
        return
    every = max(len(chosen.times) // 12, 1)
    rows = [
        (f"{chosen.times[i]:%Y-%m-%d %H:%M}", *(shown.words(chosen.at(level)[i]) for level in LEVELS))
        for i in range(every - 1, len(chosen.times), every)
    ]
    table(
        f"{chosen.quantity} ({shown.name})", ("time (UTC)", "5 %", "25 %", "median", "75 %", "95 %"),
        rows, right=range(1, 6),
    )  # fmt: skip
    low, middle, high = (shown.of(chosen.at(level)) for level in (0.05, 0.5, 0.95))
    show(plot(chosen.times, [("o", middle)], low, high, shown.name))
    note(RESEARCH)


def what_if(
    patient: Annotated[
        str | None, typer.Argument(metavar="[PATIENT]", help="The patient's id; none with --set or --table.")
    ] = None,
    carbs: Annotated[float | None, typer.Option("--carbs", metavar="GRAMS", help="Carbohydrate eaten.")] = None,
    bolus: Annotated[float | None, typer.Option("--bolus", metavar="UNITS", help="Rapid insulin given.")] = None,
    plan: Annotated[
        list[str] | None, typer.Option("--plan", metavar="QUANTITY=VALUE", help="Any other; may be repeated.")
    ] = None,
    walk: Annotated[
        list[str] | None,
        typer.Option("--walk", metavar="[TIME/]DURATION[@RATE]", help="14:00/45min@110bpm, or 30m; for glucose_meals."),
    ] = None,
    start: Annotated[str, typer.Option("--in", metavar="SPAN", help="How far from now (20m, 1h).")] = "0m",
    scenario: ScenarioFile = None,
    decide: Annotated[
        str | None,
        typer.Option("--decide", metavar="accepted|refused", help="Keep a decision; see `medtwin decisions`."),
    ] = None,
    beside: Annotated[
        str | None, typer.Option("--beside", metavar="NAME", help="A second structure: where do the two disagree?")
    ] = None,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; asked for of a refusal.")] = "",
    drug: drug_futures.Drug = None,
    option: drug_futures.OptionOf = None,
    taking: drug_futures.Taking = None,
    weeks: drug_futures.Weeks = 12.0,
    named: drug_futures.SetName = None,
    table_file: drug_futures.TableOf = None,
    mapping: drug_futures.Mapping = None,
    row: drug_futures.Row = None,
    utility: drug_futures.Utility = None,
    potassium: drug_futures.Potassium = None,
    filtration: drug_futures.Filtration = None,
    condition: drug_futures.Condition = None,
    hours: Hours = 6.0,
    as_of: AsOf = None,
    clock: ClockName = "available",
    model: ModelName = None,
    unit: GlucoseUnit = "mg/dL",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show two futures side by side, without and with a plan, and the paired difference.

    The difference is physiology alone: the same members of the belief, run twice; its interval holds the model's own error,
    measured on people of other equations. A person for whom no model speaks gets no answer, and the reason.

    --drug asks the circulation instead, weeks ahead: heart-failure drugs at once or in options that are ranked
    (docs/heart-failure-drugs.md).
    """
    from medtwin.errors import FormatError, InferenceError
    from medtwin.twin import scenario as scenarios

    if drug_futures.asked(drug=drug, option=option):
        if carbs is not None or bolus is not None or plan or walk or scenario or decide or beside or as_of or model:
            raise typer.BadParameter(
                "drugs are asked of the circulation, without meals, insulin, walks, decisions or another model"
            )
        drug_futures.what_if_drugs(
            patient, drug=drug, option=option, taking=taking, weeks=weeks, named=named, people=(table_file, mapping, row),
            utility=utility,
            potassium=potassium, filtration=filtration, condition=condition, home=home, as_json=as_json,
        )  # fmt: skip
        return
    if named is not None or table_file is not None or condition or taking or utility:
        raise typer.BadParameter("these belong to a question of drugs: add --drug NAME:DOSE:OFTEN")
    if patient is None:
        raise typer.BadParameter("whose future: PATIENT", param_hint="PATIENT")
    pairs = [("carbohydrate_intake", f"{carbs} g")] if carbs is not None else []
    pairs += [("insulin_bolus", f"{bolus} U")] if bolus is not None else []
    for text in plan or ():
        quantity, equals, value = text.partition("=")
        if not equals:
            raise FormatError(f"the plan {text[:40]!r}", expected="QUANTITY=VALUE, such as 'insulin_bolus=2 U'")
        pairs.append((quantity.strip(), value.strip()))
    if decide not in (None, "accepted", "refused"):
        raise typer.BadParameter("accepted or refused", param_hint="--decide")
    if because and decide is None:
        raise typer.BadParameter(
            "a reason is kept with a decision: add --decide accepted or refused", param_hint="--because"
        )
    if decide is not None and as_of is not None:
        raise typer.BadParameter("a decision is about the present: without --as-of", param_hint="--decide")
    if bool(pairs or walk) == (scenario is not None):
        raise typer.BadParameter("say what is planned: --carbs, --bolus, --walk, --plan, or --scenario FILE.yaml")
    meant = (
        scenarios.load(scenario) if scenario
        else scenarios.planned(pairs, f"+{start.lstrip('+')}", walks=walk or ())
    )  # fmt: skip
    effect, planned, at, notes = _effect(
        home, patient, hours, meant, as_of, clock, quiet=as_json, decision=(decide, because) if decide else None,
        model=model,
    )  # fmt: skip
    other_structure = None
    from medtwin.twin.forecast import bottom

    if beside is not None:
        other_structure = _effect(home, patient, hours, meant, as_of, clock, quiet=True, model=beside)[0]
    one, other = effect.baseline, effect.scenario
    if not one.physiological and not one.withheld:
        raise InferenceError(
            "a person for whom no model speaks, so that a plan cannot be judged", expected="a physiological model",
            remedy="see `medtwin show` for the reason",
        )  # fmt: skip
    shown = _shown_in(one.quantity, unit)
    if as_json:
        difference = {"levels": LEVELS, "quantiles": shown.of(effect.quantiles), "unit": _unit_told(one, shown)}
        content = {
            "patient": patient, "synthetic": _synthetic(home, patient), "at": at, "clock": clock, "notes": notes,
            "planned": _plans(planned), "without": _future(one, shown),
            "with": {**_future(other, shown), "bottom": bottom(other)}, "difference": difference, "research_only": True,
            "beside": other_structure and _beside(effect, other_structure, shown),
        }  # fmt: skip
        emit("what-if", content)
        return
    titled(patient, _synthetic(home, patient))
    for event in planned:
        end = f" to {event.until.instant:%Y-%m-%d %H:%M}" if event.until else ""
        typer.echo(
            f"Planned: {event.quantity} {event.value:g} {unit_shown(event.quantity)} at {event.instant:%Y-%m-%d %H:%M}{end} UTC"
        )
    _head(one, as_of)
    if one.withheld:
        note(RESEARCH)
        return
    if other.widened and other.widened != one.widened:
        typer.secho(f"With the plan: {other.widened}", fg=typer.colors.YELLOW)
    every = max(len(one.times) // 12, 1)
    rows = [
        (
            f"{one.times[i]:%Y-%m-%d %H:%M}", _band(one, i, shown), _band(other, i, shown),
            _signed(effect.quantiles[i, 2], shown),
            f"{_signed(effect.quantiles[i, 0], shown)} to {_signed(effect.quantiles[i, 4], shown)}",
        )
        for i in range(every - 1, len(one.times), every)
    ]  # fmt: skip
    table(
        f"{one.quantity} ({shown.name}): median (5 to 95 %)",
        ("time (UTC)", "without", "with", "difference", "5 to 95 %"), rows, right=range(1, 5),
    )  # fmt: skip
    lines = [("o", shown.of(one.at(0.5))), ("x", shown.of(other.at(0.5)))]
    show(plot(one.times, lines, shown.of(other.at(0.05)), shown.of(other.at(0.95)), shown.name))
    typer.echo("o without, x with the plan, · 90 % band with it")
    if other_structure is not None:
        _tell_beside(effect, other_structure, shown)
    note(RESEARCH)


def _effect(
    home: Path | None,
    patient: str,
    hours: float,
    plan: Scenario | None,
    as_of: str | None,
    clock: str,
    *,
    quiet: bool,
    decision: tuple[str, str] | None = None,
    model: str | None = None,
) -> tuple[Effect, tuple[Event, ...], datetime, list[str]]:
    with opened(home) as (store, grant):
        moment, newest, zone = moment_of(store, grant, patient, as_of)
        silence = datetime.now(UTC) - newest
        if moment is None and silence > SILENT:
            from medtwin.errors import InferenceError

            raise InferenceError(
                f"a last reading that is {ago(silence.total_seconds())} old, so that nothing can be said of the present",
                remedy="see what would have been said then: --as-of last",
            )
        door, life, at, _ = living(store, grant, patient, as_of, clock, quiet=quiet, model=model)
        planned: tuple[Event, ...] = ()
        if plan is not None:
            from medtwin.errors import FormatError
            from medtwin.twin.choice import STRUCTURES
            from medtwin.twin.scenario import events, plannable, takers, unheard

            planned = events(plan, at, zone)
            strange = unheard(planned, life.choice)
            if strange and life.choice.model is not None:
                others = [name for name in takers(strange[0]) if name != life.choice.model.name]
                able = life.choice.model.name in STRUCTURES and bool(others)
                raise FormatError(
                    f"a plan of {', '.join(strange)}, which {life.choice.model.name} does not take",
                    expected=", ".join(plannable(life.choice)), where=f"patient {patient}",
                    remedy=f"ask a model that takes it: --model {others[0]}" if able else
                    "no model of this person takes it: leave it out",
                )  # fmt: skip
            end = at + timedelta(hours=hours)
            late = [e for e in planned if e.instant >= end]
            if late:
                raise FormatError(
                    f"a plan for {late[0].instant:%Y-%m-%d %H:%M} UTC", expected=f"one before {end:%Y-%m-%d %H:%M} UTC",
                    where=f"patient {patient}", remedy="look further: --hours",
                )  # fmt: skip
            if strange and not quiet:
                note(f"Plans cannot be judged: {life.choice.reason}.")
        texts = [text for one in (plan.events if plan is not None else ()) for text in (one.at, one.until)]
        notes = read_as_utc(patient, zone, as_of, *texts)
        effect = door.forecast(patient, life, hours=hours, planned=planned)
        if decision is not None:
            from medtwin.applications.decisions.decision import decide, facts

            made = decide(
                life.record, effect, planned, decision[0], grant.who, datetime.now(UTC), because=decision[1],  # type: ignore[arg-type]
                snapshot=life.twin.snapshot if life.twin is not None else "",
            )  # fmt: skip
            store.append(facts(store, grant, patient, made), grant)
            notes = [*notes, f"kept as decision {made.id}; `medtwin decisions {patient}` will show what came of it"]
            if not quiet:
                note(notes[-1])
        return effect, planned, at, notes


def _beside(effect: Effect, second: Effect, unit: Unit) -> dict[str, Any]:
    """The same plan under a second structure: its difference, and how far the two medians are apart."""
    if second.baseline.withheld:
        return {"label": second.baseline.label, "withheld": second.baseline.withheld}
    count = min(len(effect.quantiles), len(second.quantiles))
    return {
        "label": second.baseline.label, "times": second.baseline.times[:count], "levels": LEVELS,
        "quantiles": unit.of(second.quantiles[:count]),
        "apart": unit.of(second.quantiles[:count, 2] - effect.quantiles[:count, 2]),
        "unit": _unit_told(effect.baseline, unit),
    }  # fmt: skip


def _tell_beside(effect: Effect, second: Effect, unit: Unit) -> None:
    """Model-form uncertainty: what two structures make of one plan."""
    told = _beside(effect, second, unit)
    if "withheld" in told:
        typer.secho(f"{told['label']}: withheld: {told['withheld']}", fg=typer.colors.YELLOW)
        return
    times, apart = told["times"], told["apart"]
    every = max(len(times) // 6, 1)
    rows = [
        (
            f"{times[i]:%Y-%m-%d %H:%M}",
            *(
                f"{_signed(q[i, 2], unit)} ({_signed(q[i, 0], unit)} to {_signed(q[i, 4], unit)})"
                for q in (effect.quantiles, second.quantiles)
            ),
            f"{apart[i]:+.{unit.places}f}",
        )
        for i in range(every - 1, len(times), every)
    ]  # fmt: skip
    names = (effect.baseline.label.split()[0].rstrip(","), second.baseline.label.split()[0].rstrip(","))
    table(
        f"The difference that the plan makes under two structures ({unit.name})", ("time (UTC)", *names, "apart"), rows,
        right=(1, 2, 3),
    )  # fmt: skip
    worst = int(abs(apart).argmax())
    typer.echo(f"They are furthest apart at {times[worst]:%H:%M} UTC: {apart[worst]:+.{unit.places}f} {unit.name}.")


def _shown_in(quantity: str, unit: str) -> Unit:
    """How values of a quantity are shown: glucose in the unit asked for, all else in its own."""
    from medtwin.applications.glucose_report.unit import Unit

    asked = glucose_unit(unit)
    return asked if quantity == "glucose" else Unit(unit_shown(quantity), 1.0, 0)


def _unit_told(forecast: Forecast, unit: Unit) -> str:
    """The unit in a document: glucose in the one asked for, all else as the registry writes it."""
    return unit.name if forecast.quantity == "glucose" else unit_of(forecast.quantity)


def _signed(value: float, unit: Unit) -> str:
    return f"{unit.of(value):+.{unit.places}f}"


def _future(forecast: Forecast, unit: Unit) -> dict[str, Any]:
    coverage = forecast.coverage
    bands = (unit.of(forecast.at(p)) for p in LEVELS)
    return {
        "quantity": forecast.quantity, "unit": _unit_told(forecast, unit), "made_at": forecast.made_at,
        "physiological": forecast.physiological, "label": forecast.label, "withheld": forecast.withheld,
        "widened": forecast.widened, "levels": LEVELS, "times": forecast.times,
        "quantiles": [[round(float(v), 3) for v in row] for row in zip(*bands, strict=True)],
        "held_out_coverage_of_90": None if coverage is None else
        {"coverage": coverage[0], "outcomes": coverage[1], "horizon_minutes": coverage[2]},
    }  # fmt: skip


def _plans(planned: Sequence[Event]) -> list[dict[str, Any]]:
    return [
        {"quantity": e.quantity, "value": e.value, "unit": unit_of(e.quantity), "at": e.instant,
         "until": e.until.instant if e.until else None}
        for e in planned
    ]  # fmt: skip


def _synthetic(home: Path | None, patient: str) -> bool:
    with opened(home) as (store, grant):
        return is_synthetic(store, grant, patient)


def _head(forecast: Forecast, as_of: str | None) -> None:
    typer.secho(f"{forecast.label}, made at {forecast.made_at:%Y-%m-%d %H:%M} UTC", bold=True)
    if forecast.withheld:
        typer.secho(f"Withheld: {way_out(forecast.withheld, as_of)}", fg=typer.colors.YELLOW)
    if forecast.widened:
        typer.secho(f"Widened: {forecast.widened}", fg=typer.colors.YELLOW)
    if forecast.coverage:
        share, outcomes, minutes = forecast.coverage
        typer.echo(
            f"90 % bands without a plan held {share:.0%} of {outcomes} outcomes at {minutes:.0f} min on held-out days; of "
            "effects of plans see docs/evidence/what-if.md."
        )


def _band(forecast: Forecast, i: int, unit: Unit) -> str:
    low, middle, high = (float(forecast.at(level)[i]) for level in (0.05, 0.5, 0.95))
    if middle <= lowest(forecast.quantity):
        return f"at most {unit.words(middle)}"
    return f"{unit.words(middle)} ({unit.words(low)} to {unit.words(high)})"
