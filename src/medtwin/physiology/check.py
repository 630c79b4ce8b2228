"""check_model: whether a model keeps its contract, as a list of named checks with what was measured and what is allowed.

Every check stands in one table, each with those that must pass before it makes sense: a model whose draws are not finite
is not also blamed for implausible glucose. A check says what it measured also when it passes.

    report = check_model(GlucoseInsulin())
    report.passed, report.as_json(), print(report.table())
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from enum import StrEnum

import jax
from rich.table import Table

from medtwin.errors import MedtwinError
from medtwin.physiology import check_declared as declared
from medtwin.physiology import check_equations as equations
from medtwin.physiology import check_numerics as numerics
from medtwin.physiology import check_values as values
from medtwin.physiology.check_result import NotDeclared, Outcome, Result
from medtwin.physiology.model import Model

DIALECT = "medtwin.check/1"


class Verdict(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"  #: another check, which it builds on, failed
    ABSENT = "not declared"  #: the model declares nothing to check


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One named check of one model."""

    name: str
    meaning: str
    verdict: Verdict
    measured: str
    limit: str
    detail: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks of one model."""

    model: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed and none was blocked."""
        return all(check.verdict in (Verdict.PASSED, Verdict.ABSENT) for check in self.checks)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.verdict is Verdict.FAILED)

    def as_json(self) -> str:
        """One JSON object (dialect ``medtwin.check/1``)."""
        return json.dumps({"dialect": DIALECT, "passed": self.passed, **dataclasses.asdict(self)})

    def table(self) -> Table:
        """For a terminal."""
        table = Table(title=f"{self.model}: {'passed' if self.passed else 'FAILED'}", title_justify="left")
        for column in ("check", "verdict", "measured", "limit", "detail"):
            table.add_column(column)
        styles = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.BLOCKED: "yellow", Verdict.ABSENT: "dim"}
        for check in self.checks:
            verdict = f"[{styles[check.verdict]}]{check.verdict}[/]"
            table.add_row(check.name, verdict, check.measured, check.limit, check.detail)
        return table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    run: Callable[[Model], Outcome]
    meaning: str
    needs: tuple[str, ...] = ()


CHECKS: dict[str, _Planned] = {
    "docstring": _Planned(run=declared.docstring, meaning="The docstring is a short paper with the usual headings"),
    "contract": _Planned(run=declared.contract, meaning="What is accepted, observed, inferred and entered exists"),
    "declarations": _Planned(run=declared.declarations, meaning="Each variable has unit and meaning, each parameter a source"),
    "units readable": _Planned(run=declared.units_readable, meaning="Each unit is one that can be read"),
    "finite": _Planned(run=values.finite, meaning="Prior draws stay finite over the scenario", needs=("contract",)),
    "unit balance": _Planned(
        run=equations.unit_balance,
        meaning="Equations do not depend on the choice of base units",
        needs=("contract", "declarations", "units readable", "finite"),
    ),
    "plausible": _Planned(run=values.plausible, meaning="Observations lie in their quantity's range", needs=("finite",)),
    "rest": _Planned(run=values.rest, meaning="initial() is steady under resting()", needs=("finite",)),
    "order": _Planned(run=numerics.order, meaning="Halving the step gains what theory promises", needs=("finite",)),
    "conservation": _Planned(run=equations.conservation, meaning="What is conserved is conserved", needs=("finite",)),
    "gradients": _Planned(run=numerics.gradients, meaning="Gradients are finite, also far from the median", needs=("finite",)),
    "traces": _Planned(run=numerics.traces, meaning="Each verb is compiled once", needs=("contract",)),
    "signs": _Planned(run=values.signs, meaning="More of a cause moves its effect the declared way", needs=("finite",)),
}  # fmt: skip


def check_model(model: Model) -> Report:
    """Run every check on ``model``; numbers are 64 bit whatever the caller uses."""
    made: dict[str, Check] = {}
    with jax.enable_x64(True):
        for name, planned in CHECKS.items():
            blocking = [need for need in planned.needs if made[need].verdict in (Verdict.FAILED, Verdict.BLOCKED)]
            if blocking:
                verdict, result = Verdict.BLOCKED, Result("", "", f"needs: {', '.join(blocking)}")
            else:
                verdict, result = _run(planned.run, model)
            made[name] = Check(name=name, meaning=planned.meaning, verdict=verdict, **dataclasses.asdict(result))
    return Report(model=model.name, checks=tuple(made.values()))


def _run(check: Callable[[Model], Outcome], model: Model) -> tuple[Verdict, Result]:
    try:
        result, fine = check(model)
    except NotDeclared as absent:
        return Verdict.ABSENT, Result("", "", str(absent))
    except (MedtwinError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        return Verdict.FAILED, Result("raised", "", f"{type(error).__name__}: {str(error)[:300]}")
    return (Verdict.PASSED if fine else Verdict.FAILED), result
