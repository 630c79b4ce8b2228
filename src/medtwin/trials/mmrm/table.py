"""The model on a tidy table: one row for each subject and visit; arm by visit, covariates and factors.

Marginal means are those of each arm at each visit with covariates at their mean over the rows used and factors with
equal weight for their levels; differences are between arms at the same visit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate
from medtwin.trials.mmrm.columns import Design, covariate, factor, labels, number
from medtwin.trials.mmrm.fit import Fit, FTest, fit
from medtwin.trials.mmrm.structures import Structure
from medtwin.trials.mmrm.structures.curve import Array


@dataclass(frozen=True, kw_only=True)
class TableFit:
    """A fitted model that knows its arms and visits."""

    fit: Fit
    arms: tuple[str, ...]  #: the first is the reference
    visits: tuple[str, ...]
    rows: dict[tuple[str, str], Array] = field(repr=False)  #: (arm, visit) -> row of the reference cell, (p,)
    unit: str = "1"  #: of the outcome

    def means(self, *, confidence: float = 0.95) -> dict[tuple[str, str], Estimate]:
        """Estimated marginal mean of each (arm, visit)."""
        return {
            (a, v): self.fit.estimate(self.rows[a, v], f"{a} at {v}", confidence=confidence, unit=self.unit)
            for a in self.arms
            for v in self.visits
        }

    def differences(self, reference: str | None = None, *, confidence: float = 0.95) -> dict[tuple[str, str], Estimate]:
        """Arm less ``reference`` (the first arm), at each visit."""
        base = self._reference(reference)
        return {
            (a, v): self.fit.estimate(
                self.rows[a, v] - self.rows[base, v], f"{a} - {base} at {v}", confidence=confidence, unit=self.unit
            )
            for a in self.arms
            if a != base
            for v in self.visits
        }

    def average_differences(
        self, reference: str | None = None, *, weights: Mapping[str, float] | None = None, confidence: float = 0.95
    ) -> dict[str, Estimate]:
        """Arm less ``reference``, the mean over visits; ``weights`` by visit, scaled to one, else equal."""
        base, shares = self._reference(reference), weights or dict.fromkeys(self.visits, 1.0)
        total = sum(shares.values())
        if set(shares) - set(self.visits) or not total > 0.0 or min(shares.values()) < 0.0:
            raise AnalysisError(f"weights {shares}", expected=f"weights, not all zero, of visits among {self.visits}")
        return {
            a: self.fit.estimate(
                sum(np.asarray(w / total * (self.rows[a, v] - self.rows[base, v])) for v, w in shares.items()),
                f"{a} - {base}, mean over {', '.join(shares)}",
                confidence=confidence,
                unit=self.unit,
            )
            for a in self.arms
            if a != base
        }

    def any_difference(self) -> FTest:
        """All differences between arms at all visits are zero."""
        base = self.arms[0]
        rows = [self.rows[a, v] - self.rows[base, v] for a in self.arms[1:] for v in self.visits]
        return self.fit.test(rows, "no difference between arms at any visit")

    def interaction(self) -> FTest:
        """The differences between arms are the same at all visits."""
        base, first = self.arms[0], self.visits[0]
        if len(self.visits) < 2:
            raise AnalysisError("one visit", expected="at least two, for a test of arm by visit")
        apart = {(a, v): self.rows[a, v] - self.rows[base, v] for a in self.arms[1:] for v in self.visits}
        rows = [apart[a, v] - apart[a, first] for a in self.arms[1:] for v in self.visits[1:]]
        return self.fit.test(rows, "arm by visit")

    def _reference(self, reference: str | None) -> str:
        base = self.arms[0] if reference is None else reference
        if base not in self.arms:
            raise AnalysisError(f"reference {base!r}", expected=f"one of the arms {self.arms}")
        return base


def fit_table(
    table: pl.DataFrame,
    *,
    outcome: str,
    subject: str,
    visit: str,
    arm: str,
    covariates: Sequence[str] = (),
    factors: Sequence[str] | Mapping[str, Sequence[Any] | None] = (),
    by_visit: Sequence[str] = (),
    arms: Sequence[Any] | None = None,
    visits: Sequence[Any] | None = None,
    structure: str | Structure = "unstructured",
    grouped: bool = False,
    weights: str | None = None,
    coordinates: Sequence[str] = (),
    reml: bool = True,
    degrees: str = "kenward-roger linear",
    covariance: str = "model",
    fallbacks: Sequence[str | Structure] = (),
    unit: str = "1",
) -> TableFit:
    """Outcome on arm by visit, ``covariates`` (numbers), ``factors``, and those named ``by_visit`` times visit.

    ``factors``: names, or names with their levels in order (none: natural order), the first the reference. ``arms`` and
    ``visits``: levels in their order, the reference arm first; otherwise in natural order (week 2 before week
    10). A row with another arm or visit is an error, as is an arm or visit without data. ``grouped``: each arm has a
    covariance of its own. Other arguments as for :func:`~medtwin.trials.mmrm.fit.fit`. Rows without outcome or covariate
    are not used and are counted in the fit's notes. Raises :class:`AnalysisError`.
    """
    levels = dict(factors) if isinstance(factors, Mapping) else {}
    special = (outcome, subject, visit, arm)
    both = [*covariates, *factors]
    if len(set(both)) < len(both) or set(both) & set(special) or set(by_visit) - set(both):
        raise AnalysisError(
            f"covariates {list(covariates)}, factors {list(factors)}, by visit {list(by_visit)}",
            expected=f"each once, none of {special}, and by visit only what is a covariate or factor",
        )
    if table.height == 0:
        raise AnalysisError("a table without rows", expected="one row for each subject and visit")
    y = number(table, outcome)
    for name in (subject, visit, arm):
        if missing := labels(table, name).null_count():
            raise AnalysisError(f"{missing} rows without {name!r}", expected="a value in every row")
    in_arms = pl.DataFrame({"subject": labels(table, subject), "arm": labels(table, arm)}).unique()["subject"]
    if moved := in_arms.filter(in_arms.is_duplicated()).n_unique():
        raise AnalysisError(f"{moved} subjects in more than one arm", expected="one arm for each subject",
                            where=arm, remedy="name the column of the randomised arm")  # fmt: skip
    used = np.isfinite(y)
    for name in covariates:
        used = used & np.isfinite(number(table, name))
    for name in factors:
        used = used & labels(table, name).is_not_null().to_numpy()
    if not used.any():
        raise AnalysisError("no row with an outcome and all covariates", expected="some")
    notes = [note for name in factors if (note := _lost(table, name, used))]
    everything = np.ones(len(y), bool)
    variables = {
        **{name: factor(table, name, used, levels.get(name)) for name in factors},
        **{name: covariate(table, name) for name in covariates},
        arm: factor(table, arm, everything, arms),
        visit: factor(table, visit, everything, visits),
    }
    terms = [(name,) for name in (*factors, *covariates, arm, visit)]
    design = Design(variables, (*terms, (arm, visit), *((name, visit) for name in by_visit)))
    done = fit(
        y, design.matrix(), labels(table, subject).to_numpy(), labels(table, visit).to_numpy(), structure=structure,
        group=labels(table, arm).to_numpy() if grouped else None,
        weights=None if weights is None else number(table, weights),
        coordinates=np.stack([number(table, name) for name in coordinates], 1) if coordinates else None,
        names=design.names, visits=variables[visit].levels, reml=reml, degrees=degrees, covariance=covariance,
        fallbacks=fallbacks, notes=notes,
    )  # fmt: skip
    rows = {
        (a, v): design.average({arm: a, visit: v}, used) for a in variables[arm].levels for v in variables[visit].levels
    }  # fmt: skip
    return TableFit(fit=done, arms=variables[arm].levels, visits=variables[visit].levels, rows=rows, unit=unit)


def _lost(table: pl.DataFrame, name: str, used: np.ndarray) -> str:
    """A level that no usable row has."""
    text = labels(table, name)
    gone = sorted(set(text.drop_nulls().unique()) - set(text.filter(used).unique()))
    return f"levels {gone} of {name} have no row that can be used, and are left out" if gone else ""
