"""Salted hashes of the training rows, by which a score finds patients that it has seen.

A row is its values in the score's columns and its outcome, numbers to six significant digits and words without blanks
around them, so that it survives another file format. The salt is the score's own, so that two files cannot be joined. Whoever
holds the file can still test whether a person of known values is in it, as the leak check does: keep the file as the
data are kept, or set ``keep_prints: false``.

``chance`` is how likely two different people share a row: the larger of the share of pairs of training rows that are alike
and of ``prod_j c_j``, c_j the share of pairs that agree in column j (at least that of one pair). A leak is certain only where as
many matches by chance are not credible.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter

import msgspec
import numpy as np
import polars as pl

from medtwin.trials.score.columns import Column, numbers, words


class Prints(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Of the training data."""

    salt: str
    rows: tuple[str, ...]  #: sorted; of each patient's columns and outcome
    outcomes: str  #: of all outcomes, sorted: the same outcomes in another order have the same hash
    chance: float


def row_texts(table: pl.DataFrame, columns: tuple[Column, ...], outcome: str) -> list[tuple[str, ...]]:
    """(row,) the values of each row as text; rows whose outcome is missing are empty."""
    held: list[list[str]] = []
    for column in columns:
        held.append(
            [_text(v) for v in numbers(table, column.name)] if column.kind == "number" else words(table, column.name)
        )
    results = numbers(table, outcome)
    held.append([_text(v) for v in results])
    return [row if math.isfinite(result) else () for row, result in zip(zip(*held, strict=True), results, strict=True)]


def prints(table: pl.DataFrame, columns: tuple[Column, ...], outcome: str, salt: str) -> Prints:
    """Of a training table with one row a patient."""
    texts = [row for row in row_texts(table, columns, outcome) if row]
    pairs = max(len(texts) * (len(texts) - 1) / 2.0, 1.0)
    chance = 0.0
    for j in range(len(texts[0]) if texts else 0):
        alike = sum(k * (k - 1) / 2.0 for k in Counter(row[j] for row in texts).values())
        chance += math.log(max(alike, 1.0) / pairs)
    alike = sum(k * (k - 1) / 2.0 for k in Counter(texts).values())
    return Prints(
        salt=salt, rows=tuple(sorted(mark(row, salt) for row in texts)), chance=max(math.exp(max(chance, -600.0)), alike / pairs),
        outcomes=outcomes_mark(numbers(table, outcome), salt),
    )  # fmt: skip


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
