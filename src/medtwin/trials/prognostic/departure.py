"""Death and drop-out: who is still there to be measured, given what the outcomes were.

Outcome models of several visits are about everybody, as if nobody had left (missing at random given earlier visits). What a
trial measures at year five is the outcome of those who stayed, and where the sick leave first the two differ. Here leaving
has a hazard that is constant between visits and follows the last values::

    log λ(t) = γ_0 + γ' [working values at the last visit, standardised] (+ δ' covariates)

fitted as Poisson counts with exposure (one event at most; maximum likelihood, concave, by Newton). Given these values leaving is
taken to be independent of what comes next: that is the missingness at random under which the outcome model was fitted, so
both factors of the likelihood are fitted apart (Little and Rubin 2019, section 6.2, from memory). A draw then has a departure
too, on a grid of times in between, and can be asked for those who are still there.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.draws import Draws
from medtwin.trials.prognostic.generator import Generator, draw
from medtwin.trials.prognostic.outcome import Outcome
from medtwin.trials.prognostic.persistence import own_baseline

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Departure:
    """Of ``events`` departures in ``exposure`` patient-times; coefficients per unit of the columns as they are."""

    outcomes: tuple[Outcome, ...]
    covariates: tuple[str, ...]
    names: tuple[str, ...]
    coefficients: Array  #: (1 + q + c,)
    standard_errors: Array
    events: int
    exposure: float
    time_unit: str

    def hazard(self, values: Array, covariates: Array) -> Array:
        """Per unit of time, of values (..., q) and covariates (..., c)."""
        columns = np.concatenate([values, covariates], -1)
        return np.exp(np.clip(self.coefficients[0] + columns @ self.coefficients[1:], -30.0, 30.0))

    def log_staying(self, baseline: Baseline, subject: Array, time: Array, working: Array) -> Array:
        """(draws, V) minus the cumulative hazard until each visit; visits by patient and time, from baseline on."""
        start = own_baseline(baseline, self.outcomes)
        extra = np.column_stack([baseline.column(name) for name in self.covariates] or [np.zeros((len(start), 0))])
        result = np.empty(working.shape[:2])
        for k in np.unique(subject):
            rows = np.flatnonzero(subject == k)
            before = np.concatenate(
                [np.broadcast_to(start[k], (len(working), 1, start.shape[1])), working[:, rows[:-1]]], 1
            )
            wait = np.diff(np.concatenate([[0.0], time[rows]]))
            rate = self.hazard(before, np.broadcast_to(extra[k], (*before.shape[:2], extra.shape[1])))
            result[:, rows] = -np.cumsum(rate * wait, 1)
        return result


def fit_departure(cohort: Cohort, end: ArrayLike, left: ArrayLike, *, covariates: Sequence[str] = ()) -> Departure:
    """``end (n)``: until when each patient was followed; ``left (n)``: whether he left then (died, dropped out).

    Who did not leave was still there at ``end``. The baseline must hold ``baseline NAME`` of each outcome; an outcome that
    was not measured at a visit keeps its last value. Raises :class:`AnalysisError`: visits after the end, no departures.
    """
    until, gone = np.asarray(end, float).ravel(), np.asarray(left, bool).ravel()
    n = len(cohort.baseline.subjects)
    if until.shape != (n,) or gone.shape != (n,) or not (np.isfinite(until) & (until >= 0.0)).all():
        raise AnalysisError(
            f"{len(until)} ends of {n} patients", expected="a time for each, not negative", where="departure"
        )
    late = cohort.time > until[cohort.subject] + 1e-9
    if late.any():
        raise AnalysisError(f"{int(late.sum())} visits after the end of follow-up", expected="none", where="departure")
    start = own_baseline(cohort.baseline, cohort.outcomes)
    extra = np.column_stack([cohort.baseline.column(name) for name in covariates] or [np.zeros((n, 0))])
    rows, wait, event = [], [], []
    for k in range(n):
        mine = np.flatnonzero(cohort.subject == k)
        times = np.concatenate([[0.0], cohort.time[mine], [until[k]]])
        value = start[k]
        for j in range(len(times) - 1):
            if j:
                seen = np.isfinite(cohort.values[mine[j - 1]])
                value = np.where(seen, cohort.values[mine[j - 1]], value)
            last = j == len(times) - 2
            if times[j + 1] > times[j] or (last and gone[k]):
                rows.append(np.concatenate([value, extra[k]]))
                wait.append(max(times[j + 1] - times[j], 1e-6))
                event.append(float(last and gone[k]))
    x, t, d = np.array(rows), np.array(wait), np.array(event)
    names = ("(intercept)", *(one.label for one in cohort.outcomes), *covariates)
    if d.sum() <= len(names):
        raise AnalysisError(
            f"{int(d.sum())} departures for {len(names)} coefficients", expected="more", where="departure"
        )
    centre, scale = x.mean(0), x.std(0)
    if not (scale > 0.0).all():
        raise AnalysisError(
            "a column that does not vary", expected="outcomes and covariates that vary", where="departure"
        )
    z = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    gamma, information = _poisson(z, t, d)
    back = np.zeros((len(names), len(names)))
    back[0, 0], back[0, 1:] = 1.0, -centre / scale
    back[np.arange(1, len(names)), np.arange(1, len(names))] = 1.0 / scale
    return Departure(
        outcomes=cohort.outcomes, covariates=tuple(covariates), names=names, coefficients=back @ gamma,
        standard_errors=np.sqrt(np.diag(back @ np.linalg.inv(information) @ back.T)), events=int(d.sum()),
        exposure=float(t.sum()), time_unit=cohort.time_unit,
    )  # fmt: skip


def _poisson(z: Array, exposure: Array, event: Array) -> tuple[Array, Array]:
    gamma = np.zeros(z.shape[1])
    gamma[0] = np.log(event.sum() / exposure.sum())

    def value(at: Array) -> float:
        return float(event @ (z @ at) - (exposure * np.exp(np.clip(z @ at, -50.0, 50.0))).sum())

    for _ in range(50):
        mean = exposure * np.exp(np.clip(z @ gamma, -50.0, 50.0))
        information = (z * mean[:, None]).T @ z
        slope = z.T @ (event - mean)
        step = np.linalg.solve(information + 1e-12 * np.trace(information) * np.eye(len(gamma)), slope)
        if slope @ step < 1e-16 * len(event):
            if np.abs(gamma).max() > 20.0:
                break
            return gamma, information
        now = value(gamma)
        shrink = 1.0
        while value(gamma + shrink * step) < now and shrink > 1e-6:
            shrink /= 2.0
        gamma = gamma + shrink * step
    raise AnalysisError("a hazard of departure without a maximum", expected="departures at all levels of the covariates",
                        where="departure", remedy="leave a covariate out")  # fmt: skip


def draw_with_departure(
    generator: Generator, departure: Departure, baseline: Baseline, times: ArrayLike, *, step: float, draws: int = 1000,
    seed: int = 0, subject: ArrayLike | None = None,
) -> Draws:  # fmt: skip
    """As :func:`~medtwin.trials.prognostic.draw`, with ``present``; ``step``: of the grid on which leaving is looked at.

    From baseline alone. Conditions of the draws say that leaving is drawn.
    """
    when = np.asarray(times, float).ravel()
    n = len(baseline.subjects)
    owner = np.repeat(np.arange(n), len(when)) if subject is None else np.asarray(subject, int).ravel()
    when = np.tile(when, n) if subject is None else when
    if departure.outcomes != generator.outcomes or not step > 0.0 or not len(when):
        raise AnalysisError(f"a departure of {[one.name for one in departure.outcomes]}, step {step:g}", where="departure",
                            expected="the generator's outcomes, a positive step, some times")  # fmt: skip
    parts = []
    for k in np.unique(owner):
        mine = when[owner == k]
        grid = np.arange(step, mine.max(), step)
        grid = grid[np.abs(grid[:, None] - mine).min(1) > 0.25 * step]
        parts.append(np.column_stack([np.full(len(grid) + len(mine), k), np.sort(np.concatenate([grid, mine]))]))
    whole = np.concatenate(parts)
    everywhere = whole[:, 0].astype(int)
    drawn = draw(generator, baseline, whole[:, 1], subject=everywhere, draws=draws, seed=seed)
    staying = departure.log_staying(baseline, everywhere, whole[:, 1], drawn.working)
    here = np.empty(staying.shape, bool)
    for k, name in enumerate(baseline.subjects):
        rng = np.random.default_rng([seed, 9, zlib.crc32(name.encode())])
        here[:, everywhere == k] = -staying[:, everywhere == k] < rng.exponential(size=(draws, 1))
    place = {(int(k), float(t)): row for row, (k, t) in enumerate(whole)}
    rows = np.array([place[int(k), float(t)] for k, t in zip(owner, when, strict=True)])
    told = [one for one in drawn.conditions if "not drawn" not in one]
    told.append(f"leaving is drawn: {departure.events} departures in {departure.exposure:.0f} patient-{departure.time_unit}s, "
                "by the values at the last visit; values of who has left are as if he had stayed")  # fmt: skip
    return replace(drawn.take(rows), present=here[:, rows], log_staying=staying[:, rows], conditions=tuple(told))


def given_present(drawn: Draws, *, at: str = "each", seed: int = 0) -> Draws:
    """Draws of those who are still there at each visit (``each``), or at their patient's last visit (``last``).

    ``each``: right for every visit alone; trajectories are put together anew. ``last``: whole trajectories, which look ahead to
    the last visit. Draws are taken again, in proportion to the chance of still being there (systematic resampling), to the
    same number; of the very sick that may be few distinct ones.
    """
    if drawn.log_staying is None or at not in ("each", "last"):
        raise AnalysisError("draws without departures" if drawn.log_staying is None else f"at {at!r}",
                            expected="draws of draw_with_departure; each or last", where="given_present")  # fmt: skip
    result = np.empty_like(drawn.working)
    count, fewest = len(result), np.inf
    for k in np.unique(drawn.subject):
        rows = np.flatnonzero(drawn.subject == k)
        rng = np.random.default_rng([seed, 10, zlib.crc32(drawn.subjects[k].encode())])
        for group in [rows] if at == "last" else rows[:, None]:
            weight = drawn.log_staying[:, group[-1]]
            each = np.exp(weight - weight.max())
            fewest = min(fewest, float(each.sum() ** 2 / (each**2).sum()))
            share = np.cumsum(each)
            again = np.searchsorted(share / share[-1], (np.arange(count) + rng.random()) / count)
            result[:, group] = drawn.working[rng.permutation(np.minimum(again, count - 1))[:, None], group]
    where = "at the visit" if at == "each" else "at his last visit"
    told = f"of who is still there {where}; of the {count} draws at least {fewest:.0f} count (for the sickest, seen latest)"
    return replace(drawn, working=result, present=None, log_staying=None, conditions=(*drawn.conditions, told))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StillThere:
    """A generator asked for those who are still there: for :func:`choose`, a score, or an arm to plan with.

    ``at`` as in :func:`given_present`. ``spare`` draws are made for each that is kept.
    """

    generator: Generator
    departure: Departure
    step: float
    at: str = "each"
    spare: int = 2

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.generator.outcomes

    @property
    def time_unit(self) -> str:
        return self.generator.time_unit

    @property
    def name(self) -> str:
        return f"{self.generator.name}, who is still there"

    def working(
        self, baseline: Baseline, subject: Array, time: Array, *, draws: int, seed: int, history: Cohort | None = None,
        mechanism: Array | None = None,
    ) -> Array:  # fmt: skip
        """(draws, V, q); from baseline alone, without a mechanism."""
        if history is not None or mechanism is not None:
            raise AnalysisError("a history or a mechanism's forecast", expected="baseline alone", where=self.name,
                                remedy="draw from the generator itself, as if everybody were measured")  # fmt: skip
        drawn = draw_with_departure(
            self.generator, self.departure, baseline, time, subject=subject, step=self.step, draws=self.spare * draws, seed=seed
        )  # fmt: skip
        return given_present(drawn, at=self.at, seed=seed).working[:draws]

    def conditions(self, time: Array, history: Cohort | None) -> tuple[str, ...]:
        """What draws at these times hold under."""
        told = [one for one in self.generator.conditions(time, history) if "not drawn" not in one]
        where = "at the visit" if self.at == "each" else "at his last visit"
        known = (
            f"{self.departure.events} departures in {self.departure.exposure:.0f} patient-{self.departure.time_unit}s"
        )
        return (*told, f"of who is still there {where}: leaving by {known}")
