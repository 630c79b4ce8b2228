"""Weights by exponential tilting that reach stated means exactly: entropy balancing and the method of moments of MAIC.

Of all weights w > 0 with ``sum_i w_i (x_i - target) = 0`` those nearest to the base weights in entropy are

    w_i = base_i exp((x_i - target)' a),   a = argmin_a sum_i base_i exp((x_i - target)' a)

(Hainmueller 2012; Signorovitch et al. 2010; the two are one, Phillippo et al. 2020). The sum is convex and is brought down
by Newton's method with halved steps; at its minimum the means are the target's. It has none where the target lies outside
the convex hull of the patients, which a linear programme tells apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.external.arms import two_arms


@dataclass(frozen=True, slots=True, eq=False)
class Tilt:
    """Weights that balance."""

    weights: np.ndarray  #: (patient,) base_i exp((x_i - target)' a), not rescaled
    coefficients: np.ndarray  #: (covariate,) a, per unit of the covariate; 0 of one that was left out
    imbalance: float  #: largest distance of a weighted mean from its target, in standard deviations of the covariate
    notes: tuple[str, ...] = ()


def tilt(
    covariates: np.ndarray, target: np.ndarray, *, base: np.ndarray | None = None, names: Sequence[str] = (),
    where: str = "entropy balancing",
) -> Tilt:  # fmt: skip
    """``covariates`` (patient, covariate), ``target`` (covariate,) the means to be reached, ``base`` (patient,) weights.

    Raises :class:`AnalysisError` where no positive weights reach the target.
    """
    table = np.asarray(covariates, dtype=float)
    goal = np.asarray(target, dtype=float)
    if table.ndim != 2 or not len(table) or goal.shape != table.shape[1:]:
        raise AnalysisError(
            f"covariates {table.shape}, targets {goal.shape}",
            expected="(patient, covariate) and (covariate,)",
            where=where,
        )
    if not np.isfinite(table).all() or not np.isfinite(goal).all():
        raise AnalysisError("values that are missing or not finite", expected="none", where=where)
    held = np.ones(len(table)) if base is None else np.asarray(base, dtype=float)
    if held.shape != (len(table),) or not (held > 0.0).all():
        raise AnalysisError("base weights", expected="one positive number a patient", where=where)
    words = list(names) or [f"covariate {number + 1}" for number in range(len(goal))]
    spread = table.std(axis=0)
    centred = table - goal
    still = spread <= 1e-12 * (1.0 + np.abs(table).max(axis=0))
    off = [name for name, fixed, away in zip(words, still, centred[0], strict=True) if fixed and abs(away) > 1e-9]
    if off:
        raise AnalysisError(
            f"{off} the same for every patient, and not at the target", expected="a covariate that varies", where=where,
            remedy="leave it out, and say that it is not balanced",
        )  # fmt: skip
    spread = np.where(still, 1.0, spread)
    scaled = np.where(still, 0.0, centred / spread)
    kept, notes = _independent(scaled, words, where)
    used = scaled[:, kept]
    part = _climb(used, held / held.sum(), [words[number] for number in kept], where)
    coefficients = np.zeros(len(goal))
    coefficients[kept] = part / spread[kept]
    eta = centred @ coefficients
    relative = held * np.exp(eta - eta.max())
    reached = np.abs(relative @ scaled / relative.sum()).max(initial=0.0)
    extreme = np.abs(part).max(initial=0.0) > 8.0
    if not (reached <= 1e-7 and abs(eta.max()) < 300.0) or (extreme and _at_edge(used)):
        raise _out_of_reach(used, [words[number] for number in kept], where)
    return Tilt(held * np.exp(eta), coefficients, float(reached), notes)


def entropy_weights(trial: TrialData, *, squares: bool = False, total: str = "treated") -> Tilt:
    """ATT weights: 1 for the treated, and for controls those that bring the means of the covariates to the treated's.

    ``squares``: the second moments too, so that variances are balanced. ``total``: the control weights sum to the number
    of ``treated``, as propensity odds do, or of ``controls`` (mean 1). Means do not depend on it; a hazard ratio does
    where hazards are not proportional, since it says how much each arm counts in the risk set.
    """
    if total not in ("treated", "controls"):
        raise AnalysisError(f"total {total!r}", expected="treated or controls", where="entropy balancing")
    controls, treated = two_arms(trial, "entropy balancing")
    table, names = trial.covariates, list(trial.covariate_names)
    if not table.shape[1]:
        raise AnalysisError("no covariates", expected="at least one to balance", where="entropy balancing")
    if squares:
        more = [number for number in range(table.shape[1]) if len(np.unique(table[:, number])) > 2]
        away = table[:, more] - table[treated][:, more].mean(axis=0)
        table, names = np.hstack([table, away**2]), names + [f"{names[number]} squared" for number in more]
    reached = tilt(table[controls], table[treated].mean(axis=0), names=names)
    weights = np.ones(len(trial.arm))
    sum_to = treated.sum() if total == "treated" else controls.sum()
    weights[controls] = reached.weights * sum_to / reached.weights.sum()
    return Tilt(weights, reached.coefficients, reached.imbalance, reached.notes)


def _climb(table: np.ndarray, base: np.ndarray, names: list[str], where: str) -> np.ndarray:
    """Newton on ``log sum base exp(table a)``: same minimum, better behaved; (covariate,)."""
    at = np.zeros(table.shape[1])
    log_base = np.log(base)

    def value(point: np.ndarray) -> tuple[float, np.ndarray]:
        eta = table @ point + log_base
        top = eta.max()
        risen = np.exp(eta - top)
        return float(top + np.log(risen.sum())), risen / risen.sum()

    best, share = value(at)
    for _ in range(200):
        mean = share @ table
        if np.abs(mean).max(initial=0.0) <= 1e-13:
            break
        second = (table * share[:, None]).T @ table - np.outer(mean, mean)
        try:
            step = np.linalg.solve(second, -mean)
        except np.linalg.LinAlgError:
            raise _out_of_reach(table, names, where) from None
        for _halving in range(40):
            reached, moved = value(at + step)
            if reached <= best + 1e-4 * float(mean @ step) + 1e-15 * (1.0 + abs(best)):
                break
            step = step / 2.0
        else:
            break
        small = np.abs(step).max() <= 1e-13 * (1.0 + np.abs(at).max())
        at, best, share = at + step, reached, moved
        if small or np.abs(at).max() > 1e3:
            break
    return at


def _independent(table: np.ndarray, names: list[str], where: str) -> tuple[list[int], tuple[str, ...]]:
    """Columns that are no linear function of those before; one whose target contradicts the others' is refused."""
    kept: list[int] = []
    notes = []
    # with the intercept: a column that is constant minus others has its target fixed by theirs
    basis = np.ones((len(table), 1)) / len(table) ** 0.5
    for number, name in enumerate(names):
        rest = table[:, number]
        length = float(np.linalg.norm(rest))
        if not length:
            notes.append(f"{name} is at its target for every patient")
            continue
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-9 * length:
            kept.append(number)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            continue
        inside = table[:, kept]
        solved = np.linalg.lstsq(inside, table[:, number], rcond=None)[0] if kept else np.zeros(0)
        if np.linalg.norm(table[:, number] - inside @ solved) > 1e-7 * length:
            raise AnalysisError(
                f"{name} is a linear function of the other covariates, but its target is not that of theirs",
                expected="targets that agree", where=where, remedy="leave it out, or correct the target",
            )  # fmt: skip
        notes.append(f"{name} is a linear function of the covariates before it: balanced with them")
    return kept, tuple(notes)


def _at_edge(table: np.ndarray) -> bool:
    """Whether all patients lie on one side of some plane through the target (some off it): no positive weights balance."""
    found = optimize.linprog(
        -table.sum(axis=0), A_ub=-table, b_ub=np.zeros(len(table)), bounds=(-1.0, 1.0), method="highs"
    )
    return bool(found.status == 0 and -found.fun > 1e-7)


def _out_of_reach(table: np.ndarray, names: list[str], where: str) -> AnalysisError:
    low, high = table.min(axis=0, initial=0.0), table.max(axis=0, initial=0.0)
    beyond = [name for name, a, b in zip(names, low, high, strict=True) if not a < 0.0 < b]
    if beyond:
        reason = f"lies beyond, or at the edge of, every patient's value of {beyond}"
    elif _at_edge(table):
        reason = "lies outside, or at the edge of, what the patients span together"
    else:
        reason = "is reached only by giving almost all patients no weight"
    return AnalysisError(
        f"a target that {reason}", expected="a target among the patients", where=f"{where}: balance cannot be reached",
        remedy="balance fewer covariates, or restrict to shared eligibility",
    )  # fmt: skip
