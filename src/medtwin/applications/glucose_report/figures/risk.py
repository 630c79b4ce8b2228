"""The grid of the glycaemia risk index: its frame, the lines between its zones, and where a person stands."""

from __future__ import annotations

from collections.abc import Callable

from medtwin.reports.figures.drawing import Line, Shape, Stroke, Text, rectangle

ACROSS, UPWARD = 30.0, 60.0  #: ends of the risk grid, weighted %

Place = Callable[[float, float], tuple[float, float]]


def risk_grid(left: float, right: float, top: float, floor: float) -> tuple[list[Shape], Place]:
    """Shapes, and the map from (hypoglycaemia, hyperglycaemia) component to points; what is beyond stands at the edge."""
    made: list[Shape] = [rectangle(left, top, right - left, floor - top, None, Stroke(colour="muted", width=0.8))]

    def place(low: float, high: float) -> tuple[float, float]:
        x, y = min(low, ACROSS) / ACROSS, min(high, UPWARD) / UPWARD
        return left + x * (right - left), floor - y * (floor - top)

    for number, zone in enumerate("ABCDE"):
        edge = 20.0 * (number + 1)
        if number < 4:
            low_end = (0.0, edge / 1.6) if edge / 1.6 <= UPWARD else ((edge - 1.6 * UPWARD) / 3.0, UPWARD)
            made.append(
                Line(*place(*low_end), *place(edge / 3.0, 0.0), Stroke(colour="muted", width=0.8), f"edge {edge:g}")
            )
        middle = edge - 10.0
        x, y = place(middle / 6.0, middle / 3.2)
        made.append(Text(x, y + 3.0, zone, 10.0, "middle", colour="muted"))
    for value in (0, 10, 20, 30):
        made.append(Text(place(value, 0.0)[0], floor + 11.0, str(value), 8.0, "middle"))
    for value in (0, 20, 40, 60):
        made.append(Text(left - 3.0, place(0.0, value)[1] + 3.0, str(value), 8.0, "end"))
    made.append(Text((left + right) / 2.0, floor + 21.0, "hypoglycaemia component, %", 8.0, "middle"))
    made.append(Text(left - 17.0, (top + floor) / 2.0, "hyperglycaemia component, %", 8.0, "middle", turned=True))
    return made, place
