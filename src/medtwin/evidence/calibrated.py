"""Which parameters may be shown: those whose 90 % intervals cover what they promise, by simulation-based calibration.

The evidence is a file that a calibration run writes, beside its report. Without evidence nothing is shown: calibrated
forecasts can hide over-confident parameters. Of a person whom the model does not fit nothing is shown either
(:mod:`medtwin.twin.fit`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from medtwin.twin.twin import Twin

LOWEST, HIGHEST = 0.86, 0.94


class Calibration(msgspec.Struct, kw_only=True):
    """How the intervals of one parameter did: ``coverage`` of ``n`` simulated truths by intervals of ``level``."""

    coverage: float
    level: float
    n: int
    days: float  #: of readings after which it was counted
    even: bool  #: whether ranks are even too (Kolmogorov, p > 0.01): else the middle of the interval leans to one side


@cache
def _evidence(name: str = "calibration.json") -> dict[str, dict[str, Calibration]]:
    """Model -> parameter -> how its intervals did."""
    file = files("medtwin.evidence") / name
    if not file.is_file():
        return {}
    content = msgspec.json.decode(file.read_bytes())
    found: dict[str, dict[str, Calibration]] = {}
    for row in content.get("parameters", []):
        found.setdefault(row["model"], {})[row["parameter"]] = Calibration(
            coverage=float(row["coverage"]),
            level=float(row.get("level", 0.9)),
            n=int(row["n"]),
            days=float(row["days"]),
            even=float(row["uniform_p"]) > 0.01,
        )
    return found


def evidence(model: str, parameter: str) -> Calibration | None:
    """What the last calibration run found of a parameter; None where none was made."""
    return _evidence().get(model, {}).get(parameter)


def withheld(model: str, parameter: str, twin: Twin | None = None) -> str | None:
    """Why a parameter is not shown of anybody or, with ``twin``, of this person; None where it may be."""
    refused = _refused(evidence(model, parameter))
    if refused is not None or twin is None:
        return refused
    from medtwin.twin.fit import misfit  # brings JAX

    return misfit(twin, parameter)


def withheld_of_days(model: str, parameter: str) -> str | None:
    """Why a parameter that was identified from days at once (``medtwin identify``) is not shown; None where it may be."""
    return _refused(_evidence("identification.json").get(model, {}).get(parameter))


def _refused(found: Calibration | None) -> str | None:
    if found is None:
        return "not yet calibrated: no run states how often its intervals hold"
    if not LOWEST <= found.coverage <= HIGHEST:
        return (
            f"{found.level:.0%} intervals cover {found.coverage:.0%} of {found.n}, outside "
            f"{LOWEST:.0%} to {HIGHEST:.0%}".replace("%", " %")
        )
    return None
