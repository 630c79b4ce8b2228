"""Who is selected and who is missed when a risk at or above a threshold means yes: parity of groups.

    selection rate     P(yes)            demographic parity: the same in every group (even where risks truly differ)
    true positive      P(yes | event)    equal opportunity: the same in every group (Hardt, Price & Srebro 2016)
    false positive     P(yes | none)     equalised odds: this and the true positive rate
    difference, ratio  largest less, or smallest over, largest of the groups; of equalised odds the worse of the two rates
                       (as fairlearn 0.15 states them)
    against one group  signed differences and ratio to a reference group; average odds = mean of the two rates' differences
                       (as AIF360 0.6.1 states them)

Largest less smallest is above 0 by chance alone, the more so the smaller the groups: its interval (percentile bootstrap
within groups; of counts, hence multinomial draws) describes its spread and is no test of equality. Tests are those of
:mod:`compare`, on the rates. Intervals of signed differences are Newcombe's, of ratios Katz's (1978) on the logarithm, of
average odds normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.fair.lots import lots
from medtwin.trials.fair.number import Number, log_number, normal_number
from medtwin.trials.fair.proportion import difference, proportion


@dataclass(frozen=True, slots=True)
class Counts:
    """Patients of a group by what was said and what happened."""

    hit: int  #: yes and event
    false_alarm: int  #: yes, no event
    missed: int  #: no, event
    rejected: int  #: no, no event

    @property
    def selected(self) -> tuple[int, int]:
        """(yes, patients)."""
        return self.hit + self.false_alarm, self.hit + self.false_alarm + self.missed + self.rejected

    @property
    def true_positive(self) -> tuple[int, int]:
        """(yes, events)."""
        return self.hit, self.hit + self.missed

    @property
    def false_positive(self) -> tuple[int, int]:
        """(yes, patients without the event)."""
        return self.false_alarm, self.false_alarm + self.rejected

    @property
    def cells(self) -> tuple[int, int, int, int]:
        return self.hit, self.false_alarm, self.missed, self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Disparity:
    """Between groups of one column at one threshold."""

    column: str
    threshold: float
    number: Number
    between: tuple[str, ...]  #: groups compared; two: the first less (or over) the second


def counted(outcome: np.ndarray, risk: np.ndarray, threshold: float) -> Counts:
    """Counts of ``outcome`` (patient,) of 0 and 1; yes is ``risk >= threshold``."""
    yes, event = risk >= threshold, outcome == 1.0
    return Counts(
        int((yes & event).sum()), int((yes & ~event).sum()), int((~yes & event).sum()), int((~yes & ~event).sum())
    )


def rates(counts: Counts, threshold: float, confidence: float = 0.95) -> tuple[Number, ...]:
    """Selection, true positive and false positive rate of a group; those that have nobody to count are left out."""
    at = f" at {threshold:g}"
    each = (("selection rate", counts.selected), ("true positive rate", counts.true_positive),
            ("false positive rate", counts.false_positive))  # fmt: skip
    return tuple(proportion(name + at, *pair, confidence) for name, pair in each if pair[1])


def disparities(
    groups: Mapping[str, Counts], column: str, threshold: float, *, confidence: float = 0.95, draws: int = 1000,
    seed: int = 0, reference: str | None = None,
) -> tuple[Disparity, ...]:  # fmt: skip
    """Every measure of the table above; ``reference``: the group that others are held against, or the largest one."""
    if len(groups) < 2:
        raise AnalysisError(f"{len(groups)} groups", expected="two or more", where=f"parity of {column}")
    names = sorted(groups, key=lambda name: (-groups[name].selected[1], name))
    if any(not pair[1] for c in groups.values() for pair in (c.true_positive, c.false_positive)):
        raise AnalysisError(
            "a group without events or without others", expected="some of each", where=f"parity of {column}"
        )
    if reference is not None and reference not in groups:
        raise AnalysisError(f"reference {reference!r}", expected=f"one of {names}", where=f"parity of {column}")
    against = names[0] if reference is None else reference
    cells = np.array([groups[name].cells for name in names], dtype=float)
    drawn = _drawn(cells, draws, seed) if draws else None
    made = []
    for name, measure in MEASURES.items():
        value = float(measure(cells[None])[0])
        if not math.isfinite(value):
            continue
        if drawn is None:
            continue
        reached = measure(drawn)
        reached = reached[np.isfinite(reached)]
        low, high = np.quantile(reached, ((1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0))
        number = Number(
            name=name, value=value, low=float(low), high=float(high), method=f"percentile bootstrap, {draws} samples"
        )
        made.append(Disparity(column=column, threshold=threshold, number=number, between=tuple(names)))
    for name in names:
        if name != against:
            for number in _signed(groups[name], groups[against], confidence):
                made.append(Disparity(column=column, threshold=threshold, number=number, between=(name, against)))
    return tuple(made)


def generalised_entropy(outcome: np.ndarray, decided: np.ndarray, alpha: float = 2.0) -> float:
    """Inequality of the benefits b = decided - outcome + 1 among patients: mean((b/mean b)^alpha - 1)/(alpha (alpha - 1)).

    Speicher et al. 2018, as AIF360 0.6.1 computes it; ``decided`` and ``outcome`` (patient,) of 0 and 1. 0: none.
    """
    if alpha in (0.0, 1.0):
        raise AnalysisError(f"alpha {alpha:g}", expected="neither 0 nor 1", where="generalised entropy")
    benefit = decided - outcome + 1.0
    middle = float(benefit.mean())
    if not middle > 0.0:
        raise AnalysisError("no benefit to anybody", expected="some", where="generalised entropy")
    return float((((benefit / middle) ** alpha) - 1.0).mean()) / (alpha * (alpha - 1.0))


def _rates(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(draw, group) selection, true positive and false positive rates of (draw, group, cell)."""
    hit, alarm, missed, rejected = np.moveaxis(cells, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (hit + alarm) / cells.sum(axis=-1), hit / (hit + missed), alarm / (alarm + rejected)


def _gap(rate: np.ndarray) -> np.ndarray:
    return np.asarray(rate.max(axis=1) - rate.min(axis=1))


def _over(rate: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rate.min(axis=1) / rate.max(axis=1))


MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "demographic parity difference": lambda cells: _gap(_rates(cells)[0]),
    "demographic parity ratio": lambda cells: _over(_rates(cells)[0]),
    "equalised odds difference": lambda cells: np.maximum(*(_gap(rate) for rate in _rates(cells)[1:])),
    "equalised odds ratio": lambda cells: np.minimum(*(_over(rate) for rate in _rates(cells)[1:])),
    "equal opportunity difference": lambda cells: _gap(_rates(cells)[1]),
    "equal opportunity ratio": lambda cells: _over(_rates(cells)[1]),
}


def _drawn(cells: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draw, group, cell), in an order of the groups that does not depend on their names."""
    order = sorted(range(len(cells)), key=lambda number: tuple(cells[number]))
    rng = lots(seed, cells[order])
    out = np.empty((draws, *cells.shape))
    for place in order:
        size = int(cells[place].sum())
        out[:, place] = rng.multinomial(size, cells[place] / size, size=draws)
    return out


def _signed(first: Counts, second: Counts, confidence: float) -> list[Number]:
    made = []
    for name, pair in (
        ("statistical parity difference", (first.selected, second.selected)),
        ("equal opportunity difference, signed", (first.true_positive, second.true_positive)),
        ("false positive rate difference, signed", (first.false_positive, second.false_positive)),
    ):
        value, low, high = difference(*pair, confidence)
        made.append(Number(name=name, value=value, low=low, high=high, method="Newcombe hybrid score", ideal=0.0))
    if first.selected[0] and second.selected[0]:
        shares = [pair[0] / pair[1] for pair in (first.selected, second.selected)]
        spread = sum(1.0 / pair[0] - 1.0 / pair[1] for pair in (first.selected, second.selected))
        if spread > 0.0:
            made.append(log_number("disparate impact ratio", shares[0] / shares[1], math.sqrt(spread), confidence, "Katz, log",
                                   ideal=1.0))  # fmt: skip
    odds = [(p[0] / p[1], p[1]) for c in (first, second) for p in (c.true_positive, c.false_positive)]
    variance = sum(share * (1.0 - share) / size for share, size in odds) / 4.0
    if variance > 0.0:
        value = ((odds[0][0] - odds[2][0]) + (odds[1][0] - odds[3][0])) / 2.0
        made.append(
            normal_number("average odds difference", value, math.sqrt(variance), confidence, "normal", ideal=0.0)
        )
    return made
