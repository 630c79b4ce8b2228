"""Who is in which arm, and what is known of patients before: arms, strata, score, covariates, latent noise.

Normal numbers are those of ``analysis.batch.normals``: 24 bits, none beyond 5.77 standard deviations; all arithmetic on them
is in double precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.batch import normals
from medtwin.trials.simulate.scenario import Scenario

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Patients before their outcome. (t, p), but ``known`` (t, 1 + k, p) and a shared ``arm`` (p,)."""

    arm: Array
    score: Array  #: m: what the outcome hangs on, standard normal
    known: Array  #: what the analysis gets: the score as it is seen, and the baseline covariates
    strata: Array | None
    fixed: Array | float  #: b x + c g, what baseline and strata add to the latent variable


def arms(scenario: Scenario, rng: np.random.Generator, trials: int, strata: Array | None) -> Array:
    """Arms by the scenario's randomisation, (p,) or (t, p) of 0 and 1.

    ``fixed`` keeps the numbers exact and the order even: patients are exchangeable, so that the order says nothing.
    """
    n, p = scenario.n_treated, scenario.patients
    if scenario.randomisation == "fixed":
        place = np.arange(p + 1) * n // p
        return np.diff(place).astype(float)
    if scenario.randomisation == "simple":
        return (rng.random((trials, p)) < n / p).astype(float)
    if scenario.randomisation == "minimisation":
        return minimised(rng, n / p, np.zeros((trials, p), int) if strata is None else strata)
    size, treated = block_of(scenario)
    pattern = (np.arange(size) < treated).astype(float)
    blocks = math.ceil(p / size)
    if scenario.randomisation == "permuted-block" or strata is None:
        drawn = rng.permuted(np.broadcast_to(pattern, (trials, blocks, size)), axis=-1)
        return drawn.reshape(trials, -1)[:, :p]
    out = np.empty((trials, p))
    for level in range(scenario.strata):
        mine = strata == level
        drawn = rng.permuted(np.broadcast_to(pattern, (trials, blocks, size)), axis=-1).reshape(trials, -1)
        place = np.cumsum(mine, axis=-1) - 1
        out = np.where(mine, np.take_along_axis(drawn, np.maximum(place, 0), axis=-1), out)
    return out


def minimised(rng: np.random.Generator, share: float, strata: Array, biased: float = 0.8) -> Array:
    """Pocock and Simon's minimisation (1975) over the stratum and the whole trial, arms (t, p) of 0 and 1.

    The imbalance that an arm would leave is ``|treated - share * all|``, summed over the patient's stratum and the trial; the arm
    of the smaller one is taken with probability ``biased``, either with its share where both are alike.
    """
    trials, patients = strata.shape
    rows = np.arange(trials)
    away = np.zeros((trials, int(strata.max()) + 2))  # treated - share * all, by stratum; last: the trial
    out = np.empty((trials, patients))
    for k in range(patients):
        both = np.column_stack([away[rows, strata[:, k]], away[:, -1]])
        worse = np.abs(both + 1.0 - share).sum(axis=1) - np.abs(both - share).sum(axis=1)
        chance = np.where(np.abs(worse) < 1e-9, share, np.where(worse < 0.0, biased, 1.0 - biased))
        out[:, k] = rng.random(trials) < chance
        moved = out[:, k] - share
        away[rows, strata[:, k]] += moved
        away[:, -1] += moved
    return out


def block_of(scenario: Scenario) -> tuple[int, int]:
    """(patients of a block, treated among them)."""
    divisor = math.gcd(scenario.n_control, scenario.n_treated)
    least = scenario.patients // divisor
    size = scenario.block or least * max(1, math.ceil(4 / least))
    if size % least:
        raise AnalysisError(f"blocks of {size}", expected=f"a multiple of {least}", where="randomisation")
    return size, size * scenario.n_treated // scenario.patients


def people(scenario: Scenario, rng: np.random.Generator, trials: int, *, external: bool = False) -> People:
    """Everything but the outcome."""
    size = scenario.n_external if external else scenario.patients
    known = normals(rng, (trials, 1 + scenario.baseline, size))
    if external and scenario.external_shift:  # the outcome moves with them
        known += scenario.external_shift
    score, table = known[:, 0], known[:, 1:]
    fixed: Array | float = 0.0
    if scenario.baseline_correlation:
        total = table[:, 0] if scenario.baseline == 1 else table.sum(axis=1)
        fixed = scenario.baseline_correlation / math.sqrt(scenario.baseline) * total
    strata = None
    if scenario.strata > 1:
        hidden = normals(rng, (trials, size))
        edges = ndtri(np.arange(1, scenario.strata) / scenario.strata)
        strata = np.searchsorted(edges, hidden)
        fixed = fixed + scenario.strata_correlation * hidden
    seen = seen_score(scenario, rng, score)
    if seen is not score or scenario.training_shift:
        known = np.concatenate([seen[:, None], table], axis=1)
        known += scenario.training_shift
    arm = np.zeros(size) if external else arms(scenario, rng, trials, strata)
    return People(arm, score, known, strata, fixed)


def seen_score(scenario: Scenario, rng: np.random.Generator, score: Array) -> Array:
    """What the analysis gets of score m, with s = ``seen_by``:

    as it is m; exponential ``exp(s m)``: the truth is not linear in what is seen; squared ``m^2``: nothing of it is;
    shuffled: another patient's; scaled ``s m``; biased ``m + s``; noisy ``sqrt(1-s^2) m + s noise``. ``training_decay`` d
    comes first: ``sqrt(1-d^2) m + d noise``, a score whose direction has moved since training.
    """
    if scenario.training_decay:
        d = scenario.training_decay
        score = math.sqrt(1.0 - d * d) * score + d * normals(rng, score.shape)
    by = scenario.seen_by
    if scenario.seen == "exponential":
        return np.exp(by * score)
    if scenario.seen == "squared":
        return score**2
    if scenario.seen == "shuffled":
        return rng.permuted(score, axis=-1)
    if scenario.seen == "scaled":
        return by * score
    if scenario.seen == "biased":
        return score + by
    if scenario.seen == "noisy":
        if not 0.0 <= by <= 1.0:
            raise AnalysisError(f"noise {by:g}", expected="a share from 0 to 1", where="seen_by")
        return math.sqrt(1.0 - by * by) * score + by * normals(rng, score.shape)
    return score


def latent(scenario: Scenario, rng: np.random.Generator, who: People, loadings: tuple[float, float]) -> Array:
    """L (t, p), standard normal but for shifts; ``loadings``: of the score, (control, treated)."""
    rest = scenario.baseline_correlation**2 + scenario.strata_correlation**2
    drawn = normals(rng, who.score.shape)
    r0, r1 = loadings
    if max(r0 * r0, r1 * r1) + rest >= 1.0:
        raise AnalysisError(f"correlations {r0:g} and {r1:g} of the latent variable", where="scenario", remedy="lower them",
                            expected="less than 1 with baseline and strata: a discrete outcome has no more")  # fmt: skip
    k0, k1 = math.sqrt(1.0 - r0 * r0 - rest), math.sqrt(1.0 - r1 * r1 - rest)
    if r0 == r1:
        drawn *= k0
        if r0:
            drawn += r0 * who.score
    else:
        treated = who.arm > 0.5
        drawn *= np.where(treated, k1, k0)
        drawn += np.where(treated, r1, r0) * who.score
    drawn += who.fixed
    return drawn
