"""Are groups alike? One test of heterogeneity for each figure and column first, then each group against the others.

With figures x_g of standard error s_g on a scale on which they are normal and independent, w = 1/s^2, m = sum w x / sum w:

    heterogeneity        Q = sum w (x - m)^2, chi-squared on groups - 1          (Cochran 1954)
    group against rest   z = (x_g - m_rest) / sqrt(s_g^2 + 1/sum_rest w)

Two groups have one comparison, not two. Holm's step-down p (1979) over all tests of heterogeneity, and over all comparisons
of groups; beside the latter the step-up of Benjamini and Hochberg (1995). A difference is flagged where both Holm's p of its
heterogeneity and Holm's p of the comparison are at or below alpha: where no group differs in anything, the chance of any
flag is at most alpha. A comparison with a false discovery p below alpha that is not flagged is a hint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from medtwin.trials.fair.number import Number, two_sided


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """One figure over the groups of one column."""

    column: str
    name: str
    groups: tuple[str, ...]
    statistic: float
    degrees: int
    p_value: float
    p_holm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One group against the others of its column, on the scale of comparison (log, logit, Fisher's z)."""

    column: str
    level: str
    name: str
    value: float  #: as reported
    others: str  #: what it was held against
    difference: float  #: on the scale of comparison
    standard_error: float
    p_value: float
    p_holm: float
    p_false_discovery: float


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p values: family-wise error, whatever the dependence."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return tuple(out.tolist())


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values of the step-up procedure: false discovery rate, of independent or positively dependent tests."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    out = np.empty(len(p))
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return tuple(out.tolist())


def compare(
    figures: Mapping[tuple[str, str], Mapping[str, Number]],
) -> tuple[tuple[Heterogeneity, ...], tuple[Comparison, ...]]:
    """All tests at once; ``figures[(column, name)][level]``. A column with one group that can be shown has no test."""
    tests: list[tuple[str, str, tuple[str, ...], float, int, float]] = []
    pairs: list[tuple[str, str, str, float, str, float, float, float]] = []
    for (column, name), held in figures.items():
        levels = [level for level in held if held[level].scaled is not None and held[level].scaled_error is not None]
        if len(levels) < 2:
            continue
        x = np.array([held[level].scaled for level in levels], dtype=float)
        w = np.array([held[level].scaled_error for level in levels], dtype=float) ** -2.0
        q = float(w @ (x - (w @ x) / w.sum()) ** 2)
        tests.append((column, name, tuple(levels), q, len(levels) - 1, float(special.chdtrc(len(levels) - 1, q))))
        for place, level in enumerate(levels if len(levels) > 2 else levels[:1]):
            rest = np.arange(len(levels)) != place
            away = float(x[place] - (w[rest] @ x[rest]) / w[rest].sum())
            error = math.sqrt(1.0 / w[place] + 1.0 / w[rest].sum())
            others = "the other groups" if len(levels) > 2 else levels[1]
            pairs.append((column, level, name, held[level].value, others, away, error, two_sided(away / error)))
    adjusted = holm([test[-1] for test in tests]) if tests else ()
    first = tuple(
        Heterogeneity(column=c, name=n, groups=g, statistic=q, degrees=d, p_value=p, p_holm=h)
        for (c, n, g, q, d, p), h in zip(tests, adjusted, strict=True)
    )
    p_values = [pair[-1] for pair in pairs]
    family, discovery = (holm(p_values), benjamini_hochberg(p_values)) if pairs else ((), ())
    second = tuple(
        Comparison(column=c, level=lv, name=n, value=v, others=o, difference=d, standard_error=e, p_value=p, p_holm=h,
                   p_false_discovery=b)
        for (c, lv, n, v, o, d, e, p), h, b in zip(pairs, family, discovery, strict=True)
    )  # fmt: skip
    return first, second
