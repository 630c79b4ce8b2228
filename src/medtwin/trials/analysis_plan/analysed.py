"""What carrying out an analysis plan ends in: a result for each analysis, the hashes of all that went in, the deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medtwin.trials.analysis.kaplan import Curve
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.external.balance import Balance
from medtwin.trials.missing.tipping import TippingPoint
from medtwin.trials.mmrm import FTest


@dataclass(frozen=True, kw_only=True)
class Result:
    """Of one analysis of the plan. What could not be estimated is a result too: ``failure`` says why, ``analysis`` is none."""

    name: str  #: as the plan names it: "primary"
    role: str  #: primary | secondary | sensitivity | subgroup
    method: str  #: the plan's word: "ancova"
    outcome: str  #: column of the table
    analysis: Analysis | None = None  #: estimates (the first is the one that the analysis is for), patients, notes
    failure: str = ""
    tests: tuple[FTest, ...] = ()
    balance: Balance | None = None  #: of covariates, before and after weighting
    curves: Mapping[str, Curve] = field(default_factory=dict)  #: Kaplan-Meier, by arm
    tipping: TippingPoint | None = None
    further: Mapping[str, Any] = field(default_factory=dict)  #: numbers of the method's own: effective sample size, R2


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Where what was done is not what was locked."""

    of: str  #: plan | estimand | score | data | program | lock
    locked: str
    found: str
    words: str  #: one sentence for the first page


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """A lock that took the place of an earlier one."""

    at: str  #: ISO 8601, UTC
    reason: str
    changes: tuple[str, ...]  #: against the lock before it, a sentence each


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """The whole. Made by :func:`medtwin.trials.analysis_plan.carry_out.carry_out`."""

    title: str
    synthetic: bool  #: the plan says that the data are synthetic: shown wherever they are
    plan: Mapping[str, Any]  #: the plan as read, in plain values
    estimand: str  #: its text, or empty
    results: tuple[Result, ...]
    hashes: Mapping[str, str]  #: sha256 of plan, data, score, lock, by name
    made_at: str  #: ISO 8601, UTC
    version: str  #: of medtwin
    locked_at: str = ""  #: empty: there was no lock
    deviations: tuple[Deviation, ...] = ()
    first_locked_at: str = ""  #: before any amendment
    amendments: tuple[Amendment, ...] = ()  #: the first the first
    notes: tuple[str, ...] = ()  #: on the table: rows left out, levels merged
    patients: Mapping[str, int] = field(default_factory=dict)  #: by arm, in the table
    historical: Mapping[str, Any] = field(default_factory=dict)  #: on the score: context of use, R2, partial R2, drift
