"""A small plot in text: two lines and a band, for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime


def plot(
    times: Sequence[datetime], lines: Iterable[tuple[str, Iterable[float]]], low: Iterable[float],
    high: Iterable[float], unit: str, *, width: int = 72, height: int = 14,
) -> str:  # fmt: skip
    """``lines`` are (mark, values) over ``times``; the band ``low`` to ``high`` is dotted. Later lines lie above."""
    drawn = [(mark, list(values)) for mark, values in lines]
    below, above = list(low), list(high)
    bottom = min([*below, *(v for _, values in drawn for v in values)])
    top = max([*above, *(v for _, values in drawn for v in values)])
    scale = (height - 1) / ((top - bottom) or 1.0)
    canvas = [[" "] * width for _ in range(height)]
    for x in range(width):
        i = round(x * (len(times) - 1) / max(width - 1, 1))
        for row in range(round((below[i] - bottom) * scale), round((above[i] - bottom) * scale) + 1):
            canvas[height - 1 - row][x] = "·"
        for mark, values in drawn:
            canvas[height - 1 - round((values[i] - bottom) * scale)][x] = mark
    labels = {0: f"{top:.0f}", height - 1: f"{bottom:.0f}", height // 2: f"{(top + bottom) / 2:.0f}"}
    rows = [f"{labels.get(n, ''):>6} ┤{''.join(row)}" for n, row in enumerate(canvas)]
    ends = f"{times[0]:%H:%M}".ljust(width - 5) + f"{times[-1]:%H:%M}" if times else ""
    return "\n".join([f"{unit:>6}", *rows, f"{'':>6} └{'─' * width}", f"{'':>8}{ends} UTC"])
