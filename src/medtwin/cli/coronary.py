"""Coronary flow on a tree of vessels: FFR with its interval, and the worth of stents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from medtwin.cli import coronary_images
from medtwin.cli.common import Commands, Home, Json, command, emit, note, opened, table

group = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Coronary arteries: trees from CT, FFR along a tree, and stents.",
)
TreeFile = Annotated[Path, typer.Argument(metavar="TREE", help="A tree of vessels, JSON (docs/coronary.md).")]
Samples = Annotated[int, typer.Option("--samples", metavar="N", min=1, max=100_000, help="Of what is not known.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of the samples.")]
Pressure = Annotated[
    float | None,
    typer.Option("--pressure", metavar="MMHG", min=20.0, max=250.0, help="Mean aortic, instead of the tree's."),
]
Mass = Annotated[
    float | None,
    typer.Option(
        "--mass", metavar="GRAMS", min=5.0, max=1000.0, help="Muscle that the tree feeds, instead of its own."
    ),
]
Factor = Annotated[
    float | None,
    typer.Option(
        "--hyperaemia", metavar="RATIO", min=0.05, max=1.0, help="Hyperaemic over resting resistance, if known."
    ),
]
Whose = Annotated[
    str | None,
    typer.Option(
        "--patient", metavar="PATIENT", help="Whose record states the blood pressure, where the tree does not."
    ),
]
RESEARCH = "Research output, not for treatment decisions. Beds, collaterals and losses at branchings are assumptions."


def register(app: typer.Typer) -> None:
    command(
        group, flow,
        "medtwin coronary flow tree.json",
        "medtwin coronary flow tree.json --mass 130 --pressure 93 --json",
        "medtwin coronary flow tree.json --mass 130 --patient anna",
    )  # fmt: skip
    command(
        group, plan,
        "medtwin coronary plan tree.json",
        "medtwin coronary plan tree.json --stent LAD:10-28:3.0 --stent LAD:40-52",
    )  # fmt: skip
    coronary_images.register(group)
    app.add_typer(group, name="coronary")


def flow(
    tree_file: TreeFile,
    samples: Samples = 1000,
    seed: Seed = 0,
    pressure: Pressure = None,
    mass: Mass = None,
    factor: Factor = None,
    patient: Whose = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """FFR along a tree with 90 % intervals, what they are made of, and each narrowing's share.

    The tree states its lumen and what is known of pressures and flows; what is not known is sampled.
    """
    from medtwin.applications.coronary.flow import analyse

    told = _tree(tree_file, mass)
    pressure = _pressure(told, pressure, patient, home)
    made = analyse(told, samples=samples, seed=seed, pressure=pressure, factor=factor)
    tree = made.tree
    if as_json:
        emit("coronary-flow", {
            "label": tree.label, "synthetic": tree.synthetic, "basis": made.basis, "samples": samples, "level": 0.9,
            "segments": [
                {
                    "name": one.name, "parent": None if one.parent is None else tree.segments[one.parent].name,
                    "arc_length_mm": one.arc_length.tolist(), "ffr": made.ffr[k].tolist(), "ffr_low": made.low[k].tolist(),
                    "ffr_high": made.high[k].tolist(),
                    "flow_ml_per_min": dict(zip(("low", "median", "high"), made.flow[k].tolist(), strict=True)),
                    "resting_pd_pa": None if made.resting_ratio is None else made.resting_ratio[k].tolist(),
                    "flow_reserve": None if made.reserve is None else float(made.reserve[k]),
                }
                for k, one in enumerate(tree.segments)
            ],
            "lesions": [_plain(asdict(one)) for one in made.lesions],
            "outlets": {name: _plain(asdict(one)) for name, one in made.outlets.items()},
            "lowest": made.lowest, "variance_shares": made.budget, "narrow_by": made.narrow_by, "notes": list(made.notes),
        })  # fmt: skip
        return
    _head(tree, made.basis)
    table(
        "Fractional flow reserve at the outlets, with 90 % interval",
        ("outlet", "FFR", "90 % interval", "chance of 0.80 or less", "flow, mL/min", "flow reserve"),
        [
            (
                name, f"{one.median:.2f}", f"{one.low:.2f} to {one.high:.2f}", f"{one.chance_low:.0%}",
                f"{made.flow[tree.place(name), 1]:.0f}",
                "-" if made.reserve is None else f"{made.reserve[tree.place(name)]:.1f}",
            )
            for name, one in made.outlets.items()
        ],
        right=(1, 3, 4, 5),
    )  # fmt: skip
    table(
        "Narrowings",
        ("segment", "mm", "diameter stenosis", "90 % interval", "FFR beyond", "90 % interval", "costs", "told at"),
        [
            (
                one.segment, f"{one.begin:.0f} to {one.end:.0f}", f"{one.diameter_stenosis:.0f} %",
                f"{one.diameter_interval[0]:.0f} to {one.diameter_interval[1]:.0f} %", f"{one.ffr.median:.2f}",
                f"{one.ffr.low:.2f} to {one.ffr.high:.2f}", f"{one.drop.median:.2f}", one.told_at,
            )
            for one in made.lesions
        ],
        right=(2, 4, 6),
    )  # fmt: skip
    shares = ", ".join(f"{name} {share:.0%}" for name, share in sorted(made.budget.items(), key=lambda x: -x[1]))
    typer.echo(f"Share of the variance at {made.lowest} that would go if it were known: {shares}.")
    if made.narrow_by:
        typer.echo(f"It would narrow most by {made.narrow_by}.")
    for line in (*made.notes, RESEARCH):
        note(line)


def plan(
    tree_file: TreeFile,
    stent: Annotated[
        list[str] | None,
        typer.Option("--stent", metavar="SEGMENT:BEGIN-END[:DIAMETER[:LEFT]]", help="mm; several are put in together."),
    ] = None,
    samples: Samples = 500,
    seed: Seed = 0,
    pressure: Pressure = None,
    mass: Mass = None,
    factor: Factor = None,
    patient: Whose = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare virtual stents: FFR before and after, how lesions in a row interact, and which option is best.

    Without --stent every narrowing of 30 % or more is tried alone and together with the others.
    """
    from medtwin.applications.coronary.stents import compare, parse

    tree = _tree(tree_file, mass)
    pressure = _pressure(tree, pressure, patient, home)
    sets = [tuple(parse(one) for one in stent)] if stent else None
    made = compare(tree, sets, samples=samples, seed=seed, pressure=pressure, factor=factor)
    if as_json:
        emit("coronary-plan", {
            "label": tree.label, "synthetic": tree.synthetic, "samples": samples, "level": 0.9,
            "options": [
                {**_plain(asdict(one)), "words": _words(one.stents)} for one in made
            ],
        })  # fmt: skip
        return
    _head(tree, "")
    table(
        "Stents, with 90 % intervals",
        ("option", "worst FFR", "90 % interval", "gain", "pull-back promised", "all above 0.80", "best of as many stents"),
        [
            (
                _words(one.stents), *_worst(one.outlets), f"{one.gain.median:+.2f}",
                "-" if one.promised is None else f"{one.promised:+.2f}", f"{one.chance_open:.0%}",
                "-" if not one.stents else f"{one.chance_best:.0%}",
            )
            for one in made
        ],
        right=(1, 3, 4, 5, 6),
    )  # fmt: skip
    note(RESEARCH)


def _worst(outlets: dict[str, Any]) -> tuple[str, str]:
    name = min(outlets, key=lambda x: outlets[x].median)
    one = outlets[name]
    return f"{one.median:.2f} ({name})", f"{one.low:.2f} to {one.high:.2f}"


def _words(stents: tuple[Any, ...]) -> str:
    return " and ".join(one.words for one in stents) or "no stent"


def _head(tree: Any, basis: str) -> None:
    typer.secho(f"{tree.label or 'tree'}{' (SYNTHETIC DATA)' if tree.synthetic else ''}", bold=True)
    if basis:
        typer.echo(f"Beds from {basis}.")


def _tree(path: Path, mass: float | None) -> Any:
    from dataclasses import replace

    from medtwin.anatomy import vessel_tree

    tree = vessel_tree.read(path.read_bytes())
    return tree if mass is None else replace(tree, myocardial_mass=mass, resting_flow=None, outlets={})


def _pressure(tree: Any, stated: float | None, patient: str | None, home: Path | None) -> float | None:
    """As stated, else as the tree says, else the newest of the patient's record."""
    if stated is not None or tree.aortic_pressure is not None or patient is None:
        return stated
    from datetime import UTC, datetime

    from medtwin.applications.coronary.pressure import mean_pressure

    with opened(home) as (store, grant):
        value, when = mean_pressure(store.record(patient, grant), datetime.now(UTC))
    note(f"mean arterial pressure of the record: {value:.0f} mmHg at {when.isoformat(timespec='minutes')}")
    return value


def _plain(value: Any) -> Any:
    """Without numbers that JSON lacks."""
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and value != value else value
