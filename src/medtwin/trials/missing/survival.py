"""The time to an event after censoring that may say something: drawn from a hazard that is assumed.

A proportional piecewise-constant hazard, ``h(t) = exp(β_k + α_arm + c' γ)`` between cuts at quantiles of the event times,
is fitted by Poisson likelihood; a patient censored at ``c`` before his planned end has the event at ``T`` with

    ∫_c^T h(t) e^δ dt ~ exponential(1)

censored at the planned end if it is later. MAR: his own arm's hazard ("censoring at random"); JR: from ``c`` on the reference
arm's (as he is known to live at ``c``, what was before does not count: CR is the same); ``δ`` the log hazard ratio by which
those who left differ. Sources: Atkinson, Kenward, Clayton and Carpenter, Pharm Stat 18 (2019): 645 (reference-based); Lipkovich,
Ratitch and O'Kelly, Pharm Stat 15 (2016): 216 (piecewise exponential imputation, delta and tipping point), by their abstracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.missing.flat import by_arm, chosen, design, reference_code, several

Array = np.ndarray


def event_times(start: Array, rate: Array, cuts: Array, base: Array, target: Array) -> Array:
    """``T (n,)`` with ``∫_start^T rate · base(t) dt = target``; ``base (k,)`` between ``cuts (k - 1,)`` and 0 and infinity."""
    edges = np.concatenate([[0.0], cuts])
    ends = np.append(cuts, np.inf)
    inside = np.maximum(np.minimum(start[:, None], ends) - edges, 0.0)  # time before start in each interval
    whole = target / rate + inside @ base
    total = np.concatenate([[0.0], np.cumsum(np.diff(edges) * base[:-1])])  # ∫ base up to each edge
    k = np.searchsorted(total, whole, side="right") - 1
    return np.asarray(edges[k] + (whole - total[k]) / base[k])


def survival(
    trial: TrialData, planned: Array, *, strategy: str = "MAR", reference: str | None = None,
    delta: Mapping[str, float] | None = None, pieces: int = 5, sets: int = 50, seed: int, confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """Hazard ratios of Cox's model. ``planned (n,)``: when each patient would have been censored anyway, in the times' unit;
    ``strategy``: MAR or JR; ``delta``: log hazard ratio by arm; ``pieces``: of the hazard. Raises :class:`AnalysisError`."""
    words, trial = chosen(strategy, ("MAR", "JR")), trial.independent()
    time, event, ends = trial.outcome, trial.event, np.asarray(planned, float)
    if event is None or not event.any():
        raise AnalysisError("no events", expected="a trial with events", where="survival")
    if ends.shape != time.shape or not (np.isfinite(ends).all() and (ends >= time).all()):
        raise AnalysisError("planned ends that are missing or earlier than observed", where="planned",
                            expected="for each patient at least the observed time")  # fmt: skip
    if pieces < 1 or (time[event] <= 0.0).any():
        raise AnalysisError(f"{pieces} pieces, or events at time 0", expected="at least one piece, events after time 0")
    ref, shift, gone = reference_code(trial, reference), by_arm(trial, delta), ~event & (ends > time)
    middle, spread = trial.covariates.mean(axis=0), trial.covariates.std(axis=0)  # rates near one, whatever the units
    standard = replace(trial, covariates=(trial.covariates - middle) / spread)
    own = design(standard)
    assumed = design(standard, np.full(len(own), ref)) if strategy == "JR" else own
    cuts = np.unique(np.quantile(time[event], np.arange(1, pieces) / pieces))
    cuts = cuts[cuts < time[event].max()]
    edges, k = np.concatenate([[0.0], cuts]), len(cuts) + 1
    spent = np.maximum(np.minimum(time[:, None], np.append(cuts, np.inf)) - edges, 0.0)  # (n, k)
    place = np.searchsorted(cuts, time, side="left")
    words += f", piecewise hazard of {k}"
    if strategy == "JR":
        words += f", reference arm {trial.arm_names[ref]}"
    if delta:
        words += ", log hazard " + ", ".join(f"{value:+.4g} {arm}" for arm, value in delta.items())

    def fit(rows: Array) -> Array:
        who, piece = np.nonzero(spent[rows] > 0.0)
        patient = rows[who]
        columns = np.hstack([np.eye(k)[piece], own[patient, 1:]])  # the control arm's level is the pieces'
        happened = (event[patient] & (place[patient] == piece)).astype(float)
        return glm.fit(columns, happened, "poisson", np.log(spent[patient, piece])).coefficients

    def draw(beta: Array, rng: np.random.Generator) -> TrialData:
        rate = np.exp(np.clip(assumed[:, 1:] @ beta[k:] + shift, -300.0, 300.0))
        when = event_times(time, rate, cuts, np.exp(np.clip(beta[:k], -300.0, 300.0)), rng.exponential(size=len(time)))
        return replace(
            trial, outcome=np.where(gone, np.minimum(when, ends), time), event=event | (gone & (when <= ends))
        )

    return several(
        trial, gone, fit=fit, draw=draw, sets=sets, seed=seed, words=words, what="time until the planned end",
        analyse=lambda one: cox(one, confidence=confidence),
    )  # fmt: skip
