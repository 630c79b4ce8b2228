"""What if other drugs were taken: heart-failure drugs on a circulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from medtwin.cli.common import RESEARCH, emit, note, opened, table

Drug = Annotated[
    list[str] | None,
    typer.Option(
        "--drug",
        metavar="NAME:DOSE:OFTEN",
        help="A heart-failure drug, such as carvedilol:25mg:bid; repeated: together.",
    ),
]
OptionOf = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="DRUG+DRUG", help="Another plan of drugs to rank beside the first; may be repeated."
    ),
]
Taking = Annotated[
    list[str] | None,
    typer.Option(
        "--taking", metavar="NAME:DOSE:OFTEN", help="A drug that was taken when the readings were made, and goes on."
    ),
]
Weeks = Annotated[
    float, typer.Option("--weeks", metavar="WEEKS", min=0.02, max=52.2, help="How far to look ahead under drugs.")
]
SetName = Annotated[
    str | None,
    typer.Option(
        "--set", metavar="NAME", help="A published group instead of a patient: hfref-severe or hfref-moderate."
    ),
]
TableOf = Annotated[
    Path | None,
    typer.Option(
        "--table", metavar="FILE.csv", help="A table of people instead of a record; with --mapping and --row."
    ),
]
Mapping = Annotated[
    Path | None, typer.Option("--mapping", metavar="FILE.yaml", help="Which column of --table is which quantity.")
]
Row = Annotated[str | None, typer.Option("--row", metavar="NAME", help="Whose row of --table.")]
Utility = Annotated[
    list[str] | None,
    typer.Option(
        "--utility",
        metavar="NAME=POINTS",
        help="Points for each unit of a quantity's change, or for an event; may be repeated.",
    ),
]
Potassium = Annotated[
    float | None,
    typer.Option(
        "--potassium", metavar="MMOL/L", min=1.0, max=12.0, help="The higher of this and the record's counts."
    ),
]
Filtration = Annotated[
    float | None,
    typer.Option(
        "--egfr",
        metavar="ML/MIN",
        min=1.0,
        max=200.0,
        help="Filtration per 1.73 m2; the lower of this and the record's counts.",
    ),
]
Condition = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="NAME",
        help="What is known beside the record: atrial-fibrillation, shock, assist-device ...",
    ),
]
LIMITS = (
    "Intervals hold the belief over the circulation, the spread of each effect and the model's error as measured against "
    "published studies; "
    "some signs were wrong there (docs/evidence/heart-failure-drugs.md)."
)


def asked(*, drug: Sequence[str] | None, option: Sequence[str] | None) -> bool:
    """Whether the question is one of drugs."""
    return bool(drug or option)


def what_if_drugs(
    patient: str | None,
    *,
    drug: Sequence[str] | None,
    option: Sequence[str] | None,
    taking: Sequence[str] | None,
    weeks: float,
    named: str | None,
    people: tuple[Path | None, Path | None, str | None],
    utility: Sequence[str] | None,
    potassium: float | None,
    filtration: float | None,
    condition: Sequence[str] | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Answer for one circulation, as JSON or as tables."""
    import medtwin.twin  # noqa: F401 - 64 bit, and the compilation cache
    from medtwin.applications.heart_failure.limits import refuse_conditions
    from medtwin.applications.heart_failure.people import of_record, of_row, of_set
    from medtwin.applications.heart_failure.what_if import UTILITY, answer, measure
    from medtwin.physiology.drugs.heart_failure.regimen import combination

    refuse_conditions(condition or ())
    plans = [combination(drug)] if drug else []
    plans += [combination(one.split("+")) for one in option or ()]
    before = combination(taking or ())
    weights = measure(_weights(utility)) if utility else UTILITY
    frame, mapping, row = people
    if [patient is not None, named is not None, frame is not None].count(True) != 1:
        raise typer.BadParameter("one of PATIENT, --set NAME, or --table FILE with --mapping and --row")
    synthetic = False
    if named is not None:
        whose = of_set(named)
    elif frame is not None:
        if mapping is None or row is None:
            raise typer.BadParameter("--table asks for --mapping FILE.yaml and --row NAME")
        whose = of_row(frame, mapping, row)
    else:
        assert patient is not None
        with opened(home) as (store, grant):
            record = store.record(patient, grant)
            entry = next((one for one in store.patients(grant) if one.id == patient), None)
        synthetic = bool(entry and entry.synthetic)
        whose = of_record(record, datetime.now(UTC))
    if not as_json:
        note("settling circulations: some ten seconds, more for the first time")
    made = answer(
        whose, plans, days=7.0 * weeks, taking=before, utility=weights, potassium=potassium, filtration=filtration
    )
    if as_json:
        emit("what-if-drugs", {
            "patient": patient, "set": named, "row": row, "label": whose.label, "synthetic": synthetic,
            "readings": dict(whose.readings),
            "notes": [*whose.notes, *made.notes, LIMITS], "weeks": weeks, "taking": [one.words for one in before],
            "levels": [0.05, 0.5, 0.95],
            "units": _units(made.now), "now": {name: values.tolist() for name, values in made.now.items()},
            "utility": dict(made.utility),
            "drawn": made.drawn, "used": made.used, "options": [_told(one) for one in made.options], "research_only": True,
        })  # fmt: skip
        return
    _show(whose, made, synthetic, before)


def _weights(utility: Sequence[str]) -> dict[str, float]:
    from medtwin.errors import FormatError

    weights = {}
    for text in utility:
        name, equals, points = text.partition("=")
        try:
            weights[name.strip()] = float(points)
        except ValueError:
            equals = ""
        if not equals:
            raise FormatError(
                f"the utility {text[:40]!r}",
                expected="NAME=POINTS, such as pulmonary_wedge_pressure=-1 or hypotension=-10",
            )
    return weights


def _units(now: Any) -> dict[str, str]:
    from medtwin.quantities import registry

    return {name: registry.get(name).unit for name in now}


def _told(one: Any) -> dict[str, Any]:
    return {
        "words": one.words,
        "drugs": [{"name": r.agent.name, "class": r.drug.name, "dose": r.dose, "unit": r.agent.unit} for r in one.planned],
        "days": list(one.days), "bands": {name: v.tolist() for name, v in one.bands.items()},
        "change": {name: v.tolist() for name, v in one.change.items()}, "congestion": list(one.congestion),
        "blood_lost_ml": list(one.lost), "blood_held_in_veins_ml": list(one.held), "utility": list(one.utility),
        "expected_utility": one.expected, "chance_best": one.chance_best,
        "chance_hypotension": one.hypotension, "chance_unborne": one.unborne, "ranked_behind": one.demoted,
        "warnings": [asdict(w) for w in one.warnings], "limits": list(one.limits),
    }  # fmt: skip


def _show(whose: Any, made: Any, synthetic: bool, before: Any) -> None:
    from medtwin.applications.heart_failure.what_if import CONGESTED, unit

    typer.secho(f"{whose.label}{' (SYNTHETIC DATA)' if synthetic else ''}", bold=True)
    if before:
        typer.echo(f"Taking: {', '.join(one.words for one in before)}")
    for one in made.options:
        if not one.planned:
            continue
        head = ("quantity", "unit", "now", *(_when(day) for day in one.days), "change")
        rows: list[tuple[str, ...]] = []
        for name in one.bands:
            places = 1 if name == "cardiac_output" else 0
            measured = f"\nmeasured {whose.readings[name]:.{places}f}" if name in whose.readings else ""
            rows.append((
                name.replace("_", " "), unit(name), _three(made.now[name], places) + measured,
                *(_three(v, places) for v in one.bands[name]),
                _three(one.change[name][-1], places, signed=True),
            ))  # fmt: skip
        share = [f"{v:.0%}" for v in one.congestion]
        rows.append((f"chance of a wedge pressure above {CONGESTED:g}", "", "", *share, ""))
        table(f"{one.words}: median (5 to 95 %)", head, rows, right=range(2, len(head)))
        typer.echo(f"Stressed blood: {one.lost[1]:.0f} mL leaves the body, {one.held[1]:.0f} mL goes into wider veins.")
        for warning in one.warnings:
            typer.secho(f"{warning.kind}: {warning.sentence} [{warning.source}]", fg=typer.colors.YELLOW)
        for limit in one.limits:
            typer.echo(limit)
    points = ", ".join(f"{name} {weight:+g}" for name, weight in made.utility.items())
    table(
        f"In order of expected utility ({points})", ("plan", "expected", "5 to 95 %", "chance best", ""),
        [(one.words, f"{one.expected:+.1f}", f"{one.utility[0]:+.1f} to {one.utility[2]:+.1f}", f"{one.chance_best:.0%}",
          "behind the others: hypotension too likely" if one.demoted else "") for
        one in made.options],
        right=(1, 2, 3),
    )  # fmt: skip
    for sentence in (*whose.notes, *made.notes, f"{made.used} of {made.drawn} draws used. {LIMITS}", RESEARCH):
        note(sentence)


def _when(day: float) -> str:
    return f"{day * 24:.0f} h" if day < 2 else f"{day:.0f} d"


def _three(values: Any, places: int, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    low, middle, high = (f"{float(v):{sign}.{places}f}" for v in values)
    return f"{middle} ({low} to {high})"
