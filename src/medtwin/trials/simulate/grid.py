"""Operating characteristics over a grid: every combination of some fields of a scenario, each analysed in several ways.

    dialect: medtwin-trial-grid/1
    base: {endpoint: continuous, n_control: 60, n_treated: 60, effect: 0.4}
    vary: {correlation: [0.0, 0.3, 0.5], n_control: [40, 60]}
    analyses: [{method: ancova, adjust: score}, {method: ancova, adjust: none}]
    trials: 10000

Cells are done in parallel on several processes; each one finished is a line of the store, so that a grid that was broken off
goes on where it stopped (``store``, see :mod:`store_of_cells`; a cell counts as done where scenario, analyses, trials, seed and
the program's version agree).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medtwin
from medtwin.errors import AnalysisError
from medtwin.trials.planning.curve import Curve, Figure, svg
from medtwin.trials.simulate import store_of_cells
from medtwin.trials.simulate.analysers import analysers_of
from medtwin.trials.simulate.fits import Analyser
from medtwin.trials.simulate.run import Task, collect, tasks_of, workers
from medtwin.trials.simulate.scenario import Scenario, scenario_of
from medtwin.trials.simulate.tally import Characteristics
from medtwin.trials.yaml_file import read_yaml

if TYPE_CHECKING:
    import polars as pl

DIALECT = "medtwin-trial-grid/1"
MOST = 100_000  #: cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is varied, and how it is analysed."""

    base: dict[str, Any]  #: fields of the scenario that stay
    vary: dict[str, tuple[Any, ...]]  #: the others: field -> values
    analyses: tuple[Analyser, ...]
    trials: int = 10_000
    seed: int = 0

    def cells(self) -> list[tuple[dict[str, Any], Scenario]]:
        """(what is varied, the scenario) of each cell, the last field moving fastest."""
        out = []
        for values in itertools.product(*self.vary.values()):
            own = dict(zip(self.vary, values, strict=True))
            out.append((own, scenario_of(self.base | own, f"cell {own}")))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario's results."""

    varied: dict[str, Any]
    scenario: Scenario
    results: tuple[Characteristics, ...]


def read_grid(path: Path) -> Grid:
    """From a YAML file. Raises :class:`AnalysisError`."""
    return grid_of(read_yaml(path, DIALECT, "a grid"), str(path))


def grid_of(given: dict[str, Any], where: str = "grid") -> Grid:
    """From its keys. Raises :class:`AnalysisError` for one that is unknown or a grid without values."""
    known = {"dialect", "base", "vary", "analyses", "trials", "seed"}
    if strange := sorted(set(given) - known):
        raise AnalysisError(f"{', '.join(strange)}", expected=f"some of {sorted(known)}", where=where)
    base, vary = given.get("base"), given.get("vary")
    if not isinstance(base, dict) or not isinstance(vary, dict) or not vary:
        raise AnalysisError("no base or nothing varied", expected="base: fields; vary: lists by field", where=where)
    names = {item.name for item in fields(Scenario)}
    wrong = sorted(
        str(name) for name, values in vary.items() if name not in names or not isinstance(values, list) or not values
    )
    if wrong:
        raise AnalysisError(
            f"{', '.join(wrong)}", expected="fields of a scenario, each with a list of values", where=where
        )
    trials, seed = given.get("trials", 10_000), given.get("seed", 0)
    if not isinstance(trials, int) or not isinstance(seed, int) or trials < 1 or seed < 0:
        raise AnalysisError(f"trials {trials!r}, seed {seed!r}", expected="whole numbers", where=where)
    analyses = analysers_of(given.get("analyses"), base.get("endpoint", "continuous"))
    made = Grid(base={k: v for k, v in base.items() if k != "dialect"}, vary={k: tuple(v) for k, v in vary.items()},
                analyses=analyses, trials=trials, seed=seed)  # fmt: skip
    size = 1
    for values in made.vary.values():
        size *= len(values)
    if size > MOST:
        raise AnalysisError(f"{size} cells", expected=f"at most {MOST}", where=where)
    return made


def run_grid(
    grid: Grid, *, processes: int = 2, store: Path | None = None, tell: Callable[[str, int, int], None] | None = None
) -> tuple[Cell, ...]:  # fmt: skip
    """Every cell, in their order. ``tell``: called with ("", trials done, trials in all)."""
    cells = grid.cells()
    done = store_of_cells.opened(store) if store is not None else {}
    keys = [_key(scenario, grid) for _, scenario in cells]
    tasks: list[Task] = []
    counts: list[int] = []
    for key, (_, scenario) in zip(keys, cells, strict=True):
        own = [] if key in done else tasks_of(scenario, grid.analyses, grid.trials, grid.seed)
        counts.append(len(own))
        tasks += own
    total, ready = grid.trials * len(cells), grid.trials * counts.count(0)
    out: list[Cell] = []
    with workers(processes if len(tasks) > 1 else 1) as run:
        results = iter(run(tasks))
        for key, count, (varied, scenario) in zip(keys, counts, cells, strict=True):
            if not count:
                out.append(Cell(varied=varied, scenario=scenario, results=done[key]))
                continue
            parts = []
            for _ in range(count):
                parts.append(next(results))
                ready += parts[-1][0].trials
                if tell is not None:
                    tell("", ready, total)
            made = collect(scenario, grid.analyses, parts)
            out.append(Cell(varied=varied, scenario=scenario, results=made))
            if store is not None:
                store_of_cells.add(store, key, varied, made)
    return tuple(out)


def frame(cells: Sequence[Cell]) -> pl.DataFrame:
    """One row a cell and analysis: what is varied, then the numbers, each followed by its Monte Carlo error."""
    import polars as pl

    rows = []
    for cell in cells:
        for one in cell.results:
            row: dict[str, Any] = {
                name: str(v) if isinstance(v, (list, tuple)) else v for name, v in cell.varied.items()
            }
            row |= {"analysis": one.analysis, "trials": one.trials, "failed": one.failed}
            for name in ("rejection", "bias", "empirical_se", "mean_se", "coverage"):
                held = getattr(one, name)
                row[name], row[f"{name}_mc"] = (None, None) if held is None else (held.value, held.error)
            rows.append(row | {"expected_patients": one.expected_patients, "expected_events": one.expected_events})
    return pl.DataFrame(rows, infer_schema_length=None)


def figure(cells: Sequence[Cell], title: str = "Share of trials that reject") -> str:
    """Rejected share over the first varied number, a line for each combination of the rest, as SVG (at most 20 lines)."""
    numeric = [name for name, value in cells[0].varied.items() if isinstance(value, (int, float))]
    if not numeric:
        raise AnalysisError("no number is varied", expected="one, to be drawn along", where="figure")
    across = numeric[0]
    lines: dict[str, list[tuple[float, float]]] = {}
    for cell in cells:
        rest = ", ".join(f"{name} {value}" for name, value in cell.varied.items() if name != across)
        for one in cell.results:
            lines.setdefault(f"{one.analysis}; {rest}" if rest else one.analysis, []).append(
                (float(cell.varied[across]), one.rejection.value)
            )
    if len(lines) > 20:
        raise AnalysisError(
            f"{len(lines)} lines", expected="at most 20", where="figure", remedy="vary less, or read the table"
        )
    largest = max(one.rejection.error for cell in cells for one in cell.results)
    said = f"Monte Carlo error at most {largest:.4f}"
    curves = tuple(
        Curve(name, tuple(x for x, _ in sorted(points)), tuple(y for _, y in sorted(points)), said)
        for name, points in lines.items()
    )  # fmt: skip
    return svg(Figure(title=title, across=across.replace("_", " "), curves=curves, target=cells[0].scenario.alpha))


def _key(scenario: Scenario, grid: Grid) -> str:
    """What makes a cell the same cell: another version of the program may give other numbers."""
    words = f"{medtwin.__version__} {scenario.digest()} {grid.analyses!r} {grid.trials} {grid.seed}"
    return hashlib.sha256(words.encode()).hexdigest()
