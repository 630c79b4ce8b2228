"""Published margins of a population from a file: YAML or JSON, a name and what is known of it a line.

age: {mean: 38, sd: 9}
sex: {shares: {F: 0.4, M: 0.6}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medtwin.errors import AnalysisError, FormatError
from medtwin.trials.fair.groups import words
from medtwin.trials.fair.representativeness import Margin
from medtwin.trials.yaml_file import read_yaml


def read_margins(path: Path) -> dict[str, Margin]:
    """The margins of a file, by covariate."""
    return margins_of(read_yaml(path, None, "margins"), str(path))


def margins_of(held: Any, where: str = "margins") -> dict[str, Margin]:
    """The margins of plain values."""
    if not isinstance(held, dict) or not held:
        raise FormatError(f"a {type(held).__name__}", expected="covariates with mean and sd, or shares", where=where)
    made = {}
    for name, given in held.items():
        if not isinstance(given, dict) or not set(given) <= {"mean", "sd", "shares"}:
            raise FormatError(
                f"{name}: {str(given)[:60]}", expected="{mean: 38, sd: 9} or {shares: {F: 0.4, M: 0.6}}", where=where
            )
        try:
            shares = given.get("shares")
            made[str(name)] = Margin(
                mean=None if given.get("mean") is None else float(given["mean"]),
                sd=None if given.get("sd") is None else float(given["sd"]),
                shares=None if shares is None else {words(level): float(share) for level, share in shares.items()},
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{name}: a value that is not a number", expected="numbers", where=where) from error
        except AnalysisError as error:
            raise FormatError(f"{name}: {error.found}", expected=error.expected, where=where) from error
    return made
