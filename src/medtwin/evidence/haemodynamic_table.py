"""How well the circulation of a person explains what was measured, and what it says of a measurement that it was not told.

Run: ``python -m medtwin.evidence.haemodynamic_table TABLE.csv --mapping MAPPING.yaml [--leave-out QUANTITY ...]
[--report PAGE.md]``.

Everybody with enough readings is fitted (:func:`medtwin.inference.haemodynamics.personalise`): the mean squared
standardised error of the fit. Then each quantity is left out of everybody's readings in turn and predicted from the
others: RMSE, bias, correlation, CRPS of the normal predictive, and how many values the 90 % intervals held, with the exact
interval of that share. Beside it stands a ridge regression on the other quantities, its penalty chosen and its error judged by
leaving out one person at a time; absent values are the mean of the others.

The mapping file says which variable is which quantity and in what unit (``docs/mappings/sparse_clinical_42.yaml``).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from medtwin.errors import FormatError
from medtwin.inference.haemodynamics import UNKNOWN, personalise
from medtwin.quantities import registry
from medtwin.quantities.units import convert
from medtwin.statistics.binomial import exact_interval
from medtwin.statistics.scores import crps_normal

LEAST = 7  #: readings of a person who enters
MISFIT = 0.5  #: mean squared standardised error of the fit that is aimed at
TO_KNOW = (
    "The medians of pulmonary and left ventricular parameters and the spreads of the prior were revised once, "
    "towards other publications, after a first run had shown a bias on people of this table: these figures are not blind.",
    "People, ward and method of measurement of one hospital; readings of one person were not all taken at one moment.",
)
QUANTILE = 1.6448536269514722  #: of the standard normal at 95 %
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  #: of the ridge, for standardised columns
ASKED = (
    "pulmonary_wedge_pressure",
    "pulmonary_artery_systolic_pressure",
    "cardiac_output",
    "left_ventricular_ejection_fraction",
)
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a table: readings by quantity, in its unit."""

    name: str
    readings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Score:
    """How one method predicted what it was not told."""

    method: str
    n: int
    rmse: float
    bias: float
    correlation: float
    crps: float
    inside: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A quantity, its unit, the spread of its values, the scores, and who got no prediction and why."""

    quantity: str
    unit: str
    spread: float
    scores: tuple[Score, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A whole table."""

    people: int
    entered: int
    least: int
    misfit: float
    settled: int
    withheld: tuple[str, ...]
    odd: tuple[str, ...]  #: person and sentence
    odd_pairs: tuple[tuple[str, int], ...]  #: the quantities that contradict each other, and for how many people
    fit: tuple[tuple[str, int, float], ...]  #: quantity, how many, RMSE of the fit
    shrinkage: tuple[
        tuple[str, float, int], ...
    ]  #: parameter, median of posterior over prior sd, for how many it is unknown
    left_out: tuple[LeftOut, ...]


def read(table: Path, mapping: Path) -> tuple[Person, ...]:
    """The people of a CSV file. Raises FormatError where the mapping does not fit the table or a value is no number."""
    said = yaml.safe_load(mapping.read_text())
    if not isinstance(said, dict) or said.get("dialect") != "medtwin-table/1":
        raise FormatError(
            "a mapping of another dialect", expected="dialect: medtwin-table/1", where=str(mapping)
        )  # fmt: skip
    with table.open(newline="") as lines:
        rows = list(csv.reader(lines))
    if not rows:
        raise FormatError("an empty table", expected="a header and rows", where=str(table))
    if said.get("people") == "columns":
        rows = [list(column) for column in zip(*rows, strict=True)]
    header, missing = rows[0], {str(word) for word in said.get("missing", [""])}
    place = {name: i for i, name in enumerate(header)}
    absent = sorted(set(said["quantities"]) - set(place))
    if absent or said["names"] not in place:
        raise FormatError(f"no variable {absent or said['names']}", expected=f"some of {header}", where=str(table))
    return tuple(
        Person(row[place[said["names"]]], dict(_readings(row, place, said, missing, table))) for row in rows[1:]
    )


def _readings(row: Sequence[str], place: Mapping[str, int], said: Any, missing: set[str], table: Path) -> Any:
    for name, meant in said["quantities"].items():
        text = row[place[name]].strip()
        if text in missing:
            continue
        try:
            value = float(text)
        except ValueError:
            raise FormatError(f"{text[:20]!r} for {name}", expected="a number", where=str(table)) from None
        quantity = registry.get(meant["quantity"])
        yield quantity.name, convert(value, meant.get("unit"), quantity)


def evaluate(people: Sequence[Person], leave_out: Sequence[str], *, least: int = LEAST) -> Evaluated:
    """Fit all who have at least ``least`` readings, then leave out each quantity in turn."""
    entered = [one for one in people if len(one.readings) >= least]
    if not entered:
        raise FormatError(f"nobody with {least} readings among {len(people)} people", expected="at least one")
    found = personalise([one.readings for one in entered])
    fitted = [(one, belief) for one, belief in zip(entered, found, strict=True) if belief.withheld is None]
    quantities = sorted({name for one in entered for name in one.readings})
    fit = []
    for name in quantities:
        missed = [b.expected(name).mean - one.readings[name] for one, b in fitted if name in one.readings]
        fit.append((name, len(missed), _rmse(missed)))
    names = [p.name for p in fitted[0][1].parameters] if fitted else []
    ratios = {name: [p.ratio for _, b in fitted for p in b.parameters if p.name == name] for name in names}
    unknown = {name: sum(p.unknown for _, b in fitted for p in b.parameters if p.name == name) for name in names}
    return Evaluated(
        len(people), len(entered), least, float(np.mean([b.misfit for _, b in fitted])) if fitted else float("nan"),
        sum(b.settled for _, b in fitted),
        tuple(f"{one.name}: {b.withheld}" for one, b in zip(entered, found, strict=True) if b.withheld),
        tuple(f"{one.name}: {c.sentence}" for one, b in fitted for c in b.contradictions),
        tuple(sorted(Counter(" and ".join(c.quantities) for _, b in fitted for c in b.contradictions).items())),
        tuple(fit), tuple((name, float(np.median(ratios[name])), unknown[name]) for name in names),
        tuple(left_out(entered, name) for name in leave_out),
    )  # fmt: skip


def left_out(entered: Sequence[Person], quantity: str) -> LeftOut:
    """Predict a quantity of all who have it from their other readings."""
    who = [one for one in entered if quantity in one.readings]
    if len(who) < 5:
        raise FormatError(f"{len(who)} people with {quantity}", expected="at least 5")
    beliefs = personalise([{k: v for k, v in one.readings.items() if k != quantity} for one in who])
    kept = [(one, b) for one, b in zip(who, beliefs, strict=True) if b.withheld is None]
    truth = np.array([one.readings[quantity] for one, _ in kept])
    expected = [b.expected(quantity) for _, b in kept]
    ours = score(
        "circulation", truth, np.array([e.mean for e in expected]), np.array([e.measured_sd for e in expected])
    )
    others = sorted({name for one, _ in kept for name in one.readings} - {quantity})
    columns = np.array([[one.readings.get(name, np.nan) for name in others] for one, _ in kept])
    mean, sd = regression(columns, truth)
    return LeftOut(
        quantity, registry.get(quantity).unit, float(truth.std(ddof=1)),
        (ours, score("ridge regression", truth, mean, sd)),
        tuple(f"{one.name}: {b.withheld}" for one, b in zip(who, beliefs, strict=True) if b.withheld),
    )  # fmt: skip


def score(method: str, truth: Array, mean: Array, sd: Array) -> Score:
    """Of a normal predictive."""
    inside = int((np.abs(truth - mean) <= QUANTILE * sd).sum())
    low, high = exact_interval(inside, len(truth))
    return Score(
        method, len(truth), _rmse(mean - truth), float(np.mean(mean - truth)), float(np.corrcoef(truth, mean)[0, 1]),
        float(np.mean(crps_normal(mean, sd, truth))), inside, low, high,
    )  # fmt: skip


def regression(columns: Array, truth: Array) -> tuple[Array, Array]:
    """Mean and sd of each person's value by a ridge that never saw it; its penalty is chosen among the others alone."""
    n = len(truth)
    mean, sd = np.empty(n), np.empty(n)
    for i in range(n):
        rest = np.arange(n) != i
        x, y = columns[rest], truth[rest]
        errors = [
            np.array([_ridge(np.delete(x, k, 0), np.delete(y, k), x[k], p) - y[k] for k in range(n - 1)])
            for p in PENALTIES
        ]
        best = int(np.argmin([np.mean(e**2) for e in errors]))
        mean[i] = _ridge(x, y, columns[i], PENALTIES[best])
        sd[i] = np.sqrt(np.mean(errors[best] ** 2))
    return mean, sd


def _ridge(x: Array, y: Array, at: Array, penalty: float) -> float:
    known = np.isfinite(x)
    middle = np.array([c[k].mean() if k.any() else 0.0 for c, k in zip(x.T, known.T, strict=True)])
    filled = np.where(known, x, middle) - middle
    scale = np.where(filled.std(0) > 0.0, filled.std(0), 1.0)
    design = filled / scale
    weights = np.linalg.solve(design.T @ design + penalty * np.eye(design.shape[1]), design.T @ (y - y.mean()))
    return float(y.mean() + (np.where(np.isfinite(at), at, middle) - middle) / scale @ weights)


def _rmse(errors: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(errors, float)))))


def builtins(found: Evaluated) -> dict[str, Any]:
    """As JSON values, each with its name, and the limits and cautions of the page."""
    return {
        **asdict(found),
        "fit": [{"quantity": q, "people": n, "rmse": e, "unit": registry.get(q).unit} for q, n, e in found.fit],
        "shrinkage": [{"parameter": q, "posterior_over_prior_sd": r, "unknown_for": n} for q, r, n in found.shrinkage],
        "odd_pairs": [{"readings": pair, "people": n} for pair, n in found.odd_pairs],
        "limits": {"misfit_at_most": MISFIT, "unknown_from": UNKNOWN, "interval": 0.9, "least_readings": found.least},
        "to_know": list(TO_KNOW),
        "research_only": True,
    }


def markdown(found: Evaluated, asked: str) -> str:
    """The page."""
    lines = [
        "# The circulation of real people, from what happened to be measured", "",
        f"Generated by `{asked}`; do not edit. Method: `medtwin/inference/haemodynamics.py`, "
        "`medtwin/evidence/haemodynamic_table.py`. Research use only.", "",
        f"{found.entered} of {found.people} people have at least {found.least} readings of the quantities below and entered; "
        f"{len(found.withheld)} of them were withheld. {found.settled} climbs came to their end.", "",
        "## Fit", "",
        f"Mean squared standardised error of the fit, mean over people: **{found.misfit:.3f}** (target: at most {MISFIT}).", "",
        "| quantity | people | RMSE of the fit | unit |", "|---|---|---|---|",
        *(f"| {name} | {n} | {rmse:.2f} | {registry.get(name).unit} |" for name, n, rmse in found.fit), "",
        "## Left out and predicted", "",
        "RMSE, bias (predicted less measured) and CRPS in the quantity's unit; the interval is the exact 95 % interval of the "
        "share of values within the 90 % intervals, which is to contain 90 %.", "",
        "| quantity | sd of its values | method | n | RMSE | bias | r | CRPS | within 90 % | its interval | contains 90 % |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for one in found.left_out:
        for s in one.scores:
            lines.append(
                f"| {one.quantity} ({one.unit}) | {one.spread:.2f} | {s.method} | {s.n} | {s.rmse:.2f} | {s.bias:+.2f} | "
                f"{s.correlation:.2f} | {s.crps:.2f} | {s.inside} of {s.n} | {s.low:.2f} to {s.high:.2f} | "
                f"{'yes' if s.low <= 0.9 <= s.high else '**no**'} |"
            )
    lines += [
        "", "## What the data say of the parameters", "",
        f"Posterior over prior sd, median over people; a parameter at {UNKNOWN} or more is unknown, "
        "never shown as a person's own.", "", "| parameter | posterior/prior | unknown for |", "|---|---|---|",
        *(f"| {name} | {ratio:.2f} | {n} of {found.entered - len(found.withheld)} |" for name, ratio, n in found.shrinkage), "",
    ]  # fmt: skip
    if found.odd_pairs:
        lines += [
            "## Readings that contradict each other", "",
            "Flagged and used, never repaired: measurements may come from different moments.", "",
            *(f"- {pair}: {n} people" for pair, n in found.odd_pairs), "",
        ]  # fmt: skip
    lines += [
        "## What to know of this page", "",
        *(f"- {line}" for line in TO_KNOW), "",
    ]  # fmt: skip
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.haemodynamic_table", description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--mapping", type=Path, required=True)
    parser.add_argument("--leave-out", action="append", default=None)
    parser.add_argument("--least", type=int, default=LEAST)
    parser.add_argument("--report", type=Path, default=None)
    given = parser.parse_args(arguments)
    found = evaluate(read(given.table, given.mapping), given.leave_out or ASKED, least=given.least)
    extra = "".join(f" --leave-out {name}" for name in given.leave_out or ())
    page = markdown(
        found, f"python -m medtwin.evidence.haemodynamic_table {given.table.name} --mapping {given.mapping}{extra}"
    )  # fmt: skip
    if given.report is None:
        sys.stdout.write(page)
    else:
        given.report.write_text(page)
    return 0


if __name__ == "__main__":
    import medtwin.twin  # noqa: F401 - 64 bit, and the compilation cache

    sys.exit(main())
