"""A planned number with the method that made it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned number: a power, a number of patients, a saving."""

    name: str  #: what it is: "power", "patients in all"
    value: float
    method: str  #: what made it: "exact, quadrature over q random normal covariates"
    unit: str = "1"


def lines(numbers: tuple[Planned, ...]) -> list[str]:
    """One line each: name, value, unit and, in brackets, the method."""
    return [f"{n.name}: {n.value:.6g}{'' if n.unit == '1' else ' ' + n.unit} [{n.method}]" for n in numbers]
