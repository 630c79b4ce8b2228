"""Analyses of simulated trials, one file a family; :data:`METHODS` has them by the name that a YAML file uses
(module and class, imported when asked for)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.simulate.fits import Analyser

METHODS = {
    "ancova": "ancova:Ancova", "logistic": "logistic:Logistic", "count": "count:Count", "logrank": "logrank:Logrank",
    "cox": "logrank:Cox", "kaplan-meier": "survival:Kaplan", "mmrm": "mmrm:Mmrm", "missing": "missing:MissingRepeated",
    "contrast": "contrast:Contrast", "missing-one": "missing:MissingOne", "external": "external:External",
    "borrowing": "external:Borrowing", "external-times": "external_more:ExternalTimes",
    "borrowing-mean": "external_more:BorrowingMean",
}  # fmt: skip
#: what is done where nothing is said
DEFAULTS: dict[str, tuple[dict[str, Any], ...]] = {
    "continuous": ({"method": "ancova"}, {"method": "ancova", "adjust": "none"}),
    "binary": ({"method": "logistic"}, {"method": "logistic", "adjust": "none"}),
    "count": ({"method": "count"}, {"method": "count", "adjust": "none"}),
    "survival": ({"method": "logrank"}, {"method": "logrank", "adjust": "none"}),
    "repeated": ({"method": "mmrm"}, {"method": "mmrm", "adjust": "none"}),
}


def analysers_of(given: Sequence[dict[str, Any]] | None, endpoint: str) -> tuple[Analyser, ...]:
    """From the maps of a YAML file: ``method`` and the fields of its class. Raises :class:`AnalysisError`."""
    out = []
    for number, one in enumerate(given or DEFAULTS[endpoint], start=1):
        where = f"analysis {number}"
        if not isinstance(one, dict) or one.get("method") not in METHODS:
            raise AnalysisError(f"{one!r}"[:100], expected=f"method: one of {tuple(METHODS)}", where=where)
        module, _, name = METHODS[one["method"]].partition(":")
        kind = getattr(import_module(f"{__name__}.{module}"), name)
        options = {key: value for key, value in one.items() if key != "method"}
        if strange := sorted(set(options) - set(kind.__dataclass_fields__)):
            raise AnalysisError(f"{strange}", expected=f"some of {sorted(kind.__dataclass_fields__)}", where=where)
        try:
            made: Analyser = msgspec.convert(options, kind)
        except msgspec.ValidationError as error:
            raise AnalysisError(f"an analysis that cannot be read ({error})", where=where) from error
        if endpoint not in made.endpoints:
            raise AnalysisError(
                f"{made.name} of a {endpoint} endpoint", expected=f"one of {made.endpoints}", where=where
            )
        out.append(made)
    if len({one.name for one in out}) < len(out):
        raise AnalysisError("an analysis twice", expected="each once", where="analyses")
    return tuple(out)
