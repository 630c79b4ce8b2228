"""The section on the prognostic score: what it may be used for, what it explains, and what it explains beyond the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medtwin.reports.document import Block, Box, Heading, Paragraph, Table
from medtwin.trials.report.numbers import short

_SHARE = ("r2", "rsquared")
_CONTEXT = ("context_of_use", "contextofuse")


def score(historical: Mapping[str, Any]) -> tuple[Block, ...]:
    """Context of use first; R2 never without the partial R2 beside it; then everything else that is known."""
    if not historical:
        return ()
    left = dict(historical)
    blocks: list[Block] = [Heading("Prognostic score")]
    context = _take(left, lambda key: key in _CONTEXT or key.replace("_", "") in _CONTEXT)
    blocks += [Paragraph(f"Context of use: {_words(value)}") for value in context.values()]
    if not context:
        blocks.append(Box("No context of use", ("Nothing says for whom and for what the score was made.",)))
    partial = _take(left, lambda key: "partial" in key and "r2" in key.replace("_", "").replace("squared", "2"))
    plain = _take(left, lambda key: key.replace("_", "") in _SHARE or key.replace("_", "").endswith(_SHARE))
    if plain or partial:
        missing = "not given: what the score adds to the baseline value is unknown"
        shares = [(name, short(value)) for name, value in plain.items()] or [("R2", "not given")]
        shares += [(name, short(value)) for name, value in partial.items()] or [
            ("partial R2 beyond the baseline", missing)
        ]
        caption = "Share of the outcome's variance"
        blocks.append(
            Table(caption=caption, head=("measure", "value"), rows=tuple(shares), numbers=_right(tuple(shares)))
        )
    for name, value in list(left.items()):
        if rows := _records(value):
            blocks.append(_table(name, rows))
            del left[name]
    blocks += known("Further on the score", left)
    return tuple(blocks)


def known(caption: str, values: Mapping[str, Any]) -> list[Block]:
    """A table of names and values, however deep they lie."""
    rows = tuple(_flat(values))
    return [Table(caption=caption, head=("what", "value"), rows=rows, numbers=_right(rows))] if rows else []


def _right(rows: tuple[tuple[str, str], ...]) -> frozenset[int]:
    """The column of values is aligned to the right unless there are long words in it."""
    return frozenset((1,)) if all(len(value) <= 24 for _, value in rows) else frozenset()


def _take(held: dict[str, Any], wanted: Any) -> dict[str, Any]:
    found = {
        name: value for name, value in held.items() if wanted(str(name).lower().replace(" ", "_").replace("-", "_"))
    }
    for name in found:
        del held[name]
    return found


def _records(value: Any) -> list[Mapping[str, Any]]:
    """Rows of a table, where that is what it is."""
    if isinstance(value, Mapping) and value and all(isinstance(one, Mapping) for one in value.values()):
        return [{"name": name, **one} for name, one in value.items()]
    if (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and value
        and all(isinstance(one, Mapping) for one in value)
    ):
        return list(value)
    return []


def _table(name: str, rows: list[Mapping[str, Any]]) -> Table:
    head = list(dict.fromkeys(str(key) for row in rows for key in row))
    named = [{str(key): value for key, value in row.items()} for row in rows]
    cells = tuple(tuple(_cell(row[key]) if key in row else "" for key in head) for row in named)
    numbers = frozenset(
        at for at, key in enumerate(head)
        if all(isinstance(row.get(key, 0), int | float) and not isinstance(row.get(key, 0), bool) for row in named)
    )  # fmt: skip
    return Table(caption=str(name), head=tuple(head), rows=cells, numbers=numbers)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _words(value)


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{path}: ") or [(path, "none")]
        else:
            rows.append((path, _words(value)))
    return rows


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_words(one)}" for name, one in value.items())
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        if not value:
            return "none"
        shown = ", ".join(_words(one) for one in list(value)[:20])
        return f"{shown}, and {len(value) - 20} more" if len(value) > 20 else shown
    return short(value)
