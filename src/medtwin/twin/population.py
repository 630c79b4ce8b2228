"""What other people's readings teach a personal forecast before it has seen much: one set of weights, and how firmly each holds.

A person's weights are drawn towards the population's, not towards zero::

    minimise  sum (y - w . x)^2  +  n (w - w0)' G (w - w0)

``G`` is the others' second moment of the columns with a mean diagonal of one, ``w0`` their pooled weights, ``n`` the number of
origins that :data:`medtwin.twin.residual.EVIDENCE` holds: the others count as so many hours of the person's own. (Empirical
Bayes with a unit-information prior: Kass and Wasserman, JASA 90 (1995), section 3.) Each person counts alike: moments are
about the person's own means and divided by the variance of the outcome.

``shipped`` is learnt from the people of three open data sets, named in the file with their licences. Whoever evaluates on
those very people must learn it from the others: ``Moments.of`` each, then ``pooled`` without the one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from medtwin.errors import FormatError
from medtwin.twin.features import COLUMNS, Array, Readings, columns, outcomes, settled

DIALECT = "medtwin-population/1"
SHIPPED = Path(__file__).with_name("population_glucose.json")
RIDGE = 0.1  #: on pooled columns, whose mean square is one


@dataclass(frozen=True)
class Moments:
    """One person's part: ``square (COLUMNS,)``, the variance of each column, and at each horizon, divided by the outcome's
    variance, ``gram (horizons, COLUMNS, COLUMNS)`` and ``covariance (horizons, COLUMNS)``."""

    square: Array = field(repr=False)
    gram: Array = field(repr=False)
    covariance: Array = field(repr=False)

    @staticmethod
    def of(readings: Readings, horizons: Array) -> Moments:
        """``horizons`` in seconds. A horizon of fewer than 100 outcomes adds nothing."""
        gram = np.zeros((len(horizons), COLUMNS, COLUMNS))
        covariance = np.zeros((len(horizons), COLUMNS))
        index = np.flatnonzero(settled(readings))
        x = columns(readings, index)
        for j, seconds in enumerate(horizons):
            known, after = outcomes(readings, index, float(seconds))
            if known.sum() < 100:
                continue
            y = (after - readings.value[index])[known]
            z, y = x[known] - x[known].mean(0), y - y.mean()
            weight = 1.0 / (len(y) * y.var())
            gram[j], covariance[j] = z.T @ z * weight, z.T @ y * weight
        return Moments(x.var(0), gram, covariance)


@dataclass(frozen=True)
class Population:
    """Pooled weights ``(horizons, COLUMNS)`` of columns divided by ``scale (COLUMNS,)``, and ``gram`` (mean diagonal one)."""

    horizons: Array
    scale: Array = field(repr=False)
    gram: Array = field(repr=False)
    weights: Array = field(repr=False)
    people: int
    source: str

    def at(self, seconds: float) -> Array:
        """Weights ``(COLUMNS,)`` at a horizon, between neighbours by interpolation."""
        return np.array([np.interp(seconds, self.horizons, self.weights[:, i]) for i in range(COLUMNS)])


def pooled(people: Sequence[Moments], horizons: Array, source: str = "") -> Population:
    """The population of these people. Raises :class:`FormatError` without any."""
    if not people:
        raise FormatError("a population of nobody", expected="at least one person's moments")
    gram = np.sum([p.gram for p in people], axis=0)
    covariance = np.sum([p.covariance for p in people], axis=0)
    middle = gram.mean(0)
    scale = np.sqrt(np.mean([p.square for p in people], axis=0))
    scale = np.where(scale > 1e-9, scale, 1.0)
    weights = np.empty((len(horizons), COLUMNS))
    for j in range(len(horizons)):
        scaled = gram[j] / np.outer(scale, scale)
        size = max(float(np.trace(scaled)) / COLUMNS, 1e-12)
        weights[j] = np.linalg.solve(scaled / size + RIDGE * np.eye(COLUMNS), covariance[j] / scale / size)
    scaled = middle / np.outer(scale, scale)
    firm = scaled / np.trace(scaled) * COLUMNS
    return Population(np.asarray(horizons, float), scale, firm, weights, len(people), source)


@cache
def shipped(quantity: str) -> Population | None:
    """The population that comes with the package; None for a quantity of which none was learnt."""
    if quantity != "glucose":
        return None
    held = json.loads(SHIPPED.read_text())
    if held.get("dialect") != DIALECT:
        raise FormatError(f"dialect {held.get('dialect')!r}", expected=DIALECT, where=str(SHIPPED))
    gram = np.zeros((COLUMNS, COLUMNS))
    gram[np.tril_indices(COLUMNS)] = held["gram"]
    gram += np.tril(gram, -1).T
    return Population(
        np.array(held["horizons"]),
        np.array(held["scale"]),
        gram,
        np.array(held["weights"]),
        held["people"],
        held["source"],
    )


def write(population: Population, path: Path, command: str) -> None:
    """As a file: six digits, the lower triangle of the gram by rows."""

    def short(values: Array) -> list[float]:
        return [float(f"{v:.6g}") for v in values]

    held = {
        "dialect": DIALECT, "generated by": command, "source": population.source, "people": population.people,
        "horizons": short(population.horizons), "scale": short(population.scale),
        "weights": [short(row) for row in population.weights],
        "gram": short(population.gram[np.tril_indices(COLUMNS)]),
    }  # fmt: skip
    path.write_text(json.dumps(held, separators=(",", ":")).replace(',"', ',\n"') + "\n")
