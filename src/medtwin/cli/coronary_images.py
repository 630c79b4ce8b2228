"""Coronary arteries from CT images: analyse a series, and make synthetic ones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from medtwin.cli.common import Home, Json, command, emit, note, opened, progress, table

RESEARCH = "Research output, not for treatment decisions. Tried on synthetic phantoms only (docs/evidence/coronary-geometry.md)."


def register(group: typer.Typer) -> None:
    command(
        group, analyse,
        "medtwin coronary analyse series",
        "medtwin coronary analyse series --mass 130 --pressure 93 --into results",
        "medtwin coronary analyse series --seed 10.5,-6.5,27.5 --seed -9,-18,27 --json",
        "medtwin coronary analyse series --patient anna --mass 130 --json",
    )  # fmt: skip
    command(
        group, phantom,
        "medtwin coronary phantom series --seed 5",
        "medtwin coronary phantom series --seed 5 --habit tilted --step 1.0 --motion 1.5 --noise 35",
    )  # fmt: skip


def analyse(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder of DICOM files of one CT series.")],
    patient: Annotated[
        str | None,
        typer.Option(
            "--patient", metavar="ID", help="Whose: images and trees go into the record, its blood pressure is used."
        ),
    ] = None,
    seed: Annotated[
        list[str] | None,
        typer.Option(
            "--seed", metavar="X,Y,Z", help="Where a tree begins, mm in the patient's frame; may be repeated."
        ),
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", metavar="UID|NUMBER", help="Which, where the folder holds several.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FOLDER", help="Keep trees and findings there, and go on from them."),
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option("--mass", metavar="GRAMS", min=20.0, max=1000.0, help="Muscle of the whole heart; FFR needs it."),
    ] = None,
    pressure: Annotated[
        float | None,
        typer.Option("--pressure", metavar="MMHG", min=20.0, max=250.0, help="Mean aortic, instead of the record's."),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=1, max=100_000, help="Of what is not known.")
    ] = 1000,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """From a CT angiogram to coronary trees, narrowings and FFR, with what cannot be judged.

    Without --mass the geometry alone is told. The exit code is 1 where the images cannot be read as one volume or show no
    coronary tree.
    """
    from medtwin.applications.coronary import images
    from medtwin.applications.coronary.pressure import mean_pressure

    seeds = _seeds(seed)
    with progress("analysing", quiet=as_json) as tell:
        found = images.extracted(path, name=series, seeds=seeds, into=into, tell=tell)
    kept: dict[str, str] = {}
    if patient is not None:
        from datetime import UTC, datetime

        with opened(home, make=True) as (store, grant), progress("keeping", quiet=as_json) as tell:
            kept = images.keep(path, found, patient, store, grant, tell=tell)
            if pressure is None and mass is not None:
                pressure, when = mean_pressure(store.record(patient, grant), datetime.now(UTC))
                note(
                    f"mean arterial pressure of the record: {pressure:.0f} mmHg at {when.isoformat(timespec='minutes')}"
                )
    flows = {} if mass is None else images.flows(found, mass=mass, pressure=pressure, samples=samples)
    if as_json:
        emit("coronary-analyse", _document(found, flows, kept))
        return
    _show(found, flows)


def _seeds(told: list[str] | None) -> Any:
    if not told:
        return None
    import numpy as np

    made = []
    for one in told:
        parts = one.split(",")
        try:
            made.append([float(x) for x in parts])
        except ValueError:
            made.append([])
        if len(made[-1]) != 3:
            raise typer.BadParameter(
                f"found {one[:40]!r}; expected X,Y,Z in mm, such as 10.5,-6.5,27.5", param_hint="--seed"
            )
    return np.asarray(made)


def _document(found: Any, flows: dict[str, Any], kept: dict[str, str]) -> dict[str, Any]:
    from medtwin.applications.coronary.images import beyond_refused

    sides = []
    for one in found.summary["sides"]:
        side = one["side"]
        tree, flow = found.trees[side], flows.get(side)
        beyond = beyond_refused(tree, one["refused"])
        sides.append({
            **one,
            "segments": [
                {
                    "name": x.name, "parent": None if x.parent is None else tree.segments[x.parent].name, "length_mm": x.length,
                    "radius_sd_mm": x.radius_sd, "smallest_radius_mm": float(x.radius.min()),
                    "refused": one["refused"].get(x.name),
                    "ffr_end": None if flow is None else float(flow.ffr[k][-1]),
                    "ffr_end_low": None if flow is None else float(flow.low[k][-1]),
                    "ffr_end_high": None if flow is None else float(flow.high[k][-1]),
                    "ffr_rests_on_refused": beyond.get(x.name),
                }
                for k, x in enumerate(tree.segments)
            ],
            "outlets": {} if flow is None else {name: asdict(x) for name, x in flow.outlets.items()},
            "variance_shares": None if flow is None else flow.budget,
            "flow_notes": [] if flow is None else list(flow.notes), "artifact": kept.get(side),
        })  # fmt: skip
    return {
        "synthetic": found.summary["synthetic"], "series": found.summary["series"], "quality": found.summary["quality"],
        "resumed": found.resumed, "sides": sides, "notes": [*found.summary["notes"], RESEARCH],
    }  # fmt: skip


def _show(found: Any, flows: dict[str, Any]) -> None:
    from medtwin.applications.coronary.images import beyond_refused

    quality = found.summary["quality"]
    title = "Coronary arteries from CT" + (" (SYNTHETIC DATA)" if found.summary["synthetic"] else "")
    typer.secho(title, bold=True)
    typer.echo(
        f"Contrast {quality['contrast']:.0f} HU, noise {quality['noise']:.0f} HU, {quality['height']:.0f} mm covered."
    )
    for one in found.summary["sides"]:
        side = one["side"]
        tree, flow = found.trees[side], flows.get(side)
        beyond = beyond_refused(tree, one["refused"])
        rows = []
        for k, x in enumerate(tree.segments):
            pressure = "-"
            if flow is not None and x.name not in beyond:
                pressure = f"{flow.ffr[k][-1]:.2f} ({flow.low[k][-1]:.2f} to {flow.high[k][-1]:.2f})"
            said = one["refused"].get(x.name) or (f"rests on {beyond[x.name]}" if x.name in beyond else "")
            rows.append((x.name, f"{x.length:.0f}", f"{2 * x.reference[0]:.1f}", f"{2 * x.reference[-1]:.1f}",
                         f"{2 * (x.radius_sd or 0):.2f}", pressure, said))  # fmt: skip
        table(
            f"{side} tree",
            ("segment", "mm", "diameter at begin, mm", "at end", "sd", "FFR at its end (90 %)", "not judged"), rows,
            right=(1, 2, 3, 4),
        )  # fmt: skip
        table(
            f"Narrowings, {side}", ("segment", "mm", "diameter stenosis", "sd", "smallest diameter, mm", "calcium", "judged"),
            [
                (
                    x["segment"], f"{x['begin']:.0f} to {x['end']:.0f}", f"{x['stenosis']:.0f} %",
                    f"{x['stenosis_sd']:.0f} points",
                    f"{2 * x['radius']:.1f}", "yes" if x["calcified"] else "no", "yes" if x["judged"] else "no",
                )
                for x in one["narrowings"]
            ],
            right=(2, 3, 4),
        )  # fmt: skip
    if not flows:
        note("state --mass GRAMS of the heart's muscle (and --pressure or --patient) for FFR")
    for line in (*quality["findings"], *found.summary["notes"], RESEARCH):
        note(line)


def phantom(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the series and its truth.")],
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of heart, lesions and scanner.")] = 0,
    habit: Annotated[
        str, typer.Option("--habit", metavar="NAME", help="plain, reversed, bare, unsigned or tilted files.")
    ] = "plain",
    kernel: Annotated[
        str | None, typer.Option("--kernel", metavar="NAME", help="airy, sharp or soft, instead of the seed's.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option("--noise", metavar="HU", min=0.0, max=200.0, help="One sd, instead of the seed's.")
    ] = None,
    step: Annotated[
        float, typer.Option("--step", metavar="MM", min=-5.0, max=5.0, help="By which the middle slab is moved.")
    ] = 0.0,
    motion: Annotated[
        float, typer.Option("--motion", metavar="MM", min=0.0, max=8.0, help="Way of the right artery in the exposure.")
    ] = 0.0,
    clean: Annotated[bool, typer.Option("--clean", help="Without lesions.")] = False,
    home: Home = None,  # as every command has it; nothing of it is read
    as_json: Json = False,
) -> None:
    """Make a synthetic CT angiogram with an exact truth, as a DICOM series.

    The series lies in FOLDER/series; FOLDER/truth holds trees, lesions and the lumen's mask. Every file says that it is
    synthetic.
    """
    from medtwin.errors import ImageError
    from medtwin.imaging.phantoms import phantom as phantoms
    from medtwin.imaging.phantoms.dicom import HABITS, write_series
    from medtwin.imaging.phantoms.scanner import KERNELS

    if habit not in HABITS:
        raise typer.BadParameter(f"found {habit!r}; expected one of {', '.join(HABITS)}", param_hint="--habit")
    if kernel is not None and kernel not in KERNELS:
        raise typer.BadParameter(f"found {kernel!r}; expected one of {', '.join(KERNELS)}", param_hint="--kernel")
    if folder.exists() and any(folder.iterdir()):
        raise ImageError("a folder that is not empty", expected="a new folder", where=str(folder))
    artefacts: dict[str, Any] = {}
    if kernel is not None:
        artefacts["kernel"] = kernel
    if noise is not None:
        artefacts["noise"] = noise
    if step:
        artefacts["steps"] = (0.0, step, 0.0)
    if motion:
        artefacts |= {"motion": (motion, 0.0, 0.0), "motion_at": (-36.0, -8.0, 5.0)}
    made = phantoms.make(seed, artefacts=artefacts, clean=clean)
    files = write_series(made.volume, folder / "series", habit=habit, seed=seed, description=f"phantom {seed}")
    truth = phantoms.save_truth(made, folder / "truth")
    if as_json:
        emit("coronary-phantom", {
            "synthetic": True, "seed": seed, "series": str(folder / "series"), "files": len(files),
            "truth": [str(x) for x in truth], "held_out": made.held_out,
        })  # fmt: skip
        return
    typer.secho(f"Phantom {seed} (SYNTHETIC DATA)", bold=True)
    typer.echo(f"{len(files)} files in {folder / 'series'}, the truth in {folder / 'truth'}.")
    lesions = [(v.name, f"{x.at:.0f}", f"{100 * x.severity:.0f} %", x.profile, x.section, x.plaque)
               for v in made.heart.vessels for x in v.lesions]  # fmt: skip
    table("Lesions", ("vessel", "at mm", "diameter stenosis", "profile", "section", "plaque"), lesions, right=(1, 2))
