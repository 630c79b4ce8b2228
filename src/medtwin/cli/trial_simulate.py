"""Trials that have not happened yet: what a design and its analyses would do, by simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import Home, Json, command, emit, note, progress, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medtwin.trials.simulate.tally import Characteristics, Measured


def register(trial_app: typer.Typer) -> None:
    command(
        trial_app, simulate,
        "medtwin trial simulate scenario.yaml",
        "medtwin trial simulate scenario.yaml --trials 20000 --json",
        "medtwin trial simulate --grid grid.yaml --store done.jsonl --figure power.svg",
        name="simulate",
    )  # fmt: skip


def simulate(
    file: Annotated[Path | None, typer.Argument(metavar="[SCENARIO]", help="A scenario file (YAML).")] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", min=1, help="Trials a cell; default 10000.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Of the random numbers; default 0.")
    ] = None,
    grid: Annotated[
        Path | None, typer.Option("--grid", metavar="FILE", help="A grid of scenarios (YAML) instead of one.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store", metavar="FILE", help="Keep finished cells of a grid here, and go on where it was broken off."
        ),
    ] = None,
    processes: Annotated[int, typer.Option("--processes", metavar="N", min=1, help="At once.")] = 2,
    figure: Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="Write a picture here (SVG).")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Simulate whole trials: power, type I error, bias, standard errors and coverage, each with its Monte Carlo error.

    A scenario file (`dialect: medtwin-trial-scenario/1`) says endpoint, arms, effect, score and what may go wrong, and under
    `analyses` how each trial is analysed; a grid file (`dialect: medtwin-trial-grid/1`) varies fields of a scenario. Every
    analysis sees the same trials; the result does not depend on the number of processes. Failed trials count as not rejected.
    """
    if (file is None) == (grid is None):
        raise typer.BadParameter("a scenario file, or --grid with a grid file")
    if grid is not None:
        _grid(grid, trials, seed, store, processes, figure, as_json)
    elif file is not None:
        _one(file, trials, seed, processes, figure, as_json)


def _one(file: Path, trials: int | None, seed: int | None, processes: int, figure: Path | None, as_json: bool) -> None:
    from medtwin.trials.simulate.analysers import analysers_of
    from medtwin.trials.simulate.run import simulate as run
    from medtwin.trials.simulate.scenario import DIALECT, scenario_of
    from medtwin.trials.yaml_file import read_yaml

    given = read_yaml(file, DIALECT, "a scenario")
    asked = given.pop("analyses", None)
    scenario = scenario_of(given, str(file))
    with progress("simulating", quiet=as_json) as tell:
        results = run(scenario, analysers_of(asked, scenario.endpoint), trials=trials or 10_000, seed=seed or 0,
                      processes=processes, tell=tell)  # fmt: skip
    if figure is not None:
        from medtwin.trials.simulate.figure import rejections

        figure.write_text(
            rejections(results, scenario.alpha, scenario.title or "Share of trials that reject"), encoding="utf-8"
        )
    if as_json:
        emit("trial-simulate", {"scenario": str(file), "digest": scenario.digest(), "seed": seed or 0,
                                "results": [one.as_dict() for one in results]})  # fmt: skip
    else:
        _show(scenario.title or f"{scenario.endpoint}, {scenario.n_control} + {scenario.n_treated} patients", results)


def _grid(
    file: Path,
    trials: int | None,
    seed: int | None,
    store: Path | None,
    processes: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from medtwin.trials.simulate import grid as grids

    grid = grids.read_grid(file)
    grid = replace(grid, trials=trials or grid.trials, seed=grid.seed if seed is None else seed)
    with progress("simulating", quiet=as_json) as tell:
        cells = grids.run_grid(grid, processes=processes, store=store, tell=tell)
    if figure is not None:
        figure.write_text(grids.figure(cells), encoding="utf-8")
    if as_json:
        emit("trial-simulate", {"grid": str(file), "seed": grid.seed, "cells": [
            {"varied": cell.varied, "digest": cell.scenario.digest(), "results": [one.as_dict() for one in cell.results]}
            for cell in cells
        ]})  # fmt: skip
        return
    varied = list(grid.vary)
    rows = [
        (*(str(cell.varied[name]) for name in varied), one.analysis, one.failed, _shown(one.rejection, True), _shown(one.bias),
         _shown(one.coverage, True), f"{one.expected_patients:.1f}")
        for cell in cells for one in cell.results
    ]  # fmt: skip
    columns = (*varied, "analysis", "failed", "rejected", "bias", "coverage", "patients")
    title = f"{len(cells)} cells of {grid.trials} trials (Monte Carlo errors in brackets)"
    table(title, columns, rows, right=[number for number in range(len(columns)) if number != len(varied)])


def _shown(held: Measured | None, share: bool = False) -> str:
    if held is None or held.value != held.value:
        return ""
    return f"{held.value:.2%} ({held.error:.2%})" if share else f"{held.value:.4f} ({held.error:.4f})"


def _show(title: str, results: Sequence[Characteristics]) -> None:
    rows: list[tuple[Any, ...]] = [
        (one.analysis, one.trials, one.failed, _shown(one.rejection, True), _shown(one.bias), _shown(one.empirical_se),
         _shown(one.mean_se), _shown(one.coverage, True), f"{one.expected_patients:.1f}",
         ", ".join(f"{share:.1%}" for share in one.stopping))
        for one in results
    ]  # fmt: skip
    table(f"{title} (Monte Carlo errors in brackets)", ("analysis", "trials", "failed", "rejected", "bias", "empirical SE",
          "mean SE", "coverage", "patients", "ends at look"), rows, right=range(1, 9))  # fmt: skip
    for one in results:
        for reason, count in one.reasons.items():
            note(f"{one.analysis}: {count} trials failed: {reason}")
