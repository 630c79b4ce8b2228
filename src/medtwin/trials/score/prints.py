"""Salted hashes of the training rows, by which a score finds patients that it has seen.

A row is its values in the score's columns and its outcome, numbers to six significant digits and words without blanks
around them, so that it survives another file format. The salt is the score's own, so that two files cannot be joined. Whoever
holds the file can still test whether a person of known values is in it, as the leak check does: keep the file as the
data are kept, or set ``keep_prints: false``.

``chance`` is how likely two different people share a row: the larger of the share of pairs of training rows that are alike
and of ``prod_j c_j``, c_j the share of pairs that agree in column j (at least that of one pair), over columns whose rank
correlation is at most ``TOGETHER``: a column that another one tells adds nothing. A leak is certain only where as many matches
by chance are not credible.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import polars as pl
from scipy import stats

from medtwin.trials.score.columns import Column, numbers, words

TOGETHER = 0.7  #: rank correlation above which two columns count as one


class Prints(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Of the training data."""

    salt: str
    people: tuple[str, ...]  #: sorted; of each patient's columns
    people_chance: float
    rows: tuple[str, ...]  #: sorted; of each patient's columns and outcome
    outcomes: str  #: of all outcomes, sorted: the same outcomes in another order have the same hash
    chance: float


def row_texts(table: pl.DataFrame, columns: tuple[Column, ...]) -> list[tuple[str, ...]]:
    """(row,) the values of each row as text."""
    held = [
        [_text(v) for v in numbers(table, column.name)] if column.kind == "number" else words(table, column.name)
        for column in columns
    ]
    return list(zip(*held, strict=True)) if held else [()] * table.height


def with_outcome(texts: list[tuple[str, ...]], outcome: np.ndarray) -> list[tuple[str, ...]]:
    """The rows whose outcome is known, with it."""
    return [(*row, _text(value)) for row, value in zip(texts, outcome, strict=True) if math.isfinite(value)]


def prints(table: pl.DataFrame, columns: tuple[Column, ...], outcome: str, salt: str) -> Prints:
    """Of a training table with one row a patient."""
    results = numbers(table, outcome)
    people = row_texts(table, columns)
    texts = with_outcome(people, results)
    return Prints(
        salt=salt, rows=tuple(sorted(mark(row, salt) for row in texts)), chance=_chance(texts),
        people=tuple(sorted(mark(row, salt) for row in people)), people_chance=_chance(people),
        outcomes=outcomes_mark(results, salt),
    )  # fmt: skip


def _chance(texts: list[tuple[str, ...]]) -> float:
    pairs = max(len(texts) * (len(texts) - 1) / 2.0, 1.0)

    def alike(parts: list[Any]) -> float:
        return sum(k * (k - 1) / 2.0 for k in Counter(parts).values())

    whole = alike(list(texts)) / pairs
    columns = [list(part) for part in zip(*texts, strict=True)]
    shares = [max(alike(part), 1.0) / pairs for part in columns]
    ranks = np.array([stats.rankdata([_number(text) for text in part]) for part in columns])
    ranks = ranks - ranks.mean(axis=1, keepdims=True) if columns else ranks
    kept: list[int] = []
    for j in np.argsort(shares):
        length = float(np.linalg.norm(ranks[j]))
        if length > 0.0 and all(
            abs(float(ranks[j] @ ranks[k])) <= TOGETHER * length * float(np.linalg.norm(ranks[k])) for k in kept
        ):
            kept.append(int(j))
    return max(math.exp(max(sum(math.log(shares[j]) for j in kept), -600.0)), whole)


def _number(text: str) -> float:
    try:
        return float(text) if text else -math.inf
    except ValueError:
        return float(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))


def mark(row: tuple[str, ...], salt: str) -> str:
    """Hash of one row."""
    text = "\x1f".join(row).encode()
    return hashlib.blake2b(text, key=salt.encode()[:64], digest_size=12).hexdigest()


def outcomes_mark(values: np.ndarray, salt: str) -> str:
    """Hash of the outcomes whatever their order."""
    held = sorted(_text(v) for v in values if math.isfinite(v))
    return mark(("outcomes", *held), salt)


def table_hash(table: pl.DataFrame, names: tuple[str, ...]) -> str:
    """SHA-256 of named columns of a table, in the order of its rows, whatever file it came from."""
    whole = hashlib.sha256()
    for name in names:
        whole.update(f"\x1e{name}\x1e".encode())
        for value in table[name].to_list():
            shown = (
                _text(float(value)) if isinstance(value, (int, float)) else "" if value is None else str(value).strip()
            )
            whole.update(shown.encode() + b"\x1f")
    return whole.hexdigest()


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}" if value else "0"
