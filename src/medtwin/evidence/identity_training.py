"""Weights of Fellegi and Sunter's model found without any label: expectation-maximisation over pairs of records.

The model: a pair is of one person with probability ``share``; given that, the levels of the fields are independent, with
probabilities ``m`` for pairs of one person and ``u`` for others (Fellegi and Sunter 1969; EM after Jaro 1989; from memory). A
field of which one side says nothing takes no part. Every pair of the records is used, so that no blocking rule bends ``m``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.record.identity.compare import LEVELS, Levels, Person, compare

Array = NDArray[np.float64]
START = 0.8  #: probability of the best level of each field in a pair of one person, to begin with


@dataclass(frozen=True)
class Trained:
    """What EM found. ``m`` and ``u``: probabilities by field, of the levels in the order of ``LEVELS``."""

    share: float  #: of all pairs that are of one person
    m: dict[str, tuple[float, ...]]
    u: dict[str, tuple[float, ...]]
    pairs: int
    rounds: int
    log_posterior: tuple[float, ...]  #: after each round, up to a constant; it never falls


def all_pairs(people: Sequence[Person]) -> Counter[tuple[tuple[str, str], ...]]:
    """How often each pattern of levels occurs among all pairs."""
    counted: Counter[tuple[tuple[str, str], ...]] = Counter()
    for at, one in enumerate(people):
        counted.update(tuple(compare(one, other).items()) for other in people[:at])
    return counted


def train(patterns: Iterable[tuple[Levels, int]], *, rounds: int = 300, change: float = 1e-6) -> Trained:
    """Fit ``share``, ``m`` and ``u`` to counted patterns; half a pair is added to each level, so that none has
    probability 0 (a Dirichlet prior of 1.5)."""
    held = [(levels, count) for levels, count in patterns]
    counts = np.array([float(count) for _, count in held])
    fields = [field for field in LEVELS if any(field in levels for levels, _ in held)]
    seen = {field: np.array([_at(field, levels) for levels, _ in held]) for field in fields}
    u = {field: _share_of_levels(field, seen[field], counts, np.ones_like(counts)) for field in fields}
    m = {field: _start(field) for field in fields}
    share, told = 1e-3, list[float]()
    for _ in range(rounds):
        one, other = np.log(share) + _logs(m, seen), np.log1p(-share) + _logs(u, seen)
        whole = np.logaddexp(one, other)
        posterior = np.exp(one - whole)
        prior = sum(float(np.log(table[field]).sum()) for table in (m, u) for field in fields) / 2
        told.append(float(counts @ whole) + prior)
        share = float(counts @ posterior / counts.sum())
        m = {field: _share_of_levels(field, seen[field], counts, posterior) for field in fields}
        u = {field: _share_of_levels(field, seen[field], counts, 1 - posterior) for field in fields}
        if len(told) > 1 and abs(told[-1] - told[-2]) < change:
            break
    return Trained(share, _tuples(m), _tuples(u), int(counts.sum()), len(told), tuple(told))


def _tuples(table: dict[str, Array]) -> dict[str, tuple[float, ...]]:
    return {field: tuple(map(float, found)) for field, found in table.items()}


def _at(field: str, levels: Levels) -> int:
    """The number of a level; the one after the last where there is no evidence."""
    return LEVELS[field].index(levels[field]) if field in levels else len(LEVELS[field])


def _start(field: str) -> Array:
    others = len(LEVELS[field]) - 1
    return np.array([START] + [(1 - START) / others] * others)


def _share_of_levels(field: str, seen: NDArray[np.int64], counts: Array, weight: Array) -> Array:
    found = np.bincount(seen, counts * weight, minlength=len(LEVELS[field]) + 1)[:-1] + 0.5
    return np.asarray(found / found.sum())


def _logs(table: dict[str, Array], seen: dict[str, NDArray[np.int64]]) -> Array:
    return np.asarray(sum(np.append(np.log(table[field]), 0.0)[at] for field, at in seen.items()))
